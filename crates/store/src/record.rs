//! The small records that several resources share.

use berth_model::{Code, Name};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Once;

/// What went wrong, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The stable code.
    pub code: Code,
    /// What happened, in words.
    pub message: String,
    /// When, to the microsecond.
    pub at: Timestamp,
}

impl Fault {
    /// A fault of this moment.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            at: now(),
        }
    }
}

/// This moment, as exact as a database keeps it: in microseconds.
pub(crate) fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
}

/// Who asked, and how the request is known again if it is sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requester {
    /// Who: a user, or `berthd` itself.
    pub who: String,
    /// The request's key, if it carries one.
    pub once: Option<Once>,
}

impl Requester {
    /// Somebody who asks once.
    pub fn new(who: impl Into<String>) -> Self {
        Self {
            who: who.into(),
            once: None,
        }
    }
}

/// A key pair as an instance keeps it: deleting the pair takes nothing from the instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRef {
    /// The pair's name.
    pub name: Name,
    /// The public key in OpenSSH's one-line form.
    pub public_key: String,
}

/// Which part of a list is wanted. Lists are in the order of their ids, which is the order of age, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page<Id> {
    /// The most entries.
    pub limit: u32,
    /// Only entries after this one.
    pub after: Option<Id>,
}

impl<Id: std::fmt::Display> Page<Id> {
    /// What ids are compared with: before the first page, something less than every id.
    pub(crate) fn after(&self) -> String {
        self.after.as_ref().map(ToString::to_string).unwrap_or_default()
    }
}
