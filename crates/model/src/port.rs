//! Where a port stands, and what a public IP is to whoever has it.
//!
//! ```text
//!   (made apart) ─▶ Available ─Attaching─▶ In-use ◀─ (made with its instance)
//!                        ▲ └────Detaching────┘
//! ```

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ParseStateError;

macro_rules! words {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = ParseStateError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let found = Self::ALL.iter().find(|one| one.as_str() == text);
                found.copied().ok_or_else(|| ParseStateError(text.to_owned()))
            }
        }
    };
}

/// Where a port stands, in the words of volumes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum PortState {
    /// No instance has it; its address and MAC are kept for it.
    Available,
    /// An instance is given it.
    Attaching,
    /// An instance has it.
    #[serde(rename = "In-use")]
    InUse,
    /// It is taken from its instance.
    Detaching,
}

/// How long a public IP stays (lifecycle.md, "Public IP").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PublicIpKind {
    /// Allocated to the project until it is released; moves between instances.
    Static,
    /// Goes back to the pool when its instance is stopped, shelved or deleted, or it is detached.
    Ephemeral,
}

impl PortState {
    /// All there are.
    pub const ALL: &'static [Self] = &[Self::Available, Self::Attaching, Self::InUse, Self::Detaching];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Available => "Available",
            Self::Attaching => "Attaching",
            Self::InUse => "In-use",
            Self::Detaching => "Detaching",
        }
    }
}

impl PublicIpKind {
    /// Both.
    pub const ALL: &'static [Self] = &[Self::Static, Self::Ephemeral];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Static => "static",
            Self::Ephemeral => "ephemeral",
        }
    }
}

words!(PortState);
words!(PublicIpKind);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_back() {
        assert!(PortState::ALL.iter().all(|one| one.as_str().parse() == Ok(*one)));
        assert!(PublicIpKind::ALL.iter().all(|one| one.as_str().parse() == Ok(*one)));
    }
}
