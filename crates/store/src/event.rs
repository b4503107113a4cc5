//! Events: what was committed, numbered without gaps in the order of commits.

use std::sync::Arc;

use berth_model::OperationId;
use jiff::Timestamp;
use sqlx::any::AnyRow;
use tokio::sync::broadcast;

use crate::row::{Columns as _, Sql, sql};
use crate::{Store, StoreError};

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRecord {
    /// Its number: one more than the event before it. The first is 1.
    pub seq: i64,
    /// When its transaction was.
    pub at: Timestamp,
    /// What happened: `instance.state`, `instance.changed`, `instance.deleted`, `volume.state`, `volume.renamed`,
    /// `volume.changed`, `volume.deleted`, `snapshot.created`, `snapshot.changed`, `snapshot.deleted`, `image.created`,
    /// `image.changed`, `image.deleted`, `keypair.created`, `keypair.changed`, `keypair.deleted`, `vpc.…`, `subnet.…` and `security_group.…` with `created`, `changed` or `deleted`, `port.state`,
    /// `port.changed`, `port.deleted`, `public_ip.allocated`, `public_ip.attached`, `public_ip.detached`,
    /// `public_ip.changed`, `public_ip.released`, `project.created`, `project.changed`, `project.deleted`, `member.set`, `member.removed`,
    /// `token.created`, `token.revoked`, `guest.…`, `operation.undoing`, `operation.cancelled`, and of operations on
    /// volumes and images `operation.ended`.
    pub kind: String,
    /// The project that it is told to; empty for what only the operator is told.
    pub project: String,
    /// The id of the resource it is about.
    pub resource: String,
    /// The resource's name at that time.
    pub name: String,
    /// The documented state, when the event is a change of it.
    pub state: Option<String>,
    /// The operation that caused it, or that it is about.
    pub operation: Option<OperationId>,
    /// Why, in words, when there is more to say.
    pub message: Option<String>,
    /// The event of libvirt that led to it, in libvirt's words.
    pub heard: Option<String>,
}

/// An event before it has its number.
#[derive(Debug, Default)]
pub(crate) struct NewEvent {
    pub(crate) kind: &'static str,
    pub(crate) project: String,
    pub(crate) resource: String,
    pub(crate) name: String,
    pub(crate) state: Option<&'static str>,
    pub(crate) operation: Option<OperationId>,
    pub(crate) message: Option<String>,
    pub(crate) heard: Option<String>,
}

impl NewEvent {
    /// An event about a resource of a project.
    pub(crate) fn about(
        kind: &'static str,
        project: &str,
        resource: &(impl ToString + ?Sized),
        name: &(impl ToString + ?Sized),
    ) -> Self {
        Self {
            kind,
            project: project.to_owned(),
            resource: resource.to_string(),
            name: name.to_string(),
            ..Self::default()
        }
    }

    pub(crate) fn numbered(self, seq: i64, at: Timestamp) -> EventRecord {
        EventRecord {
            seq,
            at,
            kind: self.kind.to_owned(),
            project: self.project,
            resource: self.resource,
            name: self.name,
            state: self.state.map(str::to_owned),
            operation: self.operation,
            message: self.message,
            heard: self.heard,
        }
    }
}

impl EventRecord {
    pub(crate) fn insert(&self) -> Sql {
        sql(
            "INSERT INTO events (seq, at, kind, resource, name, state, operation, message, heard, project) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(self.seq)
        .bind(self.at.as_microsecond())
        .bind(self.kind.as_str())
        .bind(self.resource.as_str())
        .bind(self.name.as_str())
        .bind(self.state.as_deref())
        .bind(self.operation.map(|id| id.to_string()))
        .bind(self.message.as_deref())
        .bind(self.heard.as_deref())
        .bind(self.project.as_str())
    }

    pub(crate) fn read(row: &AnyRow) -> Result<Self, StoreError> {
        Ok(Self {
            seq: row.number("seq")?,
            at: row.time("at")?,
            kind: row.text("kind")?,
            project: row.text("project")?,
            resource: row.text("resource")?,
            name: row.text("name")?,
            state: row.maybe_text("state")?,
            operation: row.maybe_parsed("operation")?,
            message: row.maybe_text("message")?,
            heard: row.maybe_text("heard")?,
        })
    }
}

impl Store {
    /// The events from now on, in the order of their numbers. One that is too slow is told that it lagged and reads
    /// what it missed with [`Store::events_after`].
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<EventRecord>> {
        self.inner.events.subscribe()
    }

    /// At most `limit` events that follow number `seq`: of one project, or of all.
    pub async fn events_after(
        &self,
        project: Option<&str>,
        seq: i64,
        limit: u32,
    ) -> Result<Vec<EventRecord>, StoreError> {
        let query = match project {
            Some(project) => sql("SELECT * FROM events WHERE seq > $1 AND project = $3 ORDER BY seq LIMIT $2")
                .bind(seq)
                .bind(i64::from(limit))
                .bind(project.to_owned()),
            None => sql("SELECT * FROM events WHERE seq > $1 ORDER BY seq LIMIT $2")
                .bind(seq)
                .bind(i64::from(limit)),
        };
        self.list(query, EventRecord::read).await
    }

    /// The number of the newest event; 0 if there is none.
    pub async fn last_seq(&self) -> Result<i64, StoreError> {
        let newest = sql("SELECT value FROM counters WHERE name = 'event'");
        self.one(newest, |row| row.number("value"))
            .await
            .map(Option::unwrap_or_default)
    }
}
