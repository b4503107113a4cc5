//! Sizes with their unit in the type: MiB of memory and bytes of disk can't be mixed up.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An amount of memory in MiB (2²⁰ bytes).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Mib(pub u64);

/// An amount of disk in GiB (2³⁰ bytes); the seed writes GB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Gib(pub u64);

impl Mib {
    /// The same amount in bytes.
    pub fn bytes(self) -> u64 {
        self.0 << 20
    }
}

impl Gib {
    /// The same amount in bytes.
    pub fn bytes(self) -> u64 {
        self.0 << 30
    }

    /// The least whole number of GiB that holds that many bytes, and at least one.
    pub fn holding(bytes: u64) -> Self {
        Self(bytes.div_ceil(1 << 30).max(1))
    }
}

impl fmt::Display for Mib {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} MiB", self.0)
    }
}

impl fmt::Display for Gib {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} GiB", self.0)
    }
}
