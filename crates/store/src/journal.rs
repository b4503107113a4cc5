//! The journal: what became of each step of an operation, line by line. It explains; what goes on after a crash is
//! in the operation's own row.

use std::time::Duration;

use berth_model::{OperationId, Work};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;

use crate::operation::read_work;
use crate::row::{Columns as _, sql, to_number, to_word};
use crate::tx::Tx;
use crate::{Store, StoreError};

/// What a line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// The operation, or a step, has begun.
    Begun,
    /// The step is done.
    Done,
    /// An attempt at the step failed, and it is tried again.
    Retried,
    /// The step failed, or could not be undone.
    Failed,
    /// The step is undone.
    Undone,
    /// libvirt sent an event of the guest meanwhile; the message is the event in libvirt's words.
    Heard,
    /// Something else worth knowing.
    Noted,
}

/// A line to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it says.
    pub kind: EntryKind,
    /// In words.
    pub message: Option<String>,
    /// How long it took.
    pub duration: Option<Duration>,
}

impl Entry {
    pub(crate) fn of(kind: EntryKind, message: Option<String>) -> Self {
        Self {
            kind,
            message,
            duration: None,
        }
    }
}

/// A line of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalRecord {
    /// The operation.
    pub operation: OperationId,
    /// Its number within the operation, from 1.
    pub number: u32,
    /// When it was written.
    pub at: Timestamp,
    /// The step it is about.
    pub work: Work,
    /// What it says.
    pub kind: EntryKind,
    /// In words.
    pub message: Option<String>,
    /// How long it took, to the microsecond.
    pub duration: Option<Duration>,
}

impl JournalRecord {
    pub(crate) fn read(row: &AnyRow) -> Result<Self, StoreError> {
        let duration: Option<u64> = row
            .maybe_number("duration")?
            .map(u64::try_from)
            .transpose()
            .map_err(|error| StoreError::corrupt("duration", &error))?;
        Ok(Self {
            operation: row.parsed("operation")?,
            number: row.number("number")?,
            at: row.time("at")?,
            work: read_work(row)?,
            kind: row.word("kind")?,
            message: row.maybe_text("message")?,
            duration: duration.map(Duration::from_micros),
        })
    }
}

/// Writes a line.
pub(crate) async fn write(tx: &mut Tx, operation: OperationId, work: Work, entry: Entry) -> Result<(), StoreError> {
    if let (EntryKind::Done, Some(took)) = (entry.kind, entry.duration) {
        tx.counted.steps.push((work, took));
    }
    let duration = entry
        .duration
        .map(|duration| to_number(duration.as_micros()))
        .transpose()?;
    let line = sql(
        "INSERT INTO journal (operation, number, at, action, step, kind, message, duration) \
                    SELECT $1, COALESCE(MAX(number), 0) + 1, $2, $3, $4, $5, $6, $7 FROM journal WHERE operation = $1",
    )
    .bind(operation.to_string())
    .bind(tx.micros())
    .bind(work.word())
    .bind(to_number(work.step())?)
    .bind(to_word(&entry.kind)?)
    .bind(entry.message)
    .bind(duration);
    tx.run(line).await.map(|_| ())
}

impl Store {
    /// The journal of an operation, in its order.
    pub async fn journal(&self, id: OperationId) -> Result<Vec<JournalRecord>, StoreError> {
        let query = sql("SELECT * FROM journal WHERE operation = $1 ORDER BY number").bind(id.to_string());
        self.list(query, JournalRecord::read).await
    }
}
