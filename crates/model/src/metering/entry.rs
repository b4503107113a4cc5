//! One entry of the ledger, and the hash that ties it to the one before.
//!
//! The hash is SHA-256 of [`LedgerEntry::canonical`], which begins with the hash of the entry before: anybody can
//! compute it from the columns, without this program.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

/// What an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LedgerKind {
    /// An instance: one, at its type.
    Instance,
    /// A volume: its size in GiB, of its type; of a shelved instance too.
    Volume,
    /// A snapshot: the size of its volume then, in GiB.
    Snapshot,
    /// An image of a project: its file's size in GiB, rounded up.
    Image,
    /// A public IP: one, of its pool.
    PublicIp,
    /// An anchor of the wall clock.
    Clock,
    /// The price list from here on.
    Prices,
}

/// What was given stands in no ledger.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is no {what} of the ledger")]
pub struct ParseLedgerError {
    /// What it should be.
    what: &'static str,
    /// What was given.
    text: String,
}

impl LedgerKind {
    /// Every kind.
    pub const ALL: &'static [Self] = &[
        Self::Instance,
        Self::Volume,
        Self::Snapshot,
        Self::Image,
        Self::PublicIp,
        Self::Clock,
        Self::Prices,
    ];

    /// Its word, in the ledger and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Instance => "instance",
            Self::Volume => "volume",
            Self::Snapshot => "snapshot",
            Self::Image => "image",
            Self::PublicIp => "public_ip",
            Self::Clock => "clock",
            Self::Prices => "prices",
        }
    }
}

impl fmt::Display for LedgerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for LedgerKind {
    type Err = ParseLedgerError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.iter().find(|kind| kind.as_str() == text);
        found.copied().ok_or_else(|| ParseLedgerError {
            what: "kind",
            text: text.to_owned(),
        })
    }
}

/// The hash of an entry; of the entry before the first it is all zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct LedgerHash([u8; 32]);

impl fmt::Display for LedgerHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for LedgerHash {
    type Err = ParseLedgerError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseLedgerError {
            what: "hash",
            text: text.to_owned(),
        };
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return Err(wrong());
        }
        let mut hash = [0; 32];
        for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |digit: u8| match digit {
                b'0'..=b'9' => Ok(digit - b'0'),
                b'a'..=b'f' => Ok(digit - b'a' + 10),
                _ => Err(wrong()),
            };
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(Self(hash))
    }
}

/// One entry of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerEntry {
    /// Its number: one more than the entry before it. The first is 1.
    pub number: i64,
    /// The metered time in microseconds.
    pub elapsed: i64,
    /// What the wall clock showed, in microseconds since the epoch.
    pub at: i64,
    /// What it is about.
    pub kind: LedgerKind,
    /// The project that has it; empty for what is no project's.
    pub project: String,
    /// The id of the resource; of an anchor, the boot of the host.
    pub resource: String,
    /// The resource's name then.
    pub name: String,
    /// The state it is in from here on; none if it is gone.
    pub state: Option<String>,
    /// Whether that is billed.
    pub billed: bool,
    /// What it is billed as: instance type, volume type, pool. Of an anchor why; of a price list, the list as JSON.
    pub rate: String,
    /// How much: 1, or GiB. Of an anchor, the monotonic clock.
    pub quantity: i64,
    /// The number of the entry that this one ends: the last one of the same resource, unless that was gone.
    pub ends: Option<i64>,
    /// The hash of the entry before.
    pub previous: LedgerHash,
    /// Its own hash.
    pub hash: LedgerHash,
}

/// What every canonical form begins with, so that it is the form of nothing else.
const FORM: &[u8] = b"berth ledger 1\n";

impl LedgerEntry {
    /// The entry with the hash that its fields have.
    #[must_use]
    pub fn sealed(mut self) -> Self {
        self.hash = self.computed();
        self
    }

    /// The hash that its fields have.
    pub fn computed(&self) -> LedgerHash {
        LedgerHash(Sha256::digest(self.canonical()).into())
    }

    /// All of it but its own hash, as bytes that nothing else could mean: the form's name, the hash before, then each
    /// field in the order of this type. Numbers are 8 bytes, little endian; text is preceded by its length in bytes as
    /// such a number; what may be missing is preceded by a byte, 1 if it is there.
    pub fn canonical(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(512);
        bytes.extend_from_slice(FORM);
        bytes.extend_from_slice(&self.previous.0);
        for number in [self.number, self.elapsed, self.at] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        for one in [self.kind.as_str(), &self.project, &self.resource, &self.name] {
            text(&mut bytes, one);
        }
        bytes.push(self.state.is_some().into());
        if let Some(state) = &self.state {
            text(&mut bytes, state);
        }
        bytes.push(self.billed.into());
        text(&mut bytes, &self.rate);
        bytes.extend_from_slice(&self.quantity.to_le_bytes());
        bytes.push(self.ends.is_some().into());
        if let Some(ends) = self.ends {
            bytes.extend_from_slice(&ends.to_le_bytes());
        }
        bytes
    }
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
}
