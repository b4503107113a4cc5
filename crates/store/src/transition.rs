//! The only writer of an instance's row once it is made: load, change, write if nobody wrote meanwhile.
//!
//! What follows from a change follows here, so that nothing can forget it: the revision, the `instance.state` event
//! and the ledger's entry when the documented state is another, what its project is charged for, and that an instance
//! that is off gives its ephemeral public IPs back.

use berth_model::{Action, InstanceId, OperationId, Stable, Standing};

use crate::event::NewEvent;
use crate::instance::instances;
use crate::row::{maybe_to_json, sql, to_json};
use crate::tx::Tx;
use crate::usage::facts;
use crate::{InstanceRecord, StoreError, attached, image, label, nic, quota};

/// An instance as a transaction holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) record: InstanceRecord,
}

/// Why an instance changes, for its event.
#[derive(Debug, Default)]
pub(crate) struct Why {
    pub(crate) operation: Option<OperationId>,
    pub(crate) message: Option<String>,
}

impl Held {
    /// Reads an instance within a transaction.
    pub(crate) async fn load(tx: &mut Tx, id: InstanceId) -> Result<Option<Self>, StoreError> {
        let row = tx
            .optional(sql(instances!("WHERE i.id = $1")).bind(id.to_string()))
            .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Self {
            record: InstanceRecord::read(&row)?,
        }))
    }

    /// Whether a resize is in flight.
    fn resizes(&self) -> bool {
        match self.record.standing {
            Standing::Moving { position, .. } => position.action() == Action::Resize,
            Standing::Resting(_) => false,
        }
    }

    /// The state at rest: this one, or the one before the operation in flight.
    pub(crate) fn stable(&self) -> Option<Stable> {
        match self.record.standing {
            Standing::Resting(stable) => Some(stable),
            Standing::Moving { from, .. } => from,
        }
    }
}

/// Writes `after` in place of `before`; `false`, and nothing written, if the row is another by now.
pub(crate) async fn write(tx: &mut Tx, before: &Held, after: &Held, why: Why) -> Result<bool, StoreError> {
    let now = &after.record;
    let update = sql(
        "UPDATE instances SET revision = revision + 1, stable = $1, operation = $2, instance_type = $3, \
                      before_resize = $4, fault = $5, degraded = $6, updated_at = $7 WHERE id = $8 AND revision = $9",
    )
    .bind(after.stable().map(|stable| stable.to_string()))
    .bind(now.operation.map(|id| id.to_string()))
    .bind(to_json(&now.instance_type)?)
    .bind(maybe_to_json(now.resized_from.as_ref())?)
    .bind(maybe_to_json(now.fault.as_ref())?)
    .bind(now.degraded.as_deref())
    .bind(tx.micros())
    .bind(now.id.to_string())
    .bind(before.record.revision);
    if tx.run(update).await? != 1 {
        return Ok(false);
    }
    if before.record.standing.state() != now.standing.state() || before.record.instance_type != now.instance_type {
        facts::instance(tx, now).await?;
    }
    quota::move_instance(tx, before, after);
    if before.resizes() && !after.resizes() {
        attached::charge_root(tx, now.id, None).await?;
    }
    if let Standing::Resting(Stable::Stopped | Stable::ShelvedOffloaded) = now.standing {
        nic::return_ephemeral(tx, now.id).await?;
    }
    if before.record.standing.state() != now.standing.state() {
        tx.event(state_event(now, why)).await?;
    }
    Ok(true)
}

/// The event that tells an instance's documented state.
pub(crate) fn state_event(record: &InstanceRecord, why: Why) -> NewEvent {
    NewEvent {
        state: Some(record.standing.state().as_str()),
        operation: why.operation,
        message: why.message,
        ..record.event("instance.state")
    }
}

/// Removes an instance and the rows that are its own; `false`, and nothing removed, if the row is another by now.
/// Its operations, journal and ledger entries stay.
pub(crate) async fn remove(tx: &mut Tx, held: &Held, why: Why) -> Result<bool, StoreError> {
    let record = &held.record;
    nic::leave(tx, record.id).await?;
    let data = sql("DELETE FROM user_data WHERE instance = $1");
    tx.run(data.bind(record.id.to_string())).await?;
    attached::leave(tx, record.id).await?;
    image::forget_shelves(tx).await?;
    let delete = sql("DELETE FROM instances WHERE id = $1 AND revision = $2");
    if tx.run(delete.bind(record.id.to_string()).bind(record.revision)).await? != 1 {
        return Ok(false);
    }
    facts::end(tx, &record.id).await?;
    label::remove(tx, &record.id).await?;
    quota::free_instance(tx, record);
    let gone = record.event("instance.deleted");
    tx.event(NewEvent {
        operation: why.operation,
        message: why.message,
        ..gone
    })
    .await?;
    Ok(true)
}
