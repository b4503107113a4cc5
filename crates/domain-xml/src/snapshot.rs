//! The instant of disks, as libvirt takes it: each named disk goes on in a new file, which is there already.

use std::path::PathBuf;

use serde::Serialize;

use crate::XmlError;
use crate::spec::path;

/// A disk of a guest that runs, and the file that it goes on in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTop {
    /// The disk's name in the domain, e.g. `vda`.
    pub target: String,
    /// The qcow2 file, which stands on the one that is written now.
    pub path: PathBuf,
}

#[derive(Serialize)]
struct Snapshot<'a> {
    disks: Disks<'a>,
}

#[derive(Serialize)]
struct Disks<'a> {
    disk: Vec<DiskXml<'a>>,
}

#[derive(Serialize)]
struct DiskXml<'a> {
    #[serde(rename = "@name")]
    name: &'a str,
    #[serde(rename = "@snapshot")]
    snapshot: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    driver: Option<Driver>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<Source<'a>>,
}

#[derive(Serialize)]
struct Driver {
    #[serde(rename = "@type")]
    kind: &'static str,
}

#[derive(Serialize)]
struct Source<'a> {
    #[serde(rename = "@file")]
    file: &'a str,
}

/// The instant of these disks and of none of the others, as `virDomainSnapshotCreateXML` takes it.
pub fn snapshot_xml(tops: &[NewTop], others: &[String]) -> Result<String, XmlError> {
    let mut disk = Vec::with_capacity(tops.len() + others.len());
    for top in tops {
        disk.push(DiskXml {
            name: &top.target,
            snapshot: "external",
            driver: Some(Driver { kind: "qcow2" }),
            source: Some(Source { file: path(&top.path)? }),
        });
    }
    disk.extend(others.iter().map(|name| DiskXml {
        name,
        snapshot: "no",
        driver: None,
        source: None,
    }));
    Ok(quick_xml::se::to_string_with_root(
        "domainsnapshot",
        &Snapshot { disks: Disks { disk } },
    )?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn only_the_named_disks_are_taken() {
        let top = NewTop {
            target: "vda".to_owned(),
            path: "/v/<new>.qcow2".into(),
        };
        let xml = snapshot_xml(&[top], &["vdb".to_owned()]).unwrap();
        let expected = "<domainsnapshot><disks>\
            <disk name=\"vda\" snapshot=\"external\"><driver type=\"qcow2\"/><source file=\"/v/&lt;new&gt;.qcow2\"/></disk>\
            <disk name=\"vdb\" snapshot=\"no\"/></disks></domainsnapshot>";
        assert_eq!(xml, expected);
    }
}
