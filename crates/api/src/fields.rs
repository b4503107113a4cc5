//! `fields`: of an answer only what is asked for.
//!
//! ```text
//!   GET …?fields=id,addresses.public ─▶ does the route's answer have them? ─no─▶ 400, with those there are
//!                                              │ yes
//!                                              ▼
//!                          the route, which isn't told ─▶ its JSON ─▶ the same without the rest
//! ```
//!
//! What an answer has is read from the document of the routes, so that nothing has to be said of a route here. Of a
//! list the fields are those of its entries: `next` stays. A field that an answer leaves out stays left out.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, Uri, header};
use axum::middleware::Next;
use axum::response::Response;
use serde_json::Value;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{OpenApi, RefOr, Required};

use crate::problem::ApiError;

/// The parameter.
const FIELDS: &str = "fields";

const DESCRIPTION: &str = "Only these fields of the answer, or of each entry of a list, with commas between them; those \
                           within another as `addresses.public`.";

/// Fields, each with those within it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Tree(BTreeMap<String, Tree>);

/// What the answers of all routes have, by path.
#[derive(Debug)]
pub(crate) struct Fields(BTreeMap<String, Answer>);

/// What a route's answer has.
#[derive(Debug)]
struct Answer {
    /// Whether it is a page of a list, whose entries have the fields.
    paged: bool,
    fields: Tree,
}

impl Fields {
    /// As the document of the routes has it.
    pub(crate) fn of(document: &OpenApi) -> Self {
        let document = serde_json::to_value(document).unwrap_or_default();
        let paths = document["paths"].as_object().into_iter().flatten();
        let answer = |(path, item): (&String, &Value)| {
            let schema = &item["get"]["responses"]["200"]["content"]["application/json"]["schema"];
            let mut fields = Tree::of(schema, &document);
            let paged = fields.0.contains_key("items") && fields.0.contains_key("next");
            if paged {
                fields = fields.0.remove("items").unwrap_or_default();
            }
            (!fields.0.is_empty()).then(|| (path.clone(), Answer { paged, fields }))
        };
        Self(paths.filter_map(answer).collect())
    }
}

