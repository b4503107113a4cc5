//! Tidiness that no lint knows of.

use std::path::{Path, PathBuf};

use crate::generated::root;

/// The longest a source file may be: the models we follow keep theirs near 200.
const LINES_MAX: usize = 400;

/// What is not left lying about, spelt so that this file does not have it.
const UNFINISHED: [&str; 4] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X:"),
    concat!("#[ign", "ore"),
];

fn sources(dir: &Path, found: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() && !path.ends_with("target") {
            sources(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    Ok(())
}

#[test]
fn every_source_file_says_what_it_is_and_is_short_and_finished() -> anyhow::Result<()> {
    let mut found = Vec::new();
    for dir in ["crates", "tests"] {
        sources(&root().join(dir), &mut found)?;
    }
    let mut untidy = Vec::new();
    for path in found {
        let text = std::fs::read_to_string(&path)?;
        let compile_fail = path.components().any(|part| part.as_os_str() == "ui");
        if !text.starts_with("//!") && !compile_fail {
            untidy.push(format!("{}: does not begin with what it is (//!)", path.display()));
        }
        if text.lines().count() > LINES_MAX {
            untidy.push(format!("{}: more than {LINES_MAX} lines", path.display()));
        }
        for word in UNFINISHED.iter().filter(|word| text.contains(**word)) {
            untidy.push(format!("{}: has {word}", path.display()));
        }
    }
    assert!(untidy.is_empty(), "untidy:\n{}", untidy.join("\n"));
    Ok(())
}

#[test]
fn links_of_documents_lead_somewhere() -> anyhow::Result<()> {
    let root = root();
    let mut documents = vec![root.join("README.md"), root.join("ARCHITECTURE.md")];
    for package in std::fs::read_dir(root.join("crates"))? {
        let docs = std::fs::read_dir(package?.path().join("docs"));
        documents.extend(docs.into_iter().flatten().flatten().map(|entry| entry.path()));
    }
    let mut broken = Vec::new();
    for document in documents {
        let text = std::fs::read_to_string(&document)?;
        for link in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split([')', ' ']).next())
        {
            let file = link.split('#').next().unwrap_or_default();
            let beside = document.parent().unwrap_or(Path::new("")).join(file);
            if !link.contains("://") && !file.is_empty() && !beside.exists() {
                broken.push(format!("{}: {link}", document.display()));
            }
        }
    }
    assert!(broken.is_empty(), "links to nowhere:\n{}", broken.join("\n"));
    Ok(())
}

#[test]
fn the_top_level_has_only_what_belongs_there() -> anyhow::Result<()> {
    let folders = ["crates", "images", "scripts", "tests", ".ci", ".git", "target"];
    for entry in std::fs::read_dir(root())? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        assert!(
            !entry.file_type()?.is_dir() || folders.contains(&name.as_str()),
            "{name}/ does not belong at the top"
        );
    }
    Ok(())
}
