//! What an operator writes, and what becomes of it.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::Write as _;

use clap::Parser as _;
use serde::Serialize;
use tempfile::NamedTempFile;

use super::*;
use crate::key::{Key, Kind};
use crate::keys;

/// A daemon as it would be started with that file, those variables and flags.
fn load(file: &str, variables: &[(&str, &str)], flags: &[&str]) -> Result<Config, String> {
    let mut written = NamedTempFile::new().unwrap();
    written.write_all(file.as_bytes()).unwrap();
    let path = written.path().to_str().unwrap();
    let flags = crate::Cli::parse_from(["berthd", "--config", path].iter().chain(flags)).flags;
    let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
    Config::read(&flags, variables).map_err(|failure| failure.to_string().replace(path, "FILE"))
}

#[test]
fn without_a_word_of_the_operator_the_engine_has_its_own_defaults() {
    let mut settings = load("", &[], &[]).unwrap().engine;
    assert!(!settings.catalog.entries().is_empty(), "the built-in catalog is empty");
    settings.catalog = berth_model::Catalog::default();
    let defaults = berth_engine::Settings::default();
    assert_eq!(format!("{settings:?}"), format!("{defaults:?}"));
}

#[test]
fn the_environment_wins_over_the_file_and_a_flag_over_both() {
    let file = "stop_grace = 7\nstate_dir = '/file'\nlog.format = 'json'\n";
    let variables = [
        ("BERTHD_STATE_DIR", "/variable"),
        ("BERTHD_LOG__FILTER", "debug"),
        ("BERTHD_PUBLIC_IP_POOLS", "[{ name = 'a', ranges = ['203.0.113.9'] }]"),
        ("BERTHD_FETCH_PRIVATE", "true"),
        ("PATH", "/bin"),
    ];
    let config = load(file, &variables, &["--state-dir", "/flag"]).unwrap();
    assert_eq!(config.state_dir, Path::new("/flag"));
    assert_eq!(config.database, Database::Sqlite("/flag/berth.db".into()));
    assert_eq!(config.engine.stop_grace, Duration::from_secs(7));
    assert_eq!(config.engine.reboot_grace, Duration::from_mins(2));
    assert_eq!(config.log_filter, "debug");
    assert!(matches!(config.log_format, LogFormat::Json));
    assert_eq!(config.engine.pools[0].name, "a");
    assert!(config.engine.fetch.allow_private);
    assert_eq!(
        load(file, &variables[..1], &[]).unwrap().state_dir,
        Path::new("/variable")
    );
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_what_would_be_right() {
    let cases = [
        (
            "\nstop_grase = 3",
            "FILE, line 2: 'stop_grase' is no key: did you mean 'stop_grace'?",
        ),
        ("colour = 'red'", "FILE, line 1: 'colour' is no key: see berthd.toml(5)"),
        (
            "[log]\nfiltre = 'x'",
            "FILE, line 2: 'log.filtre' is no key: did you mean 'filter'?",
        ),
        (
            "[[volume_types]]\nname = 'a'\niobs = 3",
            "FILE, line 3: 'volume_types.iobs' is no key: did you mean 'iops'?",
        ),
        (
            "\n\nstop_grace = 'soon'",
            "FILE, line 3: invalid type: string \"soon\", expected u64 in `stop_grace`",
        ),
        (
            "stop_grace = -1",
            "FILE, line 1: invalid value: integer `-1`, expected u64 in `stop_grace`",
        ),
        (
            "log = 3",
            "FILE, line 1: invalid type: integer `3`, expected a table in `log`",
        ),
        ("stop_grace = 3\nstop_grace = 4", "FILE, line 2: duplicate key"),
        (
            "subnet = 10",
            "FILE, line 1: invalid type: integer `10`, expected IPv4 network address in `subnet`",
        ),
        ("state_dir = 'here'", "state_dir: 'here' is not an absolute path"),
    ];
    for (file, told) in cases {
        assert_eq!(load(file, &[], &[]).unwrap_err(), told, "{file}");
    }
    let told = load("log.filter = 'loud=very'", &[], &[]).unwrap_err();
    assert!(
        told.starts_with("log.filter: 'loud=very': error parsing level filter"),
        "{told}"
    );
    let cases = [
        (
            "BERTHD_STOP_GRASE",
            "3",
            "BERTHD_STOP_GRASE: sets no key: did you mean 'BERTHD_STOP_GRACE'?",
        ),
        (
            "BERTHD_STOP_GRACE",
            "'3'",
            "BERTHD_STOP_GRACE: invalid type: string \"3\", expected u64 in `stop_grace`",
        ),
        (
            "BERTHD_LOG__FORMAT",
            "xml",
            "BERTHD_LOG__FORMAT: unknown variant `xml`, expected `text` or `json` in `log.format`",
        ),
    ];
    for (name, value, told) in cases {
        assert_eq!(load("", &[(name, value)], &[]).unwrap_err(), told, "{name}={value}");
    }
}

#[test]
fn the_example_says_nothing_as_it_is_and_every_key_once_its_marks_are_taken_away() {
    let example = crate::reference::example();
    assert!(example.parse::<Table>().unwrap().is_empty());
    let lines = example.lines().map(|line| {
        let is_key = line.starts_with('#') && !line.starts_with("# ") && line.len() > 1;
        if is_key { &line[1..] } else { line }
    });
    let written = lines
        .collect::<Vec<_>>()
        .join("\n")
        .replace("\ncatalog = ", "\n# catalog = ");
    // Files that aren't there are read by who takes the values.
    let written = written.replace("\nca = ", "\n# ca = ");
    let config = load(&written, &[], &[]).unwrap();
    for leaf in keys::leaves()
        .iter()
        .filter(|leaf| !["catalog", "ca"].contains(&leaf.key.name))
    {
        assert!(layers::get(&config.table, &leaf.path).is_some(), "{}", leaf.dotted());
    }
    let file = layers::parse(&config.table).unwrap();
    let quotas = config.table["quotas"].as_table().unwrap();
    assert_eq!(quotas.len(), berth_model::Resource::ALL.len());
    complete("types", &berth_model::default_catalog());
    complete("volume_types", &file.volume_types);
    complete("public_ip_pools", &file.public_ip_pools);
}

/// The example has all that serde knows of what is in a list, or a key would be refused that there is.
fn complete(name: &str, entries: &[impl Serialize]) {
    let key = File::KEYS.iter().find(|key| key.name == name).unwrap();
    let Kind::Tables(listed) = key.kind else {
        panic!("{name} is no list of tables")
    };
    let names = |keys: &[Key]| keys.iter().map(|key| key.name.to_owned()).collect::<Vec<_>>();
    let mut listed = names(listed);
    let mut known: Vec<_> = Table::try_from(&entries[0]).unwrap().keys().cloned().collect();
    listed.sort();
    known.sort();
    assert_eq!(listed, known, "{name}");
}
