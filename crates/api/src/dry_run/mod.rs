//! `?dry_run=true`: what a request would do, without doing it.
//!
//! ```text
//!   request ─▶ guard, parameters ─▶ [try_out] ─no─▶ the route
//!                                      │ dry_run=true
//!                                      ▼
//!                          Dry::scope(the same route) ─refused─▶ the same refusal
//!                                      │ it got as far as its commit, which is the error DryRun
//!                                      ▼
//!                          Engine::preview ─▶ 200 with a DryRunView
//! ```
//!
//! Here and nowhere else: no route knows of it, and so none can forget it. That a route has passed the error on is looked
//! at; one that hasn't is a defect, and told as one.

mod document;
mod view;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::Uri;
use axum::http::uri::PathAndQuery;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use berth_engine::Dry;
use berth_model::Code;
use url::form_urlencoded;

pub(crate) use document::{describe, join};

use crate::App;
use crate::problem::ApiError;

/// The parameter.
pub(crate) const PARAMETER: &str = "dry_run";

/// The answer to a dry run: whoever still sends a body is heard to its end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told;

/// Whether a request is only to be tried. Not whether it may be: what isn't in its route's document was refused before.
pub(crate) fn asked(uri: &Uri) -> Result<bool, ApiError> {
    let query = uri.query().unwrap_or_default();
    let mut values = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == PARAMETER);
    let Some((_, value)) = values.next() else {
        return Ok(false);
    };
    match (&*value, values.next()) {
        ("true", None) => Ok(true),
        ("false", None) => Ok(false),
        (other, None) => Err(ApiError::invalid(
            PARAMETER,
            format!("'{other}' is neither true nor false"),
        )),
        (_, Some(_)) => Err(ApiError::invalid(PARAMETER, "it is given twice")),
    }
}

/// The same address without the parameter, which is no route's own.
fn without(uri: &Uri) -> Result<Uri, ApiError> {
    let query = uri.query().unwrap_or_default();
    let is_other = |part: &&str| form_urlencoded::parse(part.as_bytes()).all(|(name, _)| name != PARAMETER);
    let others: Vec<&str> = query
        .split('&')
        .filter(|part| !part.is_empty())
        .filter(is_other)
        .collect();
    let path = match others.as_slice() {
        [] => uri.path().to_owned(),
        others => format!("{}?{}", uri.path(), others.join("&")),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(path.parse::<PathAndQuery>().map_err(ApiError::internal)?);
    Uri::from_parts(parts).map_err(ApiError::internal)
}

/// Tries a request that asks for that; passes on every other.
pub(crate) async fn try_out(State(app): State<App>, mut request: Request, next: Next) -> Result<Response, ApiError> {
    let dry = asked(request.uri())?;
    *request.uri_mut() = without(request.uri())?;
    if !dry {
        return Ok(next.run(request).await);
    }
    let dry = Arc::new(Dry::default());
    let response = dry.scope(next.run(request)).await;
    let passed_on = response.extensions().get() == Some(&Code::Internal);
    match (dry.tried().is_some(), response.status().is_success()) {
        (true, _) if passed_on => {}
        (true, _) => return Err(ApiError::internal("a dry run that was not passed on")),
        // Nothing is to be changed.
        (false, true) => {}
        (false, false) => return Ok(response),
    }
    let preview = app.engine.preview(&dry).await?;
    let mut response = Json(view::of(preview)).into_response();
    response.extensions_mut().insert(Told);
    Ok(response)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn uri(query: &str) -> Uri {
        format!("/v1/images{query}").parse().unwrap()
    }

    #[test]
    fn it_is_asked_for_in_one_way() {
        for (query, wanted) in [
            ("", false),
            ("?name=dry_run", false),
            ("?dry_run=false", false),
            ("?dry_run=true", true),
            ("?name=a&dry%5Frun=tr%75e", true),
        ] {
            assert_eq!(asked(&uri(query)).unwrap(), wanted, "{query}");
        }
        for query in [
            "?dry_run",
            "?dry_run=",
            "?dry_run=1",
            "?dry_run=TRUE",
            "?dry_run=true&dry_run=true",
        ] {
            let refused = asked(&uri(query)).unwrap_err();
            assert_eq!(refused.code(), Code::InvalidArgument, "{query}");
        }
    }

    #[test]
    fn no_route_sees_it() {
        for (query, left) in [
            ("", ""),
            ("?dry_run=true", ""),
            ("?dry_run=true&name=a%26b", "?name=a%26b"),
            ("?name=a&dry%5Frun=true&os=linux", "?name=a&os=linux"),
        ] {
            assert_eq!(without(&uri(query)).unwrap(), uri(left), "{query}");
        }
    }
}
