//! Schemas as tables of fields, each on one page.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// The schemas of a document, and the page that each is on.
pub(super) struct Schemas<'a> {
    schemas: &'a Value,
    homes: BTreeMap<&'a str, &'a str>,
}

impl<'a> Schemas<'a> {
    /// What is shown by a GET is at home with it; else it is where it is used first, in the order of the tags.
    pub(super) fn of(document: &'a Value) -> Self {
        let mut found = Self {
            schemas: &document["components"]["schemas"],
            homes: BTreeMap::from([("Problem", "README")]),
        };
        let tags: Vec<_> = document["tags"].as_array().into_iter().flatten().collect();
        let operations = || object(&document["paths"]).flat_map(|(_, item)| object(item));
        for shown_only in [true, false] {
            for tag in &tags {
                let of_tag = |(_, said): &(_, &Value)| said["tags"][0] == tag["name"];
                for (method, said) in operations().filter(of_tag) {
                    let shown = object(&said["responses"]).map(|(_, answer)| answer);
                    let taken = (!shown_only).then_some(&said["requestBody"]);
                    let bodies = shown.filter(|_| method == "get" || !shown_only).chain(taken);
                    let schemas = bodies
                        .flat_map(|body| object(&body["content"]))
                        .map(|(_, of)| &of["schema"]);
                    for schema in schemas {
                        found.settle(schema, text(&tag["name"]), shown_only);
                    }
                }
            }
        }
        found
    }

    /// Has a schema, and those that it is made of, at home on a page, unless they have one.
    fn settle(&mut self, schema: &'a Value, page: &'a str, itself_only: bool) {
        let mut seen = BTreeSet::new();
        let mut next = references(schema);
        while let Some(name) = next.pop() {
            let whole = &self.schemas[name];
            if !seen.insert(name) || whole["type"] == "string" {
                continue;
            }
            let list = name.starts_with("Page_");
            if !list {
                self.homes.entry(name).or_insert(page);
            }
            if list || !itself_only {
                next.extend(references(whole));
            }
        }
    }

    /// The schemas that are on a page.
    pub(super) fn at_home(&self, page: &str) -> Vec<&'a str> {
        let homes = self.homes.iter().filter(|(_, home)| **home == page);
        homes.map(|(name, _)| *name).collect()
    }

    /// Texts that have a name, and what they are.
    pub(super) fn texts(&self) -> impl Iterator<Item = (&'a str, String)> {
        let texts = object(self.schemas).filter(|(_, schema)| schema["type"] == "string");
        texts.map(|(name, schema)| {
            let words: Vec<_> = schema["enum"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|word| format!("`{}`", text(word)))
                .collect();
            let words = if words.is_empty() {
                String::new()
            } else {
                format!(" One of {}.", words.join(", "))
            };
            (name, cell(&schema["description"]) + &words)
        })
    }

    /// What a value is, in a few words, with a reference to where that is told.
    pub(super) fn kind(&self, schema: &Value, page: &str) -> String {
        if let Some(name) = schema["$ref"].as_str().and_then(|of| of.rsplit('/').next()) {
            return self.named(name, page);
        }
        if let Some(several) = schema["oneOf"].as_array() {
            let kinds: Vec<_> = several.iter().map(|one| self.kind(one, page)).collect();
            return kinds.join(" or ");
        }
        let plain = match &schema["type"] {
            Value::Array(several) => several.iter().map(text).collect::<Vec<_>>().join(" or "),
            one => text(one).to_owned(),
        };
        match plain.as_str() {
            "array" => format!("list of {}", self.kind(&schema["items"], page)),
            "object" if schema["additionalProperties"].is_object() => {
                format!("map to {}", self.kind(&schema["additionalProperties"], page))
            }
            _ => plain + &bounds(schema),
        }
    }

    fn named(&self, name: &str, page: &str) -> String {
        if let Some(item) = name.strip_prefix("Page_") {
            return format!("page of {}", self.named(item, page));
        }
        let anchor = name.to_lowercase();
        let home = self.homes.get(name).copied().unwrap_or("README");
        if home == page {
            format!("[{name}](#{anchor})")
        } else {
            format!("[{name}]({home}.md#{anchor})")
        }
    }

    /// The fields of a schema.
    pub(super) fn table(&self, name: &str, page: &str) -> String {
        let schema = &self.schemas[name];
        let mut out = format!("{}\n", text(&schema["description"]));
        let words: Vec<_> = schema["enum"].as_array().into_iter().flatten().collect();
        for word in words {
            out.push_str(&format!("\n- `{}`", text(word)));
        }
        for kind in schema["oneOf"].as_array().into_iter().flatten() {
            out.push_str(&format!(
                "\n- {}: {}",
                self.kind(kind, page),
                text(&kind["description"])
            ));
        }
        let mut rows = Vec::new();
        self.rows(schema, page, &mut rows);
        if !rows.is_empty() {
            out.push_str("\n| field | type | what it is |\n|---|---|---|\n");
            out.push_str(&rows.join(""));
        } else if !out.ends_with('\n') {
            out.push('\n');
        }
        out
    }

    fn rows(&self, schema: &Value, page: &str, rows: &mut Vec<String>) {
        let required = |name: &str| {
            schema["required"]
                .as_array()
                .is_some_and(|all| all.iter().any(|one| *one == *name))
        };
        for (name, field) in object(&schema["properties"]) {
            let kind = self.kind(field, page);
            let mark = if required(name) { "" } else { "?" };
            let inner = field["oneOf"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|one| &one["description"]);
            let said = [&field["description"]]
                .into_iter()
                .chain(inner)
                .find(|said| said.is_string());
            rows.push(format!(
                "| `{name}`{mark} | {kind} | {} |\n",
                cell(said.unwrap_or(&Value::Null))
            ));
        }
        for part in schema["allOf"].as_array().into_iter().flatten() {
            match part["$ref"].as_str().and_then(|of| of.rsplit('/').next()) {
                Some(name) => rows.push(format!(
                    "| … | {} | {} |\n",
                    self.named(name, page),
                    cell(&part["description"])
                )),
                None => self.rows(part, page, rows),
            }
        }
    }
}

/// Between which bounds a number is, if there are any.
fn bounds(schema: &Value) -> String {
    match (&schema["minimum"], &schema["maximum"]) {
        (Value::Number(least), Value::Number(most)) => format!(", {least} to {most}"),
        _ => String::new(),
    }
}

/// Every schema that is named in there.
fn references(schema: &Value) -> Vec<&str> {
    match schema {
        Value::Object(fields) => {
            let own = schema["$ref"].as_str().and_then(|of| of.rsplit('/').next());
            own.into_iter().chain(fields.values().flat_map(references)).collect()
        }
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

/// The entries of an object, in their order.
pub(super) fn object(of: &Value) -> impl Iterator<Item = (&str, &Value)> {
    of.as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.as_str(), value))
}

/// A text as it is.
pub(super) fn text(of: &Value) -> &str {
    of.as_str().unwrap_or_default()
}

/// A text as a cell of a table.
pub(super) fn cell(of: &Value) -> String {
    text(of).replace('\n', " ").replace('|', "\\|")
}
