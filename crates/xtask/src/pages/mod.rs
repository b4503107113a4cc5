//! The reference of the API: a page a resource, made of the OpenAPI document and nothing else.
//!
//! ```text
//!   tags ──────────▶ a page each: what it is, its operations, the fields of what they take and show
//!   schemas ───────▶ a table on the page of what it is about; others refer to it
//!   the rest ──────▶ README.md: what all requests and answers have in common, and every error
//! ```

mod schema;

use std::fmt::Write as _;
use std::path::PathBuf;

use berth_model::Code;
use serde_json::Value;

use crate::generated::{Generated, root};
use schema::{Schemas, cell, object, text};

/// What stands on the first page.
const FRONT: &str = "# The API\n\nHTTP/1.1 and JSON, over the daemon's socket or TLS. These pages are generated from \
the daemon's own document, which it serves at `/v1/openapi.json`: `cargo run -p xtask` writes them.\n";

/// What holds everywhere, and no route says by itself.
const EVERYWHERE: &str = "## What holds everywhere

- **Errors** are problems (RFC 9457, `application/problem+json`) with a stable `code`, and the `field` that is wrong.
- **Every answer** has an `X-Request-Id`, which the audit log has too.
- **What is read has an `ETag`.** With `If-None-Match` it is answered 304 while it is still that. A change with `If-Match`
  is refused with 412 once what it is about is another; nobody else changes it in between. Readings of the moment (`as_of`,
  `counters`, `last_used_at`, free bytes of the host) are no part of it.
- **`Idempotency-Key`**: a request that begins operations and is sent again with its key begins nothing more.
- **Answers in text are packed** for who sends `Accept-Encoding: gzip`, from 1 KiB on. Requests are not taken packed.
- **Limits**: 64 KiB of headers, or twice that if they come at once (431), 4 MiB of JSON (413), 30 s for the headers and 60 s for each next part of a body (408).
";

/// Where the pages are.
pub(crate) fn dir() -> PathBuf {
    root().join("crates/api/docs")
}

/// Every page.
pub(crate) fn all() -> anyhow::Result<Vec<Generated>> {
    let document = serde_json::to_value(berth_api::openapi())?;
    let schemas = Schemas::of(&document);
    let mut pages = vec![page("README", front(&document, &schemas)?)];
    for tag in document["tags"].as_array().into_iter().flatten() {
        pages.push(page(text(&tag["name"]), resource(&document, &schemas, tag)?));
    }
    Ok(pages)
}

fn page(name: &str, text: String) -> Generated {
    let path = dir().join(format!("{name}.md"));
    Generated { path, text }
}

fn front(document: &Value, schemas: &Schemas<'_>) -> anyhow::Result<String> {
    let mut out = format!("{FRONT}\n| resource | what it is |\n|---|---|\n");
    for tag in document["tags"].as_array().into_iter().flatten() {
        let name = text(&tag["name"]);
        writeln!(out, "| [{name}]({name}.md) | {} |", cell(&tag["description"]))?;
    }
    write!(out, "\n{EVERYWHERE}\n## Errors\n\n")?;
    writeln!(out, "| code | HTTP | exit code of `berth` |\n|---|---|---|")?;
    for code in Code::ALL {
        writeln!(out, "| `{code}` | {} | {} |", code.http(), code.exit())?;
    }
    writeln!(out, "\n## Problem\n\n{}", schemas.table("Problem", "README"))?;
    writeln!(out, "## Texts\n\n| type | what it is |\n|---|---|")?;
    for (name, about) in schemas.texts() {
        writeln!(out, "| <a id=\"{}\"></a>{name} | {about} |", name.to_lowercase())?;
    }
    Ok(out)
}

fn resource(document: &Value, schemas: &Schemas<'_>, tag: &Value) -> anyhow::Result<String> {
    let name = text(&tag["name"]);
    let mut out = format!(
        "# {name}\n\n{}\n\n[All resources](README.md)\n",
        text(&tag["description"])
    );
    for (path, item) in object(&document["paths"]) {
        for (method, said) in object(item).filter(|(_, said)| said["tags"][0] == *name) {
            let title = format!("{} {path}", method.to_uppercase());
            operation(&mut out, document, schemas, (&title, said), name)?;
        }
    }
    for schema in schemas.at_home(name) {
        write!(out, "\n## {schema}\n\n{}", schemas.table(schema, name))?;
    }
    Ok(out)
}

fn operation(
    out: &mut String,
    document: &Value,
    schemas: &Schemas<'_>,
    (title, said): (&str, &Value),
    page: &str,
) -> anyhow::Result<()> {
    writeln!(
        out,
        "\n## {}\n\n`{title}` · `{}`\n",
        text(&said["summary"]),
        text(&said["operationId"])
    )?;
    writeln!(out, "{}", text(&said["description"]))?;
    let parameters: Vec<_> = said["parameters"].as_array().into_iter().flatten().collect();
    if !parameters.is_empty() {
        writeln!(out, "\n| parameter | in | type | what it is |\n|---|---|---|---|")?;
    }
    for one in parameters {
        let (name, at) = (text(&one["name"]), text(&one["in"]));
        let kind = schemas.kind(&one["schema"], page);
        writeln!(out, "| `{name}` | {at} | {kind} | {} |", cell(&one["description"]))?;
    }
    body(out, document, schemas, ("Takes", &said["requestBody"]), page)?;
    for (status, answer) in object(&said["responses"]) {
        // The others are the same everywhere.
        if status.starts_with(['1', '2']) {
            body(out, document, schemas, (&format!("Answers {status}"), answer), page)?;
        }
    }
    Ok(())
}

/// What is taken or answered, with its example.
fn body(
    out: &mut String,
    document: &Value,
    schemas: &Schemas<'_>,
    (what, said): (&str, &Value),
    page: &str,
) -> anyhow::Result<()> {
    if said.is_null() {
        return Ok(());
    }
    if object(&said["content"]).next().is_none() {
        writeln!(out, "\n**{what}**: {}", text(&said["description"]))?;
    }
    for (media, content) in object(&said["content"]) {
        let kind = schemas.kind(&content["schema"], page);
        writeln!(out, "\n**{what}** {kind} (`{media}`)")?;
        let example = &content["examples"]["example"];
        let example = match example["$ref"].as_str() {
            Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap_or(example),
            None => example,
        };
        match &example["value"] {
            Value::Null => {}
            Value::String(text) => writeln!(out, "\n```text\n{}\n```", text.trim_end())?,
            value => writeln!(out, "\n```json\n{}\n```", serde_json::to_string_pretty(value)?)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn there_are_no_other_pages() -> anyhow::Result<()> {
        let wanted: BTreeSet<_> = all()?.into_iter().map(|page| page.path).collect();
        let found = std::fs::read_dir(dir())?.map(|entry| entry.map(|entry| entry.path()));
        assert_eq!(found.collect::<Result<BTreeSet<_>, _>>()?, wanted);
        Ok(())
    }
}
