//! One write at a time, each a transaction, and its events told once it is committed.
//!
//! ```text
//!   begin ── takes the one connection that writes ──▶ statements ──▶ quotas, commit ──▶ events to subscribers, in order
//!                                                        │ dropped (an error, or the caller went away)
//!                                                        └────▶ rolled back
//! ```
//!
//! A commit can't be cancelled: it runs in a task of its own, so that what was committed is also told. A connection
//! whose transaction didn't end as it should is closed rather than used again.

use std::sync::Arc;
use std::time::Instant;

use berth_model::OperationId;
use berth_model::metering::Reading;
use jiff::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Executor as _};
use tokio::sync::OwnedMutexGuard;

use crate::event::{EventRecord, NewEvent};
use crate::metrics::Counted;
use crate::quota::{self, Tally};
use crate::row::{Columns as _, Sql, sql};
use crate::store::{Inner, Slot};
use crate::usage::{self, Writing};
use crate::{Database, Dry, StoreError, link, record};

/// The connection that writes, and the right to it.
struct Session {
    slot: OwnedMutexGuard<Slot>,
    connection: AnyConnection,
}

impl Session {
    async fn say(&mut self, database: &Database, statement: &'static str) -> Result<(), StoreError> {
        let said = self.connection.execute(sqlx::raw_sql(statement)).await;
        said.map(|_| ()).map_err(|error| database.error(error))
    }

    /// Puts the connection back for the next transaction.
    fn keep(mut self) {
        *self.slot = Slot::Ready(self.connection);
    }
}

/// A transaction that writes.
pub(crate) struct Tx {
    pub(crate) inner: Arc<Inner>,
    session: Option<Session>,
    events: Vec<EventRecord>,
    /// The operations that begin with it.
    pub(crate) begun: Vec<OperationId>,
    /// What it charges projects for.
    pub(crate) tally: Tally,
    /// What is counted once it is committed.
    pub(crate) counted: Counted,
    /// When its turn was waited for.
    asked: Instant,
    /// The moment of all that it writes.
    pub(crate) at: Timestamp,
    /// The same moment on the clock that nobody sets, in microseconds.
    mono: i64,
    /// The end of the ledger, once it was read.
    pub(crate) ledger: Option<Writing>,
}

impl Tx {
    /// Begins a transaction, after the one before has ended. Whoever tries a request goes on with the one it has.
    pub(crate) async fn begin(inner: &Arc<Inner>) -> Result<Self, StoreError> {
        if let Some(open) = Dry::taken().await {
            return Ok(open);
        }
        let asked = Instant::now();
        let begin = match inner.database {
            // Takes the right to write at once: a transaction that began by reading couldn't be sure to get it.
            Database::Sqlite(_) => "BEGIN IMMEDIATE",
            Database::Postgres(_) => "BEGIN",
        };
        let mut slot = Arc::clone(&inner.writer).lock_owned().await;
        if matches!(*slot, Slot::Closed) {
            return Err(StoreError::Interrupted);
        }
        let mut session = match std::mem::replace(&mut *slot, Slot::Gone) {
            Slot::Ready(connection) => Session { slot, connection },
            Slot::Gone | Slot::Closed => Session {
                slot,
                connection: link::writer(&inner.database).await?,
            },
        };
        if let Err(error) = session.say(&inner.database, begin).await {
            // A server that was restarted: one that can be reached again is no reason to fail.
            tracing::debug!(%error, "the connection that writes is gone; connecting again");
            session.connection = link::writer(&inner.database).await?;
            session.say(&inner.database, begin).await?;
        }
        Ok(Self {
            inner: Arc::clone(inner),
            session: Some(session),
            events: Vec::new(),
            begun: Vec::new(),
            tally: Tally::default(),
            counted: Counted::default(),
            asked,
            at: record::now(),
            mono: usage::mono()?,
            ledger: None,
        })
    }

    /// The events that are told once it is committed.
    pub(crate) fn events(&self) -> &[EventRecord] {
        &self.events
    }

