//! Amazon's way of asking: one value a path, directories that list what is in them.
//!
//! What we know nothing of is left out of the listings, as EC2 does with what an instance doesn't have.

use super::tree::Directory;
use super::{Answer, GuestFacts, GuestNic, ZONE};

/// The versions that are asked for: cloud-init's least one and those it prefers. All are answered alike.
const VERSIONS: [&str; 5] = ["2009-04-04", "2016-09-02", "2018-09-24", "2021-03-23", "latest"];

/// The answer to a request for that path, given as its segments.
pub(super) fn answer(facts: &GuestFacts, path: &[&str]) -> Option<Answer> {
    match path {
        [] => Some(Answer::text(VERSIONS.join("\n"))),
        [version, below @ ..] if VERSIONS.contains(version) => root(facts).find(below),
        _ => None,
    }
}

/// The file of a ConfigDrive, where OpenStack writes it.
pub(super) fn file(facts: &GuestFacts) -> (String, Vec<u8>) {
    let document = meta_data(facts).to_json().to_string();
    ("ec2/latest/meta-data.json".to_owned(), document.into_bytes())
}

fn root(facts: &GuestFacts) -> Directory {
    let root = Directory::default().directory("meta-data", meta_data(facts));
    match &facts.user_data {
        Some(data) => root.file("user-data", Answer::bytes(data)),
        None => root,
    }
}

fn meta_data(facts: &GuestFacts) -> Directory {
    let nic = facts.primary();
    let placement = Directory::default().text("availability-zone", ZONE);
    Directory::default()
        .text("ami-id", facts.image)
        .text("hostname", &facts.hostname)
        .text("instance-id", facts.id)
        .text("instance-type", &facts.instance_type)
        .text("local-hostname", &facts.hostname)
        .text_if("local-ipv4", nic.map(|nic| nic.address))
        .text_if("mac", nic.map(|nic| nic.mac))
        .directory_if("network", network(facts))
        .directory("placement", placement)
        .directory_if("public-keys", public_keys(facts))
        .text_if("public-ipv4", nic.and_then(|nic| nic.public))
        .text_if("security-groups", nic.and_then(groups))
}

/// The only directory that lists what is in it by number and name, and whose entries are found by the number alone.
fn public_keys(facts: &GuestFacts) -> Directory {
    let keys = facts.keys.iter().enumerate();
    keys.fold(Directory::default(), |keys, (number, key)| {
        let formats = Directory::default().text("openssh-key", &key.public_key);
        keys.listed(&number.to_string(), format!("{number}={}", key.name), formats)
    })
}

fn network(facts: &GuestFacts) -> Directory {
    let nics = facts.nics.iter().enumerate();
    let macs = nics.fold(Directory::default(), |macs, (number, nic)| {
        macs.directory(&nic.mac.to_string(), interface(facts, number, nic))
    });
    let interfaces = Directory::default().directory_if("macs", macs);
    Directory::default().directory_if("interfaces", interfaces)
}

fn interface(facts: &GuestFacts, number: usize, nic: &GuestNic) -> Directory {
    let associations = match nic.public {
        Some(public) => Directory::default().text(&public.to_string(), nic.address),
        None => Directory::default(),
    };
    Directory::default()
        .text("device-number", number)
        .text("interface-id", nic.port)
        .directory_if("ipv4-associations", associations)
        .text("local-hostname", &facts.hostname)
        .text("local-ipv4s", nic.address)
        .text("mac", nic.mac)
        .text("owner-id", &facts.project)
        .text_if("public-ipv4s", nic.public)
        .text_if("security-groups", groups(nic))
        .text("subnet-id", nic.subnet)
        .text("subnet-ipv4-cidr-block", nic.cidr)
        .text("vpc-id", nic.vpc)
}

fn groups(nic: &GuestNic) -> Option<String> {
    (!nic.security_groups.is_empty()).then(|| nic.security_groups.join("\n"))
}
