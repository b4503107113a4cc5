//! What guests are told: the documents as they were reviewed, and listings that promise nothing that isn't there.

#![allow(clippy::unwrap_used, reason = "tests")]

use berth_model::metadata::{GuestFacts, GuestKey, GuestNic, answer, config_drive};
use berth_model::{ImageId, InstanceId, PortId, SubnetId, VpcId};
use proptest::prelude::*;
use uuid::Uuid;

fn id<I: From<Uuid>>(number: u128) -> I {
    Uuid::from_u128(0x0198_f3c2_7a10_7e1b_9d0a_0000_0000_0000 | number).into()
}

fn nic(number: u8, public: bool) -> GuestNic {
    GuestNic {
        mac: format!("52:54:00:00:00:{number:02x}").parse().unwrap(),
        address: [10, 0, number, 5].into(),
        cidr: format!("10.0.{number}.0/24").parse().unwrap(),
        gateway: [10, 0, number, 1].into(),
        mtu: 1450,
        primary: number == 0,
        public: public.then(|| [198, 51, 100, number].into()),
        port: id::<PortId>(0x10 + u128::from(number)),
        subnet: id::<SubnetId>(0x20 + u128::from(number)),
        vpc: id::<VpcId>(0x30),
        security_groups: vec!["default".to_owned(), "web".to_owned()],
    }
}

fn facts() -> GuestFacts {
    GuestFacts {
        id: id::<InstanceId>(1),
        name: "Web_1".to_owned(),
        hostname: "web-1".to_owned(),
        project: "default".to_owned(),
        instance_type: "t1.nano".to_owned(),
        image: id::<ImageId>(2),
        keys: vec![GuestKey {
            name: "laptop".to_owned(),
            public_key: "ssh-ed25519 AAAA you@host\"\nuuid: evil".to_owned(),
        }],
        user_data: Some(b"#!/bin/sh\n\xff".to_vec()),
        nics: vec![nic(0, true), nic(1, false)],
    }
}

fn text(facts: &GuestFacts, path: &str) -> Option<String> {
    answer(facts, path).map(|answer| String::from_utf8_lossy(&answer.body).into_owned())
}

fn pretty(document: &[u8]) -> String {
    serde_json::to_string_pretty(&serde_json::from_slice::<serde_json::Value>(document).unwrap()).unwrap()
}

#[test]
fn the_files_of_a_config_drive_are_the_reviewed_ones() {
    let drive = config_drive(&facts());
    let show = |(path, bytes): &(String, Vec<u8>)| match path.strip_suffix(".json") {
        Some(_) => format!("== {path}\n{}", pretty(bytes)),
        None => format!("== {path}\n{bytes:?}"),
    };
    insta::assert_snapshot!(drive.iter().map(show).collect::<Vec<_>>().join("\n"));
    let meta_data = &drive[0];
    assert_eq!(meta_data.0, "openstack/latest/meta_data.json");
    assert!(
        meta_data
            .1
            .starts_with(br#"{"uuid":"0198f3c2-7a10-7e1b-9d0a-000000000001","hostname":"web-1","#)
    );
}

#[test]
fn every_path_and_its_answer_are_the_reviewed_ones() {
    let facts = facts();
    let mut shown = String::new();
    for path in paths(&facts, "/latest/") {
        shown += &format!("{path} = {:?}\n", text(&facts, &path).unwrap());
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn what_a_drive_says_the_service_says() {
    let facts = facts();
    let of_openstack = |(path, _): &(String, Vec<u8>)| path.starts_with("openstack/");
    for (path, bytes) in config_drive(&facts).into_iter().filter(of_openstack) {
        let dated = path.replace("latest", "2018-08-27");
        for asked in [path, dated] {
            assert_eq!(answer(&facts, &format!("/{asked}")).unwrap().body, bytes, "{asked}");
        }
    }
}

#[test]
fn slashes_too_many_are_none() {
    let facts = facts();
    for path in ["/latest/meta-data/mac", "//latest//meta-data///mac/"] {
        assert_eq!(text(&facts, path).unwrap(), "52:54:00:00:00:00");
    }
    for path in ["/latest/meta-data", "/2009-04-04/meta-data/"] {
        assert!(text(&facts, path).unwrap().contains("public-keys/\n"), "{path}");
    }
    assert_eq!(text(&facts, "/"), text(&facts, "//"));
    assert_eq!(text(&facts, "/openstack"), text(&facts, "/openstack/"));
    assert_eq!(text(&facts, "/latest/meta-data/public-keys/").unwrap(), "0=laptop");
}

#[test]
fn what_there_is_not_is_not_answered() {
    let none = GuestFacts {
        keys: Vec::new(),
        user_data: None,
        nics: Vec::new(),
        ..facts()
    };
    for path in [
        "",
        "*",
        "latest",
        "/latest/..",
        "/1.0",
        "/latest/user-data",
        "/openstack/latest/user_data",
        "/openstack/latest/password",
        "/latest/meta-data/mac",
        "/latest/meta-data/network/",
        "/latest/meta-data/public-keys/",
        "/latest/meta-data/public-hostname",
        "/latest/meta-data/instance-id/more",
        "/latest/dynamic/instance-identity/document",
    ] {
        assert_eq!(text(&none, path), None, "{path}");
    }
    assert!(!text(&none, "/latest/").unwrap().contains("user-data"));
}

/// The paths of all files below a directory, as its listings name them.
fn paths(facts: &GuestFacts, directory: &str) -> Vec<String> {
    let listing = text(facts, directory).unwrap_or_else(|| panic!("{directory} is named and not answered"));
    let path = |line: &str| match line.split_once('=') {
        Some((number, _)) => paths(facts, &format!("{directory}{number}/")),
        None if line.ends_with('/') => paths(facts, &format!("{directory}{line}")),
        None => vec![format!("{directory}{line}")],
    };
    listing.lines().flat_map(path).collect()
}

fn any_facts() -> impl Strategy<Value = GuestFacts> {
    let nics = prop::collection::vec(any::<bool>(), 0..4);
    let keys = prop::collection::vec(("[a-z0-9._-]{1,9}", ".*"), 0..3);
    let user_data = prop::option::of(prop::collection::vec(any::<u8>(), 0..64));
    (nics, keys, user_data).prop_map(|(nics, keys, user_data)| GuestFacts {
        keys: keys
            .into_iter()
            .map(|(name, public_key)| GuestKey { name, public_key })
            .collect(),
        user_data,
        nics: (0..).zip(nics).map(|(number, public)| nic(number, public)).collect(),
        ..facts()
    })
}

proptest! {
    #[test]
    fn every_path_that_a_listing_names_is_answered(facts in any_facts()) {
        for home in ["/", "/openstack/"] {
            for version in text(&facts, home).unwrap().lines() {
                for path in paths(&facts, &format!("{home}{version}/")) {
                    prop_assert!(answer(&facts, &path).is_some(), "{path} is named and not answered");
                }
            }
        }
    }

    #[test]
    fn nothing_that_is_asked_breaks_it(facts in any_facts(), path in "(/|latest|meta-data|public-keys|openstack|0|.|\\PC){0,12}") {
        let _ = answer(&facts, &path);
    }

    #[test]
    fn documents_are_json_whatever_a_key_says(facts in any_facts()) {
        for (path, bytes) in config_drive(&facts) {
            let json = serde_json::from_slice::<serde_json::Value>(&bytes).is_ok();
            prop_assert!(json || path.strip_suffix(".json").is_none(), "{path}");
        }
    }
}
