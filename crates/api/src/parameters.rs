//! A query has only parameters that its route knows: one that is misspelt is refused, whatever the request would have
//! done without it.
//!
//! ```text
//!   request ─▶ guard ─▶ each name of its query: one that the document has for the route? ─no─▶ 400: did you mean …?
//!                                                       │ yes
//!                                                       ▼ the route
//! ```
//!
//! What a route knows is read from the document that is served, so that no route can forget to look.

use std::collections::HashMap;

use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use url::form_urlencoded;
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::schema::{SchemaType, Type};
use utoipa::openapi::{OpenApi, RefOr, Schema};

use crate::App;
use crate::problem::ApiError;

/// How alike a name has to be to be offered (Jaro-Winkler, 0 to 1).
const ALIKE: f64 = 0.8;

/// The query parameters that each route takes.
#[derive(Debug, Default)]
pub(crate) struct Parameters(HashMap<(Method, String), Vec<Known>>);

/// A query parameter.
#[derive(Debug)]
struct Known {
    name: String,
    /// What it has to be given, if an empty text is none: parsed, it would be as one that is left out.
    value: Option<&'static str>,
}

impl Parameters {
    /// Those of a document.
    pub(crate) fn of(document: &OpenApi) -> Self {
        let mut known = HashMap::new();
        for (path, item) in &document.paths.paths {
            let operations = [
                (Method::GET, &item.get),
                (Method::POST, &item.post),
                (Method::PUT, &item.put),
                (Method::PATCH, &item.patch),
                (Method::DELETE, &item.delete),
            ];
            for (method, operation) in operations {
                if let Some(operation) = operation {
                    known.insert((method, path.clone()), in_query(operation));
                }
            }
        }
        Self(known)
    }

    fn of_route(&self, method: &Method, path: &str) -> &[Known] {
        // The router answers HEAD by what answers GET (RFC 9110, 9.3.2).
        let method = if method == Method::HEAD { &Method::GET } else { method };
        let found = self.0.get(&(method.clone(), path.to_owned()));
        found.map_or(&[], Vec::as_slice)
    }

    /// Refuses the first parameter of a query that the route doesn't take.
    fn check(&self, method: &Method, path: &str, query: &str) -> Result<(), ApiError> {
        let known = self.of_route(method, path);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let Some(parameter) = known.iter().find(|known| known.name == name) else {
                return Err(ApiError::invalid(&name, unknown(&name, known)));
            };
            if let Some(what) = parameter.value.filter(|_| value.is_empty()) {
                let message = format!("it has no value: give it {what}, or leave it out");
                return Err(ApiError::invalid(&name, message));
            }
        }
        Ok(())
    }
}

fn in_query(operation: &Operation) -> Vec<Known> {
    let all = operation.parameters.iter().flatten();
    let in_query = all.filter_map(|parameter| match parameter {
        RefOr::T(parameter) if matches!(parameter.parameter_in, ParameterIn::Query) => Some(Known {
            name: parameter.name.clone(),
            value: parameter.schema.as_ref().and_then(value),
        }),
        RefOr::T(_) | RefOr::Ref(_) => None,
    });
    in_query.collect()
}

fn value(schema: &RefOr<Schema>) -> Option<&'static str> {
    let RefOr::T(Schema::Object(object)) = schema else {
        return None;
    };
    match object.schema_type {
        SchemaType::Type(Type::Integer) => Some("a number"),
        SchemaType::Type(Type::Boolean) => Some("true or false"),
        _ => None,
    }
}

fn unknown(name: &str, known: &[Known]) -> String {
    if known.is_empty() {
        return "there is no such parameter: this takes none".to_owned();
    }
    let known: Vec<&str> = known.iter().map(|known| known.name.as_str()).collect();
    let alike = known.iter().map(|known| (strsim::jaro_winkler(known, name), known));
    match alike.max_by(|one, other| one.0.total_cmp(&other.0)) {
        Some((ratio, known)) if ratio >= ALIKE => format!("there is no such parameter: did you mean '{known}'?"),
        _ => format!("there is no such parameter: it is one of {}", known.join(", ")),
    }
}

/// Passes on a request whose query its route knows.
pub(crate) async fn known(State(app): State<App>, request: Request, next: Next) -> Result<Response, ApiError> {
    if let (Some(path), Some(query)) = (request.extensions().get::<MatchedPath>(), request.uri().query()) {
        app.parameters.check(request.method(), path.as_str(), query)?;
    }
    Ok(next.run(request).await)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn said(method: &Method, path: &str, query: &str) -> String {
        let parameters = Parameters::of(&crate::openapi());
        match parameters.check(method, path, query) {
            Ok(()) => "taken".to_owned(),
            Err(error) => error.detail().to_owned(),
        }
    }

    #[test]
    fn what_a_route_knows_is_taken() {
        for query in ["", "limit=5", "after=x&limit=5", "li%6dit=5"] {
            assert_eq!(said(&Method::GET, "/v1/volumes", query), "taken", "{query}");
            assert_eq!(said(&Method::HEAD, "/v1/volumes", query), "taken", "{query}");
        }
    }

    #[test]
    fn a_number_and_a_yes_or_no_are_given_or_left_out() {
        let list = |query| said(&Method::GET, "/v1/volumes", query);
        assert_eq!(
            list("limit="),
            "limit: it has no value: give it a number, or leave it out"
        );
        assert_eq!(list("name="), "taken");
        let images = said(&Method::POST, "/v1/images", "name=a&tpm=&min_disk=1");
        assert_eq!(images, "tpm: it has no value: give it true or false, or leave it out");
    }

    #[test]
    fn what_no_route_knows_is_refused_with_what_was_meant() {
        let list = |query| said(&Method::GET, "/v1/volumes", query);
        assert_eq!(
            list("limit=5&limt=6"),
            "limt: there is no such parameter: did you mean 'limit'?"
        );
        assert!(
            list("=").starts_with(": there is no such parameter: it is one of "),
            "{}",
            list("=")
        );
        let none = said(&Method::GET, "/v1/openapi.json", "quick");
        assert_eq!(none, "quick: there is no such parameter: this takes none");
    }
}
