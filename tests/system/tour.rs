//! README.md is true: its commands are run, and what it shows is what they print.
//!
//! Each section is acted on a host of its own (`script` says how a section is read, `matching` what counts as the same).
//! `UPDATE_README=1 cargo nextest run … tour::` writes what is printed now into the document instead of comparing it.

mod matching;
mod script;
mod shell;
mod stage;

use std::fs::File;
use std::path::{Path, PathBuf};

use berth_testkit::{Host, Libvirt};

use self::matching::{fits, renewed};
use self::script::{Part, Section, Step, read, rewrite};
use self::shell::Said;
use self::stage::Stage;

/// The sections, a test each.
macro_rules! sections {
    ($($test:ident: $title:literal,)*) => {
        const SECTIONS: &[&str] = &[$($title),*];
        $(#[test]
        fn $test() {
            act($title);
        })*
    };
}

sections! {
    a_tour: "A tour",
    volumes_and_snapshots: "Volumes and snapshots",
    networks: "Networks",
    images: "Images",
    projects: "Projects, users, tokens",
    usage: "Usage",
    quotas: "Quotas",
    watching_it: "Watching it",
    running_it_for_real: "Running it for real",
    from_elsewhere: "From elsewhere",
}

#[test]
fn every_section_that_shows_commands_is_acted() {
    let sections = read(&document());
    let titles: Vec<_> = sections.iter().map(|section| section.title.as_str()).collect();
    assert_eq!(titles, SECTIONS);
    for section in &sections {
        for part in &section.parts {
            if let Part::NotRun { reason } = part {
                println!("README, {}: a block isn't run: {reason}", section.title);
            }
        }
    }
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")
}

fn document() -> String {
    std::fs::read_to_string(path()).unwrap()
}

fn act(title: &str) {
    let sections = read(&document());
    let section = sections.iter().find(|section| section.title == title);
    let section = section.unwrap_or_else(|| panic!("there is no section '{title}'"));
    let update = std::env::var_os("UPDATE_README").is_some();
    let host = Host::new(Libvirt::Started);
    let (answers, differ) = perform(&host, section, update);
    println!("README, {title}: {} commands were run", answers.len());
    if update {
        // Sections are acted at the same time.
        let lock = File::open(path()).unwrap();
        lock.lock().unwrap();
        std::fs::write(path(), rewrite(&document(), title, &answers)).unwrap();
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

/// Acts a section: what is to be shown of each answer, and what differs from what is.
fn perform(host: &Host, section: &Section, update: bool) -> (Vec<Vec<String>>, Vec<String>) {
    let config = section.parts.iter().find_map(|part| match part {
        Part::Config(text) => Some(text.as_str()),
        _ => None,
    });
    let mut stage = Stage::new(host, config.unwrap_or_default());
    let (mut answers, mut differ) = (Vec::new(), Vec::new());
    for part in &section.parts {
        match part {
            Part::Config(_) | Part::NotRun { .. } => {}
            Part::Before(commands) => commands.iter().for_each(|command| stage.prepare(command)),
            Part::Toml { text, apply } => stage.configure(text, *apply),
            Part::Step(step) => {
                let enough = |said: &Said| as_shown(step, said) || (update && step.shown.is_empty() && said.success);
                let said = stage.type_in(step.elsewhere, &step.command, enough);
                let answer = renewed(&step.shown, &said.text);
                let right = as_shown(step, &said) || (update && fits(&answer, &said.text, step.numbers));
                if !right {
                    differ.push(difference(step, &said));
                }
                answers.push(answer);
            }
        }
    }
    (answers, differ)
}

fn difference(step: &Step, said: &Said) -> String {
    let (shown, how) = (step.shown.join("\n"), if said.success { "" } else { " (and fails)" });
    let Step { at, command, .. } = step;
    format!(
        "line {at}: {command}\n--- shown:\n{shown}\n--- printed{how}:\n{}",
        said.text
    )
}

/// Whether an answer is what is shown; a command fails where an error is shown, and only there.
fn as_shown(step: &Step, said: &Said) -> bool {
    let refused = step.shown.iter().any(|line| line.starts_with("error: "));
    let interrupted = step.command.contains("Ctrl-C");
    (said.success != refused || interrupted) && fits(&step.shown, &said.text, step.numbers)
}
