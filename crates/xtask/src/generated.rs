//! What is generated: parts of `ARCHITECTURE.md`, the OpenAPI document and its pages, and the example of a
//! configuration.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use berth_model::diagram;

use crate::pages;

/// A file, and what it should say.
pub(crate) struct Generated {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap_or(Path::new("."))
        .to_owned()
}

/// Every generated file.
pub(crate) fn all() -> anyhow::Result<Vec<Generated>> {
    let mut all = vec![architecture()?, openapi()?, configuration()];
    all.extend(pages::all()?);
    Ok(all)
}

fn architecture() -> anyhow::Result<Generated> {
    let path = root().join("ARCHITECTURE.md");
    let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let text = replace(&text, "matrix", &diagram::matrix())?;
    let text = replace(&text, "diagram", &format!("```mermaid\n{}```\n", diagram::mermaid()))?;
    Ok(Generated { path, text })
}

fn openapi() -> anyhow::Result<Generated> {
    let text = serde_json::to_string_pretty(&berth_api::openapi())? + "\n";
    Ok(Generated {
        path: root().join("crates/api/openapi.json"),
        text,
    })
}

fn configuration() -> Generated {
    Generated {
        path: root().join("crates/berthd/berthd.toml"),
        text: berthd::reference::example(),
    }
}

/// Puts `new` between the two comments that name the part.
fn replace(text: &str, part: &str, new: &str) -> anyhow::Result<String> {
    let (begin, end) = (format!("<!-- generated: {part} -->\n"), format!("<!-- end: {part} -->"));
    let (before, rest) = text.split_once(&begin).with_context(|| format!("no {begin:?}"))?;
    let (_, after) = rest.split_once(&end).with_context(|| format!("no {end:?}"))?;
    Ok(format!("{before}{begin}{new}{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_generated_is_current() -> anyhow::Result<()> {
        for file in all()? {
            let found = std::fs::read_to_string(&file.path).unwrap_or_default();
            assert!(
                found == file.text,
                "{} is not current: run 'cargo run -p xtask'",
                file.path.display()
            );
        }
        Ok(())
    }
}
