//! The commands that documents speak of are commands there are: each is parsed by the table of the command line.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};

use clap::Parser as _;
use clap::error::ErrorKind;

use crate::cli::Cli;

/// Documents, from the root of the repository.
const DOCUMENTS: [&str; 5] = [
    "README.md",
    "crates/berth/docs/coming-from.md",
    "crates/berthd/docs/operations.md",
    "crates/berthd/docs/security.md",
    "crates/berthd/docs/usage.md",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What stands between backticks and begins with `berth `, and the lines that are indented as commands.
fn commands(text: &str) -> Vec<String> {
    let marked = text.split('`').skip(1).step_by(2);
    let indented = text.lines().filter_map(|line| line.strip_prefix("    "));
    let commands = marked.chain(indented).filter(|text| text.starts_with("berth "));
    commands
        .map(|text| {
            text.split(['#', '|', '\n'])
                .next()
                .unwrap_or_default()
                .trim()
                .to_owned()
        })
        .collect()
}

/// Why a command can't be typed; one that is only named, without what it is to be done to, can.
fn wrong(command: &str, whole: bool) -> Option<String> {
    let error = Cli::try_parse_from(command.split_whitespace()).err()?;
    let named = [
        ErrorKind::MissingRequiredArgument,
        ErrorKind::MissingSubcommand,
        ErrorKind::DisplayHelp,
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand,
    ];
    let fine = error.kind() == ErrorKind::DisplayHelp || (!whole && named.contains(&error.kind()));
    (!fine).then(|| format!("{command}: {error}"))
}

#[test]
fn commands_in_documents_are_commands_there_are() {
    let mut found = Vec::new();
    let mut count = 0;
    for document in DOCUMENTS {
        let text = std::fs::read_to_string(root().join(document)).unwrap();
        let side_by_side = document.ends_with("coming-from.md");
        for command in commands(&text) {
            count += 1;
            found.extend(wrong(&command, side_by_side).map(|why| format!("{document}: {why}")));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert!(count > 80, "only {count} commands were found");
}

#[test]
fn a_command_that_is_none_is_found() {
    assert_eq!(
        commands("type `berth image list`, not `ls`\n    berth vpc list # all\n"),
        ["berth image list", "berth vpc list"]
    );
    assert!(wrong("berth image lst", false).is_some() && wrong("berth instance list --al", false).is_some());
    assert!(wrong("berth instance show", true).is_some() && wrong("berth instance show", false).is_none());
    assert_eq!(wrong("berth instance show web", true), None);
}
