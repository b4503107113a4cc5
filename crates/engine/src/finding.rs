//! Findings: what is not as the records have it, and what is to be done about it.
//!
//! Architecture invariant: what isn't ours has no remedy, so that nothing can touch it.

use std::net::Ipv4Addr;

use berth_model::{ImageId, InstanceId, LayerId, VpcId};
use berth_network::Tap;

/// Something that is not as the records have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The kind of thing: `domain`, `volume`, `file` …
    pub kind: &'static str,
    /// Its name or id.
    pub name: String,
    /// What is wrong with it.
    pub what: String,
    pub(crate) remedy: Remedy,
}

/// What is to be done about a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// It is ours and belongs to no record.
    Remove(Leftover),
    /// The record, or what is missing, can be put right.
    Repair(Repair),
    /// It isn't ours, or can't be made anew.
    Nothing,
}

/// What is ours and belongs to no record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Leftover {
    Domain(InstanceId),
    Image(ImageId),
    Layer(LayerId),
    Directory(InstanceId),
    Tap(Tap),
    Namespace(String),
    PublicIp(Ipv4Addr),
}

/// What can be put right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Repair {
    /// The instance's task looks at its guest and adopts what is.
    Look(InstanceId),
    /// The VPC is made whole.
    Mend(VpcId),
}

impl Finding {
    pub(crate) fn new(kind: &'static str, name: impl ToString, what: impl Into<String>, remedy: Remedy) -> Self {
        Self {
            kind,
            name: name.to_string(),
            what: what.into(),
            remedy,
        }
    }

    /// What a dry run tells would be done about it, with the kind of thing and its name.
    pub(crate) fn would(&self) -> Option<(&'static str, &str, &str)> {
        match self.remedy {
            Remedy::Remove(_) => Some(("host.removed", self.kind, &self.name)),
            Remedy::Repair(_) => Some(("host.repaired", self.kind, &self.name)),
            Remedy::Nothing => None,
        }
    }

    /// What is to be done about it: `remove`, `repair` or `none`.
    pub fn remedy(&self) -> &'static str {
        match self.remedy {
            Remedy::Remove(_) => "remove",
            Remedy::Repair(_) => "repair",
            Remedy::Nothing => "none",
        }
    }
}
