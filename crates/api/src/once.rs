//! `Idempotency-Key`: a request that is sent again is answered with what the first one began.
//!
//! ```text
//!   request with a key ─▶ begun before? ─yes─▶ the operations of the first, as they stand now
//!                              │ no
//!                              ▼
//!                          the route ─refused─▶ begun meanwhile, by the same request? ─yes─▶ its operations
//! ```
//!
//! In front of the routes, because a route may refuse what the first request has changed already: an instance that a
//! delete has removed is not found any more. That nothing is begun twice is the store's: the key is written in the
//! transaction that begins it.

use axum::Json;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use berth_api_types::Created;
use berth_engine::{Once, Requester};
use berth_model::{Code, IdempotencyKey};
use sha2::{Digest as _, Sha256};
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{OpenApi, RefOr, Required};

use crate::auth::Scope;
use crate::extract::By;
use crate::problem::ApiError;
use crate::{App, BODY_MAX, dry_run, views};

/// Where a create begins several operations.
const INSTANCES: &str = "/v1/instances";
/// Where keys count, and all that is below: what begins operations. Not where the body is an image: it isn't read twice.
const KEYED: [&str; 4] = [INSTANCES, "/v1/volumes", "/v1/snapshots", "/v1/images/pull"];

/// What a key is.
const PATTERN: &str = "^[!-~]{1,255}$";
const DESCRIPTION: &str = "1 to 255 visible ASCII characters, new for each request. A request that is sent again with \
                           its key and the same content is answered with the operations of the first and changes \
                           nothing; with another content it is refused. Kept for a day.";

/// Answers a request that was made before; passes on every other.
pub(crate) async fn once(State(app): State<App>, request: Request, next: Next) -> Result<Response, ApiError> {
    let path = request.uri().path();
    // What is only tried begins nothing, and its key is as fresh as before.
    let begins = request.method() != Method::GET && below(path) && !dry_run::asked(request.uri())?;
    let many = path == INSTANCES;
    let Some(key) = key(request.headers())?.filter(|_| begins) else {
        return Ok(next.run(request).await);
    };
    let (mut parts, body) = request.into_parts();
    let body = to_bytes(body, BODY_MAX).await;
    let body = body.map_err(|error| ApiError::new(Code::TooLarge, error, None))?;
    let fingerprint = fingerprint(&parts, &body);
    parts.extensions.insert(Once { key, fingerprint });
    let By(by) = By::from_request_parts(&mut parts, &app).await?;
    if let Some(answer) = answered(&app, &by, many).await? {
        return Ok(answer);
    }
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    if response.status().is_success() {
        return Ok(response);
    }
    // What the first has changed may be why the second was refused.
    Ok(answered(&app, &by, many).await?.unwrap_or(response))
}

fn below(path: &str) -> bool {
    KEYED.iter().any(|keyed| {
        path.strip_prefix(keyed)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// The key that a request carries.
fn key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, ApiError> {
    let invalid = |why: String| ApiError::invalid(IdempotencyKey::HEADER, why);
    let mut values = headers.get_all(IdempotencyKey::HEADER).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(invalid("a request has one key".to_owned()));
    }
    let text = String::from_utf8_lossy(value.as_bytes());
    text.parse()
        .map(Some)
        .map_err(|error: berth_model::ParseIdempotencyKeyError| invalid(error.to_string()))
}

/// A digest of what is asked. A method and a path have no line break, so no two requests run together.
fn fingerprint(parts: &Parts, body: &Bytes) -> String {
    let mut digest = Sha256::new();
    let project = parts
        .extensions
        .get::<Scope>()
        .map_or("", |scope| scope.project.as_str());
    digest.update(format!("{}\n{}\n{project}\n", parts.method, parts.uri));
    digest.update(body);
    STANDARD.encode(digest.finalize())
}

/// The answer to the same request made before, in the shape of its route.
async fn answered(app: &App, by: &Requester, many: bool) -> Result<Option<Response>, ApiError> {
    let Some(operations) = app.engine.answered(by).await? else {
        return Ok(None);
    };
    let mut views: Vec<_> = operations.iter().map(views::operation).collect();
    let answer = if many {
        Json(Created { operations: views }).into_response()
    } else {
        Json(views.pop()).into_response()
    };
    Ok(Some((StatusCode::ACCEPTED, answer).into_response()))
}

/// Says in the document which requests take a key: the same that [`once`] looks at.
pub(crate) fn describe(document: &mut OpenApi) {
    let paths = document.paths.paths.iter_mut().filter(|(path, _)| below(path));
    for (_, item) in paths {
        for operation in [&mut item.post, &mut item.put, &mut item.delete].into_iter().flatten() {
            take_key(operation);
        }
    }
}

fn take_key(operation: &mut Operation) {
    operation.parameters.get_or_insert_default().push(RefOr::T(parameter()));
}

fn parameter() -> Parameter {
    ParameterBuilder::new()
        .name(IdempotencyKey::HEADER)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(DESCRIPTION))
        .schema(Some(
            ObjectBuilder::new().schema_type(Type::String).pattern(Some(PATTERN)),
        ))
        .build()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_key_is_visible_ascii_and_there_is_one() {
        let headers = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(
                    IdempotencyKey::HEADER,
                    HeaderValue::from_bytes(value.as_bytes()).unwrap(),
                );
            }
            headers
        };
        assert!(key(&headers(&[])).unwrap().is_none());
        let longest = "x".repeat(255);
        for good in ["a", "8e03978e-40d5-43dd-bc93-6894a57f9324", &longest] {
            assert_eq!(key(&headers(&[good])).unwrap().unwrap().as_str(), good);
        }
        let long = "x".repeat(256);
        for bad in [&[""][..], &["a b"], &["\u{e9}"], &[&long], &["a", "a"]] {
            assert!(key(&headers(bad)).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn keys_count_for_what_begins_operations() {
        assert!(
            below("/v1/instances")
                && below("/v1/instances/web/actions/start")
                && below("/v1/volumes/data/actions/attach")
        );
        assert!(!below("/v1/instancesx") && !below("/v1/images"));
    }
}
