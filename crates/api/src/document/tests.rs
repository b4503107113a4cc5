//! What the document has to have, of each route alike.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use berth_api_types as types;
use serde_json::{Map, Value};

fn document() -> Value {
    serde_json::to_value(crate::openapi()).unwrap()
}

/// Every operation: what it is called in messages, and what is said of it.
fn operations(document: &Value) -> Vec<(String, &Value)> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            found.push((format!("{} {path}", method.to_uppercase()), operation));
        }
    }
    found
}

fn said(of: &Value, what: &str) -> bool {
    of[what].as_str().is_some_and(|words| !words.trim().is_empty())
}

/// What a reference refers to; anything else is itself.
fn resolved<'a>(document: &'a Value, at: &'a Value) -> &'a Value {
    match at["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
        None => at,
    }
}

#[test]
fn every_operation_has_its_words() {
    let document = document();
    let tags = document["tags"].as_array().unwrap();
    let tags: BTreeSet<_> = tags
        .iter()
        .filter(|tag| said(tag, "description"))
        .map(|tag| tag["name"].as_str().unwrap())
        .collect();
    let (mut ids, mut wrong) = (BTreeSet::new(), Vec::new());
    for (name, operation) in operations(&document) {
        for what in ["summary", "description", "operationId"] {
            if !said(operation, what) {
                wrong.push(format!("{name} has no {what}: write a comment at its function"));
            }
        }
        if !ids.insert(operation["operationId"].as_str().unwrap()) {
            wrong.push(format!(
                "{name}: {} is another one's operationId too: rename its function",
                operation["operationId"]
            ));
        }
        if !tags.contains(operation["tags"][0].as_str().unwrap_or_default()) {
            wrong.push(format!("{name} has no tag of document::resources"));
        }
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            if !said(parameter, "description") {
                wrong.push(format!(
                    "{name}: nothing is said of the parameter {}",
                    parameter["name"]
                ));
            }
        }
        for (status, response) in operation["responses"].as_object().unwrap() {
            if !said(resolved(&document, response), "description") {
                wrong.push(format!("{name}: nothing is said of its answer {status}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(ids.len() > 90);
}

#[test]
fn every_field_is_described() {
    let document = document();
    let mut wrong = Vec::new();
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        if !said(schema, "description") && !name.starts_with("Page_") {
            wrong.push(format!("nothing is said of {name}"));
        }
        fields(schema, &mut |field, schema| {
            let alternatives = schema["oneOf"].as_array().into_iter().flatten();
            // The word that tells one kind from the others says enough.
            let word = schema["enum"].as_array().is_some_and(|words| words.len() == 1);
            if !word && !said(schema, "description") && !alternatives.into_iter().any(|one| said(one, "description")) {
                wrong.push(format!("nothing is said of the field '{field}' of {name}"));
            }
        });
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Calls back for each field of a schema, those of its parts too.
fn fields(schema: &Value, told: &mut impl FnMut(&str, &Value)) {
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        told(name, field);
    }
    for parts in ["allOf", "oneOf"] {
        for part in schema[parts].as_array().into_iter().flatten() {
            fields(part, told);
        }
    }
}

/// What is wrong with an example, by the schema that it is one of.
fn differs(document: &Value, schema: &Value, example: &Value, at: &str) -> Vec<String> {
    let schema = resolved(document, schema);
    for several in ["oneOf", "anyOf"] {
        if let Some(all) = schema[several].as_array() {
            let each = all.iter().map(|one| differs(document, one, example, at));
            return each.min_by_key(Vec::len).unwrap_or_default();
        }
    }
    match example {
        Value::Object(object) => differs_as_object(document, schema, object, at),
        Value::Array(items) => {
            let each = items.iter().map(|item| differs(document, &schema["items"], item, at));
            each.flatten().collect()
        }
        Value::String(word) if schema["enum"].as_array().is_some_and(|words| !words.contains(example)) => {
            vec![format!("{at}: {word} is none of {}", schema["enum"])]
        }
        _ => Vec::new(),
    }
}

fn differs_as_object(document: &Value, schema: &Value, object: &Map<String, Value>, at: &str) -> Vec<String> {
    let (mut known, mut required) = (Map::new(), Vec::new());
    gather(document, schema, object, (&mut known, &mut required));
    let mut wrong = Vec::new();
    for name in required.into_iter().filter(|name| !object.contains_key(name)) {
        wrong.push(format!("{at} lacks '{name}'"));
    }
    if !known.is_empty() {
        for (name, value) in object {
            match known.get(name) {
                Some(schema) => wrong.extend(differs(document, schema, value, &format!("{at}.{name}"))),
                None => wrong.push(format!("{at} has no field '{name}'")),
            }
        }
    }
    wrong
}

/// The fields that an object of a schema has, and those that it must have: of the parts of it that it is.
fn gather(
    document: &Value,
    schema: &Value,
    object: &Map<String, Value>,
    to: (&mut Map<String, Value>, &mut Vec<String>),
) {
    let schema = resolved(document, schema);
    let (known, required) = to;
    known.extend(schema["properties"].as_object().cloned().into_iter().flatten());
    let must = schema["required"].as_array().into_iter().flatten();
    required.extend(must.filter_map(|name| name.as_str().map(str::to_owned)));
    for part in schema["allOf"].as_array().into_iter().flatten() {
        gather(document, part, object, (known, required));
    }
    // Of several kinds it is the one whose word it has.
    let mut kinds = schema["oneOf"].as_array().into_iter().flatten();
    let is = |kind: &&Value| {
        kind["properties"]["kind"]["enum"]
            .as_array()
            .is_some_and(|of| of.contains(&object["kind"]))
    };
    if let Some(kind) = kinds.find(is) {
        gather(document, kind, object, (known, required));
    }
}

#[test]
fn every_body_has_an_example_that_its_schema_allows() {
    let document = document();
    let mut wrong = Vec::new();
    for (name, operation) in operations(&document) {
        let answers = operation["responses"].as_object().unwrap();
        let answers = answers
            .iter()
            .filter(|(status, _)| status.starts_with('2'))
            .map(|(_, answer)| answer);
        for body in answers.chain([&operation["requestBody"]]) {
            for (kind, content) in body["content"].as_object().into_iter().flatten() {
                // Files have no example that would say more.
                if kind == "application/octet-stream" {
                    continue;
                }
                let example = resolved(&document, &content["examples"]["example"]);
                if example["value"].is_null() {
                    let schema = &content["schema"];
                    wrong.push(format!(
                        "{name} has no example of {schema}: add one by that name to crates/api/examples/*.json"
                    ));
                }
                wrong.extend(differs(&document, &content["schema"], &example["value"], &name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Reads each example of a request as what the daemon reads it as.
macro_rules! read {
    ($($request:ident),+ $(,)?) => {
        fn read(name: &str, example: &Value) -> Option<Result<(), serde_json::Error>> {
            match name {
                $(stringify!($request) => {
                    Some(serde_json::from_value::<types::$request>(example.clone()).map(drop))
                })+
                _ => None,
            }
        }
    };
}

read!(
    CreateInstances,
    StopInstance,
    RebootInstance,
    ResizeInstance,
    CreateVolume,
    ChangeVolume,
    AttachVolume,
    DetachVolume,
    ExtendVolume,
    SaveVolume,
    CreateSnapshot,
    SnapshotInstance,
    ImageSettings,
    PullImage,
    CreateKeyPair,
    CreateVpc,
    ChangeVpc,
    CreateSubnet,
    ChangeSubnet,
    CreateSecurityGroup,
    ChangeSecurityGroup,
    CreateRule,
    CreatePort,
    ChangePort,
    AttachPort,
    AllocatePublicIp,
    AttachPublicIp,
    GivePublicIp,
    CreateProject,
    ChangeProject,
    SetMember,
    CreateToken,
    ChangeQuota,
    ChangeLabels,
);

#[test]
fn every_example_of_a_request_is_read() {
    let document = document();
    let mut wrong = Vec::new();
    for (name, operation) in operations(&document) {
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        let Some(schema) = schema["$ref"].as_str().and_then(|of| of.rsplit('/').next()) else {
            continue;
        };
        match read(schema, &super::examples::all()[schema]) {
            Some(Ok(())) => {}
            Some(Err(error)) => wrong.push(format!("{name}: {error}")),
            None => wrong.push(format!("{name}: add {schema} to what `read!` reads")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
