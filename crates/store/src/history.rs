//! The history of one instance: what the journal and the event log say of it, also when it is gone.

use berth_model::{GuestEvent, InstanceId, OperationId};
use jiff::Timestamp;

use crate::operation::read_work;
use crate::row::sql;
use crate::{Entry, EntryKind, EventRecord, JournalRecord, Store, StoreError, journal};

/// A stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// From this moment on; from the very beginning if not given.
    pub from: Option<Timestamp>,
    /// Before this moment; without an end if not given.
    pub until: Option<Timestamp>,
}

impl Store {
    /// The events about one resource within a stretch of time, in the order of their numbers.
    pub async fn events_of(&self, resource: InstanceId, span: Span) -> Result<Vec<EventRecord>, StoreError> {
        let query = sql("SELECT * FROM events WHERE resource = $1 AND at >= $2 AND at < $3 ORDER BY seq")
            .bind(resource.to_string())
            .bind(span.from.map_or(i64::MIN, Timestamp::as_microsecond))
            .bind(span.until.map_or(i64::MAX, Timestamp::as_microsecond));
        self.list(query, EventRecord::read).await
    }

    /// The journals of an instance's operations from one to another, both included: each in its order, oldest first.
    pub async fn journals_of(
        &self,
        instance: InstanceId,
        (first, last): (OperationId, OperationId),
    ) -> Result<Vec<JournalRecord>, StoreError> {
        let query = sql("SELECT j.* FROM operations o JOIN journal j ON j.operation = o.id \
                         WHERE o.subject = $1 AND o.id >= $2 AND o.id <= $3 ORDER BY o.id, j.number")
        .bind(instance.to_string())
        .bind(first.to_string())
        .bind(last.to_string());
        self.list(query, JournalRecord::read).await
    }

    /// Writes down what libvirt reported at that moment, while an operation had the instance, for the step that it is
    /// at. It explains, and moves nothing; of an operation that isn't there nothing is written.
    pub async fn hear(&self, operation: OperationId, at: Timestamp, event: &GuestEvent) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        tx.at = at;
        let place = sql("SELECT action, step FROM operations WHERE id = $1").bind(operation.to_string());
        let Some(row) = tx.optional(place).await? else {
            return Ok(());
        };
        let line = Entry::of(EntryKind::Heard, Some(event.to_string()));
        journal::write(&mut tx, operation, read_work(&row)?, line).await?;
        tx.commit().await
    }
}
