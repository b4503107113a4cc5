//! What comes in, parsed into types at the border; what can't be parsed is answered with a problem.

use std::error::Error as _;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use berth_api_types::GivenLabels;
use berth_engine::{Once, Page, Requester};
use berth_model::limits::PAGE_MAX;
use berth_model::{Code, Labels};
use serde::de::DeserializeOwned;

use crate::auth::Caller;
use crate::label;
use crate::problem::ApiError;

/// A JSON body: an object.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let bytes = Bytes::from_request(Request::from_parts(parts.clone(), body), state).await;
        let bytes = bytes.map_err(JsonRejection::from)?;
        // What is derived would take a list too, as the fields' values in their order, which nobody means.
        if bytes.trim_ascii_start().starts_with(b"[") {
            let detail = "the body is a list, and it has to be an object: {…}";
            return Err(ApiError::new(Code::InvalidArgument, detail, None));
        }
        let Json(body) = Json::from_request(Request::from_parts(parts, bytes.into()), state).await?;
        Ok(Self(body))
    }
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        let code = match rejection.status() {
            axum::http::StatusCode::PAYLOAD_TOO_LARGE => Code::TooLarge,
            axum::http::StatusCode::UNSUPPORTED_MEDIA_TYPE => Code::UnsupportedMediaType,
            _ => Code::InvalidArgument,
        };
        Self::new(code, rejection.body_text(), field(&rejection).as_deref())
    }
}

/// The path of the field that can't be what it is, such as `volumes[1].size`; none if it is the body as a whole.
fn field(rejection: &JsonRejection) -> Option<String> {
    let JsonRejection::JsonDataError(data) = rejection else {
        return None;
    };
    let mut source = data.source();
    while let Some(error) = source {
        if let Some(at) = error.downcast_ref::<serde_path_to_error::Error<serde_json::Error>>() {
            return Some(at.path().to_string()).filter(|path| path != ".");
        }
        source = error.source();
    }
    None
}

/// A query string. What may be given several times is a list.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        of_query(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

fn of_query<T: DeserializeOwned>(query: &str) -> Result<T, ApiError> {
    let pairs = serde_html_form::Deserializer::from_bytes(query.as_bytes());
    serde_path_to_error::deserialize(pairs).map_err(|error| {
        let field = error.path().to_string();
        let said = format!("the query: {}", error.inner());
        match field.as_str() {
            "." => ApiError::new(Code::InvalidArgument, said, None),
            field => ApiError::invalid(field, error.inner()),
        }
    })
}

/// A query string in which labels are given too, as `label=KEY=VALUE`.
pub(crate) struct LabelledQuery<T>(pub(crate) T, pub(crate) Labels);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for LabelledQuery<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let all = parts.uri.query().unwrap_or_default();
        let is_label = |pair: &&str| pair.split('=').next() == Some("label");
        let (labels, others): (Vec<_>, Vec<_>) = all.split('&').partition(is_label);
        let labels: GivenLabels = of_query(&labels.join("&"))?;
        Ok(Self(of_query(&others.join("&"))?, label::given(&labels)?))
    }
}

/// A JSON body that may be left out.
pub(crate) struct MaybeBody<T>(pub(crate) T);

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for MaybeBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let empty = request
            .headers()
            .get("content-length")
            .is_none_or(|length| length == "0")
            && !request.headers().contains_key("transfer-encoding");
        if empty {
            return Ok(Self(T::default()));
        }
        let Body(body) = Body::from_request(request, state).await?;
        Ok(Self(body))
    }
}

/// Who asks, as it is written into the journal.
pub(crate) struct By(pub(crate) Requester);

impl<S: Send + Sync> FromRequestParts<S> for By {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, state).await?;
        Ok(Self(Requester {
            who: caller.user.to_string(),
            once: parts.extensions.get::<Once>().cloned(),
        }))
    }
}

/// The most characters of a description.
const DESCRIPTION_MAX: usize = 255;

/// A description in words, if it can be one.
pub(crate) fn described(description: Option<String>) -> Result<Option<String>, ApiError> {
    if let Some(text) = &description
        && (text.chars().count() > DESCRIPTION_MAX || text.chars().any(char::is_control))
    {
        let message =
            format!("a description has at most {DESCRIPTION_MAX} characters, none of them a control character");
        return Err(ApiError::invalid("description", message));
    }
    Ok(description)
}

/// How many entries a page has if the request doesn't say.
const PAGE_DEFAULT: u32 = 100;

/// How many entries a page is to have.
pub(crate) fn limit(asked: Option<u32>) -> Result<u32, ApiError> {
    let limit = asked.unwrap_or(PAGE_DEFAULT);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(ApiError::invalid(
            "limit",
            format!("{limit} is not between 1 and {PAGE_MAX}"),
        ));
    }
    Ok(limit)
}

/// The page that a query asks for, of a list that is in the order of ids.
pub(crate) fn page<I: std::str::FromStr<Err: ToString>>(
    query: &berth_api_types::PageQuery,
) -> Result<Page<I>, ApiError> {
    let limit = limit(query.limit)?;
    let after = query.after.as_deref().map(str::parse).transpose();
    Ok(Page {
        limit,
        after: after.map_err(|error: I::Err| ApiError::invalid("after", error))?,
    })
}

/// A page as it is shown: full pages may have another behind them.
pub(crate) fn paged<T>(items: Vec<T>, limit: u32, id: impl Fn(&T) -> String) -> berth_api_types::Page<T> {
    let full = u32::try_from(items.len()).is_ok_and(|count| count >= limit);
    let next = items.last().filter(|_| full).map(id);
    berth_api_types::Page { items, next }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use axum::response::IntoResponse as _;
    use berth_api_types::{CreateInstances, Problem};
    use http_body_util::BodyExt as _;

    use super::*;

    /// The field that is told of a body for `POST /v1/instances`.
    async fn told(body: &'static str) -> Option<String> {
        let request = Request::builder().header("content-type", "application/json");
        let request = request.body(body.into()).unwrap();
        let refused = Body::<CreateInstances>::from_request(request, &()).await.err().unwrap();
        let answer = refused.into_response().into_body().collect().await.unwrap().to_bytes();
        serde_json::from_slice::<Problem>(&answer).unwrap().field
    }

    #[tokio::test]
    async fn what_a_body_has_wrong_is_named_by_its_path() {
        let deep = r#"{"name": "a", "image": "b", "type": "c", "volumes": [{"size": 1}, {"size": "x"}]}"#;
        assert_eq!(told(deep).await.as_deref(), Some("volumes[1].size"));
        assert_eq!(told(r#"{"name": 5}"#).await.as_deref(), Some("name"));
        for whole in ["{}", "5", "[]", "{"] {
            assert_eq!(told(whole).await, None, "{whole}");
        }
    }
}
