//! Names, MAC addresses and codes: what is accepted is safe, what isn't is refused in words.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use berth_model::{Code, InstanceId, Mac, Name, default_catalog};
use proptest::prelude::*;

#[test]
fn hostile_names_are_refused() {
    let long = "x".repeat(300);
    let hostile = [
        "",
        "a/b",
        "a\nb",
        "../etc",
        "-rf",
        "a b",
        "é",
        "json:{}",
        "a:b",
        "x\0",
        "$(id)",
        "--",
        ".",
        long.as_str(),
    ];
    for name in hostile {
        assert!(name.parse::<Name>().is_err(), "{name:?} was taken as a name");
    }
    let id = InstanceId::new().to_string();
    assert!(id.parse::<Name>().is_err(), "a name may not look like an id");
}

#[test]
fn a_refused_name_says_what_would_be_right() {
    let message = "a/b".parse::<Name>().unwrap_err().to_string();
    assert_eq!(
        message,
        "a name has only letters a-z and A-Z, digits, '.', '_' and '-', and this one has '/'"
    );
}

#[test]
fn codes_are_distinct_and_map_to_errors() {
    let words: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(words.len(), Code::ALL.len());
    for code in Code::ALL {
        assert!((400..600).contains(&code.http()), "{code} is no HTTP error");
        assert_ne!(code.exit(), 0, "{code} would exit as a success");
        assert_eq!(serde_json::to_string(code).unwrap(), format!("\"{code}\""));
    }
}

#[test]
fn the_catalog_has_the_four_families_and_the_nano() {
    let catalog = default_catalog();
    let families: BTreeSet<_> = catalog.iter().map(berth_model::InstanceType::family).collect();
    assert_eq!(families, BTreeSet::from(["c2", "m2", "r2", "t1"]));
    let nano = catalog.iter().find(|entry| entry.name == "t1.nano").unwrap();
    assert_eq!((nano.vcpus, nano.memory.0), (1, 128));
}

proptest! {
    #[test]
    fn whatever_is_taken_as_a_name_is_safe(text in "\\PC{0,70}") {
        if let Ok(name) = text.parse::<Name>() {
            prop_assert!(name.as_str().len() <= Name::MAX);
            prop_assert!(name.hostname().chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'));
        }
    }

    #[test]
    fn mac_addresses_are_read_back(_ in 0..50) {
        let mac = Mac::random();
        prop_assert_eq!(mac.to_string().parse::<Mac>().unwrap(), mac);
        prop_assert!(mac.to_string().starts_with("52:54:00:"));
    }

    #[test]
    fn no_text_breaks_the_mac_parser(text in "\\PC{0,30}") {
        let _ = text.parse::<Mac>();
    }
}
