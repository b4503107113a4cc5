//! Following the ledger from its first entry to its last: is it whole, and is it what was written?
//!
//! What it proves: no entry was changed, taken out or put in between, each time of each resource is there once, and
//! time doesn't run backwards. Whoever can write the database could make a whole chain anew, or cut entries off at the
//! end: who wants to see that keeps a [`Head`] elsewhere and has it looked for.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use super::{LedgerEntry, LedgerHash, LedgerKind};

/// An entry by its number and its hash, which stands for everything up to it. Written `NUMBER:HASH`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Head {
    /// The entry's number; 0 before the first.
    pub number: i64,
    /// The entry's hash.
    pub hash: LedgerHash,
}

/// What was given is no head.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not NUMBER:HASH, as 'berth usage verify' prints it")]
pub struct ParseHeadError(pub String);

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.number, self.hash)
    }
}

impl FromStr for Head {
    type Err = ParseHeadError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let head = text.split_once(':').and_then(|(number, hash)| {
            Some(Self {
                number: number.parse().ok().filter(|number| *number > 0)?,
                hash: hash.parse().ok()?,
            })
        });
        head.ok_or_else(|| ParseHeadError(text.to_owned()))
    }
}

/// Where the chain doesn't hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The number of the entry that isn't as it must be.
    pub number: i64,
    /// What is wrong with it.
    pub reason: String,
}

/// The ledger as far as it was followed.
#[derive(Debug, Default)]
pub struct Chain {
    head: Head,
    elapsed: i64,
    /// The last entry of each resource that isn't gone.
    open: HashMap<String, i64>,
    /// An entry that must be among them.
    wanted: Option<Head>,
    found: bool,
}

impl Chain {
    /// The chain before its first entry. `wanted` is a head that was noted before.
    pub fn new(wanted: Option<Head>) -> Self {
        Self {
            wanted,
            ..Self::default()
        }
    }

    /// The last entry that was followed.
    pub fn head(&self) -> Head {
        self.head
    }

    /// Follows the next entry.
    pub fn follow(&mut self, entry: &LedgerEntry) -> Result<(), Broken> {
        let due = self.head.number + 1;
        let broken = |reason: String| Broken { number: due, reason };
        if entry.number != due {
            let reason = format!("it is missing: the next one there is has number {}", entry.number);
            return Err(broken(reason));
        }
        if entry.previous != self.head.hash {
            let reason = "it doesn't carry the hash of the entry before: one of the two was changed";
            return Err(broken(reason.to_owned()));
        }
        if entry.hash != entry.computed() {
            return Err(broken(
                "its hash is not that of what it says: it was changed".to_owned(),
            ));
        }
        if entry.elapsed < self.elapsed {
            return Err(broken("it is earlier than the entry before".to_owned()));
        }
        if !matches!(entry.kind, LedgerKind::Clock | LedgerKind::Prices) {
            self.span(entry).map_err(broken)?;
        }
        let here = Head {
            number: due,
            hash: entry.hash,
        };
        if let Some(wanted) = self.wanted.filter(|wanted| wanted.number == due) {
            if wanted.hash != here.hash {
                return Err(broken(format!("its hash was {} when that was noted", wanted.hash)));
            }
            self.found = true;
        }
        (self.head, self.elapsed) = (here, entry.elapsed);
        Ok(())
    }

    /// Each entry of a resource ends the one before, so that no time of it is there twice or left out.
    fn span(&mut self, entry: &LedgerEntry) -> Result<(), String> {
        let open = self.open.remove(&entry.resource);
        if open != entry.ends {
            let said = |number: Option<i64>| number.map_or_else(|| "none".to_owned(), |number| number.to_string());
            return Err(format!(
                "it ends entry {}, and the last one of {} is {}",
                said(entry.ends),
                entry.resource,
                said(open)
            ));
        }
        if entry.state.is_some() {
            self.open.insert(entry.resource.clone(), entry.number);
        }
        Ok(())
    }

    /// The end of the ledger: what is open now must be what is kept as such.
    pub fn end(&self, open: impl IntoIterator<Item = (String, i64)>) -> Result<(), Broken> {
        let mut left = self.open.clone();
        for (resource, number) in open {
            if left.remove(&resource) != Some(number) {
                let reason =
                    format!("{resource} is metered by it as the list of what is metered now has it, and is not");
                return Err(Broken { number, reason });
            }
        }
        if let Some((resource, number)) = left.into_iter().min_by_key(|(_, number)| *number) {
            let reason = format!("{resource} is metered by it, and isn't in the list of what is metered now");
            return Err(Broken { number, reason });
        }
        match self.wanted {
            Some(wanted) if !self.found => Err(Broken {
                number: wanted.number,
                reason: format!("it was there when {wanted} was noted, and the ledger ends before it"),
            }),
            _ => Ok(()),
        }
    }
}
