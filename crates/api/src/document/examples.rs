//! Examples of bodies, both ways: kept as JSON beside the document (`crates/api/examples`), each under the name of its
//! schema, or of its operation if it is no JSON. They tell of one small world: who knows one knows the others.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use utoipa::openapi::example::{Example, ExampleBuilder};
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::{ArrayItems, Schema};
use utoipa::openapi::{Content, OpenApi, Ref, RefOr};

use super::every;

const FILES: [&str; 5] = [
    include_str!("../../examples/instances.json"),
    include_str!("../../examples/storage.json"),
    include_str!("../../examples/networks.json"),
    include_str!("../../examples/access.json"),
    include_str!("../../examples/host.json"),
];

/// What a page of a list is called, before what it lists.
const PAGE: &str = "Page_";

/// Every example, by its name.
pub(super) fn all() -> BTreeMap<String, Value> {
    let files = FILES.iter().map(|file| serde_json::from_str::<BTreeMap<_, _>>(file));
    files.flat_map(Result::unwrap_or_default).collect()
}

/// Gives each body its example.
pub(super) fn describe(document: &mut OpenApi) {
    let examples = all();
    for (_, operation) in every(document) {
        let id = operation.operation_id.clone().unwrap_or_default();
        for (kind, content) in bodies(operation) {
            if let Some(example) = example_of(&examples, &id, kind, content) {
                content.examples.insert("example".to_owned(), example);
            }
        }
    }
    let components = document.components.get_or_insert_default();
    for response in components.responses.values_mut() {
        if let RefOr::T(response) = response {
            for (_, content) in response.content.iter_mut().filter_map(own) {
                content.examples.insert("example".to_owned(), referred("Problem"));
            }
        }
    }
    let named = |(name, value)| (name, RefOr::T(shown(value)));
    components.examples = examples.into_iter().map(named).collect();
}

/// What an operation takes, and what it answers with if all is well, each with its media type.
pub(super) fn bodies(operation: &mut Operation) -> Vec<(&str, &mut Content)> {
    let mut found = Vec::new();
    if let Some(RefOr::T(body)) = &mut operation.request_body {
        found.extend(body.content.iter_mut().filter_map(own));
    }
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && status.starts_with('2')
        {
            found.extend(response.content.iter_mut().filter_map(own));
        }
    }
    found
}

fn own<'a>((kind, content): (&'a String, &'a mut RefOr<Content>)) -> Option<(&'a str, &'a mut Content)> {
    match content {
        RefOr::T(content) => Some((kind, content)),
        RefOr::Ref(_) => None,
    }
}

fn example_of(examples: &BTreeMap<String, Value>, id: &str, kind: &str, content: &Content) -> Option<RefOr<Example>> {
    if kind != "application/json" {
        return examples.contains_key(id).then(|| referred(id));
    }
    match content.schema.as_ref()? {
        RefOr::Ref(of) => {
            let name = of.ref_location.rsplit('/').next()?;
            match name.strip_prefix(PAGE) {
                Some(item) => Some(RefOr::T(shown(json!({ "items": [examples.get(item)?] })))),
                None => examples.contains_key(name).then(|| referred(name)),
            }
        }
        RefOr::T(Schema::Array(list)) => {
            let ArrayItems::RefOrSchema(item) = &list.items else {
                return None;
            };
            let RefOr::Ref(of) = item.as_ref() else { return None };
            let item = examples.get(of.ref_location.rsplit('/').next()?)?;
            Some(RefOr::T(shown(json!([item]))))
        }
        RefOr::T(_) => None,
    }
}

fn shown(value: Value) -> Example {
    ExampleBuilder::new().value(Some(value)).build()
}

fn referred(name: &str) -> RefOr<Example> {
    RefOr::Ref(Ref::new(format!("#/components/examples/{name}")))
}