    /// The moment as it is kept.
    pub(crate) fn micros(&self) -> i64 {
        self.at.as_microsecond()
    }

    /// What the host's clocks showed at that moment.
    pub(crate) fn reading(&self) -> Reading {
        Reading {
            boot: self.inner.boot.clone(),
            mono: self.mono,
            wall: self.micros(),
        }
    }

    fn connection(&mut self) -> Result<&mut AnyConnection, StoreError> {
        self.session
            .as_mut()
            .map(|session| &mut session.connection)
            .ok_or(StoreError::Interrupted)
    }

    /// Runs a statement; says how many rows it changed.
    pub(crate) async fn run(&mut self, statement: Sql) -> Result<u64, StoreError> {
        let done = statement.execute(self.connection()?).await;
        done.map(|done| done.rows_affected())
            .map_err(|error| self.inner.database.error(error))
    }

    /// Runs a statement that gives at most one row.
    pub(crate) async fn optional(&mut self, statement: Sql) -> Result<Option<AnyRow>, StoreError> {
        let row = statement.fetch_optional(self.connection()?).await;
        row.map_err(|error| self.inner.database.error(error))
    }

    /// Runs a statement that gives rows.
    pub(crate) async fn all(&mut self, statement: Sql) -> Result<Vec<AnyRow>, StoreError> {
        let rows = statement.fetch_all(self.connection()?).await;
        rows.map_err(|error| self.inner.database.error(error))
    }

    /// [`StoreError::AlreadyExists`] if there is such a thing of that name already: if that statement, of what a name is
    /// unique in and of the name, finds one.
    pub(crate) async fn check_name(
        &mut self,
        what: &'static str,
        taken: &'static str,
        (within, name): (&(impl ToString + ?Sized), &(impl ToString + ?Sized)),
    ) -> Result<(), StoreError> {
        let name = name.to_string();
        match self
            .optional(sql(taken).bind(within.to_string()).bind(name.clone()))
            .await?
        {
            None => Ok(()),
            Some(_) => Err(StoreError::AlreadyExists { what, name }),
        }
    }

    /// Writes an event with the next number; it is told when the transaction is committed.
    pub(crate) async fn event(&mut self, event: NewEvent) -> Result<(), StoreError> {
        let next = sql("UPDATE counters SET value = value + 1 WHERE name = 'event' RETURNING value");
        let row = self.optional(next).await?;
        let row = row.ok_or_else(|| StoreError::corrupt("counters", "the counter of events is missing"))?;
        let event = event.numbered(row.number("value")?, self.at);
        self.run(event.insert()).await?;
        self.events.push(event);
        Ok(())
    }

    /// Makes all of it so, and tells the events. Not undone by dropping the future. [`StoreError::QuotaExceeded`], and
    /// none of it, if a project would have more than it may. [`StoreError::DryRun`], and none of it, if it is tried.
    pub(crate) async fn commit(mut self) -> Result<(), StoreError> {
        quota::settle(&mut self).await?;
        if Dry::is_on() {
            return Dry::keep(self).await;
        }
        let mut session = self.session.take().ok_or(StoreError::Interrupted)?;
        let (inner, events) = (Arc::clone(&self.inner), std::mem::take(&mut self.events));
        let (counted, asked) = (std::mem::take(&mut self.counted), self.asked);
        let commit = tokio::spawn(async move {
            session.say(&inner.database, "COMMIT").await?;
            inner.metrics.count(counted, asked.elapsed());
            for event in events {
                // Nobody listens: that is no error.
                let _ = inner.events.send(Arc::new(event));
            }
            session.keep();
            Ok(())
        });
        commit.await.unwrap_or(Err(StoreError::Interrupted))
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        let Some(mut session) = self.session.take() else { return };
        // Without a runtime the connection is closed, which rolls back as well.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let inner = Arc::clone(&self.inner);
        runtime.spawn(async move {
            match session.say(&inner.database, "ROLLBACK").await {
                Ok(()) => session.keep(),
                Err(error) => tracing::debug!(%error, "not rolled back; the connection is closed instead"),
            }
        });
    }
}