impl Tree {
    /// The fields that a schema has.
    fn of(schema: &Value, document: &Value) -> Self {
        let mut tree = Self::default();
        if let Some(reference) = schema["$ref"].as_str() {
            let pointer = reference.strip_prefix('#').unwrap_or_default();
            let found = document.pointer(pointer).unwrap_or(&Value::Null);
            tree.0.extend(Self::of(found, document).0);
        }
        for several in ["allOf", "oneOf", "anyOf"] {
            for part in schema[several].as_array().into_iter().flatten() {
                tree.0.extend(Self::of(part, document).0);
            }
        }
        if schema["items"].is_object() {
            tree.0.extend(Self::of(&schema["items"], document).0);
        }
        for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
            tree.0.insert(name.clone(), Self::of(schema, document));
        }
        tree
    }

    /// Those that are asked for, if they are all there.
    fn chosen(&self, asked: &str) -> Result<Self, ApiError> {
        let mut chosen = Self::default();
        for path in asked.split(',') {
            let (mut known, mut place) = (self, &mut chosen);
            for name in path.split('.') {
                let found = known.0.get(name);
                known = found.ok_or_else(|| known.unknown(path))?;
                place = place.0.entry(name.to_owned()).or_default();
            }
        }
        Ok(chosen)
    }

    fn unknown(&self, path: &str) -> ApiError {
        let names: Vec<_> = self.0.keys().map(String::as_str).collect();
        let there = match names.as_slice() {
            [] => "there is nothing within that field".to_owned(),
            names => format!("there are {}", names.join(", ")),
        };
        ApiError::invalid(FIELDS, format!("'{}' is no field: {there}", path.escape_debug()))
    }

    /// Takes away what wasn't chosen. Something of which no field was chosen is chosen as a whole.
    fn pick(&self, value: &mut Value) {
        match value {
            _ if self.0.is_empty() => {}
            Value::Array(values) => values.iter_mut().for_each(|value| self.pick(value)),
            Value::Object(fields) => {
                fields.retain(|name, _| self.0.contains_key(name));
                for (name, value) in fields {
                    if let Some(within) = self.0.get(name) {
                        within.pick(value);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Answers with the fields that a request asks for; passes on every other.
pub(crate) async fn choose(
    State(known): State<Arc<Fields>>,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let looks = [Method::GET, Method::HEAD].contains(request.method());
    let Some((asked, rest)) = asked(request.uri()).filter(|_| looks) else {
        return Ok(next.run(request).await);
    };
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let Some(answer) = path.and_then(|path| known.0.get(path)) else {
        return Err(ApiError::invalid(
            FIELDS,
            "what this answers has no fields to choose from",
        ));
    };
    let chosen = answer.fields.chosen(&asked)?;
    *request.uri_mut() = rest;
    let response = next.run(request).await;
    if !response.status().is_success() {
        return Ok(response);
    }
    let (mut parts, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.map_err(ApiError::internal)?;
    let Ok(mut value) = serde_json::from_slice::<Value>(&bytes) else {
        // Of a HEAD there is nothing to choose from.
        return Ok(Response::from_parts(parts, Body::from(bytes)));
    };
    match value.get_mut("items").filter(|_| answer.paged) {
        Some(entries) => chosen.pick(entries),
        None => chosen.pick(&mut value),
    }
    parts.headers.remove(header::CONTENT_LENGTH);
    Ok(Response::from_parts(parts, Body::from(value.to_string())))
}

/// The fields that an address asks for, and the address without them.
fn asked(uri: &Uri) -> Option<(String, Uri)> {
    let is_fields = |pair: &&str| pair.split('=').next() == Some(FIELDS);
    let (fields, rest): (Vec<_>, Vec<_>) = uri.query()?.split('&').partition(is_fields);
    if fields.is_empty() {
        return None;
    }
    let values = fields.iter().map(|pair| {
        let value = pair.split_once('=').map_or("", |(_, value)| value);
        value.replace("%2C", ",").replace("%2c", ",")
    });
    let asked = values.collect::<Vec<_>>().join(",");
    let address = match rest.as_slice() {
        [] => uri.path().to_owned(),
        rest => format!("{}?{}", uri.path(), rest.join("&")),
    };
    Some((asked, address.parse().ok()?))
}

/// Says in the document which requests take the parameter: all that answer with fields.
pub(crate) fn describe(document: &mut OpenApi) {
    let known = Fields::of(document);
    for (path, item) in &mut document.paths.paths {
        if let Some(operation) = item.get.as_mut().filter(|_| known.0.contains_key(path)) {
            operation.parameters.get_or_insert_default().push(RefOr::T(parameter()));
        }
    }
}

fn parameter() -> Parameter {
    ParameterBuilder::new()
        .name(FIELDS)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(DESCRIPTION))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .build()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;

    fn instances() -> Answer {
        Fields::of(&crate::openapi()).0.remove("/v1/instances").unwrap()
    }

    #[test]
    fn fields_are_those_of_the_document_and_what_is_chosen_is_kept() {
        let answer = instances();
        assert!(answer.paged);
        let chosen = answer.fields.chosen("name,addresses.public,labels").unwrap();
        let mut entries = json!([{
            "id": 1, "name": "web", "labels": { "env": "prod" },
            "addresses": [{ "port": 2, "public": "203.0.113.7" }, { "port": 3 }],
        }]);
        chosen.pick(&mut entries);
        let expected = json!([{
            "name": "web", "labels": { "env": "prod" }, "addresses": [{ "public": "203.0.113.7" }, {}],
        }]);
        assert_eq!(entries, expected);
    }

    #[test]
    fn what_is_no_field_is_refused_with_those_there_are() {
        let answer = instances();
        let said = |asked: &str| answer.fields.chosen(asked).unwrap_err().detail().to_owned();
        assert!(said("nmae").contains("'nmae' is no field: there are addresses, "));
        assert!(said("addresses.mak").contains("there are address, mac, "));
        assert!(said("name.first").contains("nothing within"));
        assert!(said("").contains("'' is no field"));
    }

    #[test]
    fn the_rest_of_an_address_stays_as_it_is() {
        let uri: Uri = "/v1/ports?label=a%3Db&fields=id%2Cname&limit=2&fields=mac"
            .parse()
            .unwrap();
        let (fields, rest) = asked(&uri).unwrap();
        assert_eq!(
            (fields.as_str(), rest.to_string().as_str()),
            ("id,name,mac", "/v1/ports?label=a%3Db&limit=2")
        );
        assert_eq!(asked(&"/v1/ports?limit=2".parse().unwrap()), None);
    }
}
