//! Quotas: how much of each resource a project may have, and what an instance is charged for.
//!
//! ```text
//!   limit of a project ── none set ──▶ the daemon's default ── none set ──▶ unlimited
//!
//!   vCPUs, memory of an instance:
//!     create ─▶ type ─ resize claimed ─▶ larger of both ─ confirmed, reverted, failed ─▶ type
//!                └─ shelved ─▶ nothing ─ unshelve claimed ─▶ type ─ failed ─▶ nothing
//! ```
//!
//! A limit may be below what is used: then nothing new is given, and nothing is taken away.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use crate::{Action, InstanceType, Mib, Stable, Standing};

/// What a project has a quota of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// Instances, in any state.
    Instances,
    /// vCPUs of instances that aren't shelved.
    Vcpus,
    /// MiB of memory of instances that aren't shelved.
    MemoryMib,
    /// Volumes, root volumes too.
    Volumes,
    /// GiB of all volumes together; the seed writes GB.
    VolumeGb,
    /// Snapshots that somebody took.
    Snapshots,
    /// Images of the project's own, neither default ones nor shelves.
    Images,
    /// VPCs, the one that Berth makes by itself too.
    Vpcs,
    /// Subnets.
    Subnets,
    /// Security groups, the default one of each VPC too.
    SecurityGroups,
    /// Rules of all security groups together.
    SecurityGroupRules,
    /// Public IPs, static and ephemeral.
    PublicIps,
    /// Key pairs.
    KeyPairs,
}

/// A word that names no quota.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no quota '{word}'; there are {}", all())]
pub struct ParseResourceError {
    word: String,
}

fn all() -> String {
    let words: Vec<_> = Resource::ALL.iter().map(|resource| resource.as_str()).collect();
    words.join(", ")
}

impl Resource {
    /// All there are, in the order in which they are shown.
    pub const ALL: &'static [Self] = &[
        Self::Instances,
        Self::Vcpus,
        Self::MemoryMib,
        Self::Volumes,
        Self::VolumeGb,
        Self::Snapshots,
        Self::Images,
        Self::Vpcs,
        Self::Subnets,
        Self::SecurityGroups,
        Self::SecurityGroupRules,
        Self::PublicIps,
        Self::KeyPairs,
    ];

    /// The stable word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Instances => "instances",
            Self::Vcpus => "vcpus",
            Self::MemoryMib => "memory_mib",
            Self::Volumes => "volumes",
            Self::VolumeGb => "volume_gb",
            Self::Snapshots => "snapshots",
            Self::Images => "images",
            Self::Vpcs => "vpcs",
            Self::Subnets => "subnets",
            Self::SecurityGroups => "security_groups",
            Self::SecurityGroupRules => "security_group_rules",
            Self::PublicIps => "public_ips",
            Self::KeyPairs => "key_pairs",
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Resource {
    type Err = ParseResourceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.iter().find(|one| one.as_str() == text);
        found
            .copied()
            .ok_or_else(|| ParseResourceError { word: text.to_owned() })
    }
}

/// The most of a resource that a project may have. Written as a number, or as the word `unlimited`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// That many, vCPUs, MiB or GiB.
    AtMost(u64),
    /// As many as the host can give.
    Unlimited,
}

const UNLIMITED: &str = "unlimited";

/// What can be no limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no limit: give a number from 0 to {max}, or 'unlimited'", max = Limit::MAX)]
pub struct ParseLimitError(String);

impl Limit {
    /// The largest number: what databases and TOML can hold.
    pub const MAX: u64 = i64::MAX as u64;

    /// A number as a limit, if it isn't too large.
    pub fn at_most(number: u64) -> Result<Self, ParseLimitError> {
        if number <= Self::MAX {
            return Ok(Self::AtMost(number));
        }
        Err(ParseLimitError(number.to_string()))
    }

    /// Whether that much in all is within it.
    pub fn allows(self, used: u64) -> bool {
        match self {
            Self::AtMost(most) => used <= most,
            Self::Unlimited => true,
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(most) => write!(f, "{most}"),
            Self::Unlimited => f.write_str(UNLIMITED),
        }
    }
}

impl FromStr for Limit {
    type Err = ParseLimitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == UNLIMITED {
            return Ok(Self::Unlimited);
        }
        let number = text.parse().map_err(|_| ParseLimitError(text.to_owned()))?;
        Self::at_most(number)
    }
}

impl Serialize for Limit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::AtMost(most) => serializer.serialize_u64(*most),
            Self::Unlimited => serializer.serialize_str(UNLIMITED),
        }
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LimitVisitor)
    }
}

struct LimitVisitor;

impl Visitor<'_> for LimitVisitor {
    type Value = Limit;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number from 0, or \"unlimited\"")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Limit, E> {
        Limit::at_most(number).map_err(E::custom)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Limit, E> {
        let number = u64::try_from(number).map_err(|_| ParseLimitError(number.to_string()));
        number.and_then(Limit::at_most).map_err(E::custom)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Limit, E> {
        match text {
            UNLIMITED => Ok(Limit::Unlimited),
            other => Err(E::custom(ParseLimitError(other.to_owned()))),
        }
    }
}

/// The limits that are set, by an operator for a project or in the daemon's configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct QuotaLimits(BTreeMap<Resource, Limit>);

impl QuotaLimits {
    /// The limit that is set of a resource.
    pub fn get(&self, resource: Resource) -> Option<Limit> {
        self.0.get(&resource).copied()
    }
}

impl FromIterator<(Resource, Limit)> for QuotaLimits {
    fn from_iter<T: IntoIterator<Item = (Resource, Limit)>>(limits: T) -> Self {
        Self(limits.into_iter().collect())
    }
}

/// The vCPUs and the memory that an instance is charged for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// vCPUs.
    pub vcpus: u32,
    /// Memory.
    pub memory: Mib,
}

impl Capacity {
    /// None at all.
    pub const NONE: Self = Self {
        vcpus: 0,
        memory: Mib(0),
    };

    /// What an instance type has.
    pub fn of(kind: &InstanceType) -> Self {
        Self {
            vcpus: kind.vcpus,
            memory: kind.memory,
        }
    }

    /// As much of each as the one that has more of it.
    #[must_use]
    pub fn larger(self, other: Self) -> Self {
        Self {
            vcpus: self.vcpus.max(other.vcpus),
            memory: self.memory.max(other.memory),
        }
    }

    /// What an instance is charged for: its type, and while it is resized the larger of that and `other`, the type that
    /// it had or gets; nothing while it is shelved, which frees vCPUs and memory (lifecycle.md). One in Error stays
    /// charged until it is deleted: it may run, and may be started again.
    pub fn charged(standing: Standing, kind: &InstanceType, other: Option<&InstanceType>) -> Self {
        let shelved = match standing {
            Standing::Resting(stable) => stable == Stable::ShelvedOffloaded,
            Standing::Moving { from, position } => {
                from == Some(Stable::ShelvedOffloaded) && position.action() != Action::Unshelve
            }
        };
        if shelved {
            return Self::NONE;
        }
        let own = Self::of(kind);
        other.map_or(own, |other| own.larger(Self::of(other)))
    }
}
