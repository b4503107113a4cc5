//! Claims: the right to move one instance by one action.
//!
//! ```text
//!   claim(id, action) ── the table allows it? ──no──▶ Refused { state, allowed, operation }
//!                              │ yes
//!                              ▼
//!        one transaction: the operation it cancels, its own, the instance, usage, event ──▶ Claim ──▶ `progress`
//! ```

use berth_model::{Action, Code, InstanceId, LayerId, OperationId, Position, Stable, Standing, VolumeState, Work};
use serde_json::Value;
use sqlx::any::AnyRow;

use crate::event::NewEvent;
use crate::operation::{self, OperationRecord, Phase, Subject, read_position};
use crate::row::{Columns as _, sql};
use crate::transition::{self, Held, Why};
use crate::tx::Tx;
use crate::{
    ClaimError, Entry, EntryKind, Fault, InstanceRecord, ROOT_LAYER, Requester, Store, StoreError, attached, journal,
    once, progress,
};

/// How often a claim is tried again when the record changes under it.
const ATTEMPTS: u32 = 5;

/// The right to move one instance by one action: the only writer of its state.
///
/// A claim dropped before its end leaves the operation in flight; [`Store::in_flight`] gives it back.
#[derive(Debug)]
#[must_use = "an instance that is claimed shows a transitional state until the claim is taken to its end"]
pub struct Claim {
    pub(crate) store: Store,
    pub(crate) instance: InstanceId,
    pub(crate) operation: OperationId,
    pub(crate) revision: i64,
    pub(crate) position: Position,
    pub(crate) origin: Option<Stable>,
    pub(crate) phase: Phase,
    /// Whether every step is undone.
    pub(crate) unwound: bool,
    pub(crate) params: Value,
    pub(crate) memo: Value,
    pub(crate) fault: Option<Fault>,
}

impl Claim {
    /// The instance it moves.
    pub fn instance(&self) -> InstanceId {
        self.instance
    }

    /// Its operation.
    pub fn operation(&self) -> OperationId {
        self.operation
    }

    /// The action and the step it is at.
    pub fn position(&self) -> Position {
        self.position
    }

    /// The state the instance was at rest in before; none while it is created.
    pub fn origin(&self) -> Option<Stable> {
        self.origin
    }

    /// Whether the steps are being undone.
    pub fn undoing(&self) -> bool {
        self.phase == Phase::Undoing
    }

    /// What the request said.
    pub fn params(&self) -> &Value {
        &self.params
    }

    /// What the steps have remembered; an empty object at first.
    pub fn memo(&self) -> &Value {
        &self.memo
    }

    /// Why it is being undone.
    pub fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }

    /// Makes sure that the instance is still this claim's, before anything is done by it: [`ClaimError::Lost`] if
    /// another operation took it, or another claim to the same operation went on.
    pub async fn verify(&self) -> Result<(), ClaimError> {
        let held = self.store.instance(self.instance).await?;
        let mine =
            |record: &InstanceRecord| record.operation == Some(self.operation) && record.revision == self.revision;
        if held.as_ref().is_some_and(mine) {
            Ok(())
        } else {
            Err(ClaimError::Lost)
        }
    }

    /// The claim of an operation that has just begun.
    pub(crate) fn begun(
        store: &Store,
        (instance, position): (InstanceId, Position),
        operation: &OperationRecord,
        (revision, origin): (i64, Option<Stable>),
    ) -> Self {
        Self {
            store: store.clone(),
            instance,
            operation: operation.id,
            revision,
            position,
            origin,
            phase: operation.phase,
            unwound: false,
            params: operation.params.clone(),
            memo: Value::Object(serde_json::Map::new()),
            fault: None,
        }
    }
}

impl Store {
    /// Claims an instance for an action, as the action table allows it.
    ///
    /// Delete is allowed in any state and cancels the operation in flight. Create is refused: it is
    /// [`Store::create_instances`]. Resize wants `params` with the new `instance_type`.
    ///
    /// The claim exists once this was polled to its end; one who may stop polling (the handler of a request whose
    /// client went away) calls it in a task of its own.
    pub async fn claim(
        &self,
        id: InstanceId,
        action: Action,
        params: Value,
        by: &Requester,
    ) -> Result<Claim, ClaimError> {
        for _ in 0..ATTEMPTS {
            if let Some(claim) = self.try_claim(id, action, &params, by).await? {
                return Ok(claim);
            }
        }
        Err(StoreError::corrupt(
            format!("instance {id}"),
            "its row changes faster than it can be claimed",
        )
        .into())
    }

    /// `None` if somebody wrote the row between reading and writing it.
    async fn try_claim(
        &self,
        id: InstanceId,
        action: Action,
        params: &Value,
        by: &Requester,
    ) -> Result<Option<Claim>, ClaimError> {
        let mut tx = self.begin().await?;
        let before = Held::load(&mut tx, id).await?.ok_or(ClaimError::NotFound(id))?;
        let standing = before.record.standing;
        if !action.allowed(standing) {
            return Err(ClaimError::Refused {
                state: standing.state(),
                allowed: Action::allowed_from(standing),
                operation: before.record.operation,
            });
        }
        let resizing_to = match action {
            Action::Resize => Some(progress::new_type(params)?),
            _ => None,
        };
        if !leaves_volumes_alone(action) {
            no_volume_moves(&mut tx, id, action).await?;
        }
        let position = Position::first(action);
        let subject = Subject {
            project: &before.record.project,
            id: id.to_string(),
            name: &before.record.name,
        };
        let operation = OperationRecord::begin(&tx, Work::Instance(position), subject, params.clone(), by);
        if let Some(other) = before.record.operation {
            cancel(&mut tx, &before, other, &operation).await?;
        }
        begin(&mut tx, &operation).await?;
        once::write(&mut tx, by, &[operation.id]).await?;
        match action {
            Action::Delete => attached::set_root_state(&mut tx, id, VolumeState::Deleting).await?,
            Action::Unshelve => attached::unshelve(&mut tx, id, new_layer(params)?).await?,
            Action::Resize => attached::charge_root(&mut tx, id, progress::root_size(params)?).await?,
            _ => {}
        }
        let mut after = before.clone();
        after.record.resizing_to = resizing_to;
        after.record.operation = Some(operation.id);
        after.record.standing = Standing::Moving {
            from: before.stable(),
            position,
        };
        let why = Why {
            operation: Some(operation.id),
            message: None,
        };
        if !transition::write(&mut tx, &before, &after, why).await? {
            return Ok(None);
        }
        tx.commit().await?;
        let revision = before.record.revision + 1;
        Ok(Some(Claim::begun(
            self,
            (id, position),
            &operation,
            (revision, before.stable()),
        )))
    }

    /// Every operation in flight, oldest first, as claims: for a daemon that starts, and for one that finds operations
    /// which nobody runs.
    ///
    /// Of two claims to one operation the one that writes first goes on, the other is [`ClaimError::Lost`].
    pub async fn in_flight(&self) -> Result<Vec<Claim>, StoreError> {
        let query = sql("SELECT o.*, i.revision, i.stable FROM operations o \
                         JOIN instances i ON i.operation = o.id ORDER BY o.id");
        self.all(query).await?.iter().map(|row| self.resume(row)).collect()
    }

    pub(crate) fn resume(&self, row: &AnyRow) -> Result<Claim, StoreError> {
        Ok(Claim {
            store: self.clone(),
            instance: row.parsed("subject")?,
            operation: row.parsed("id")?,
            revision: row.number("revision")?,
            position: read_position(row)?,
            origin: row.maybe_parsed("stable")?,
            phase: row.word("phase")?,
            unwound: false,
            params: row.json("params")?,
            memo: row.json("memo")?,
            fault: row.maybe_json("fault")?,
        })
    }
}

/// Whether an action may begin while operations on the instance's volumes are in flight: it waits for those that take
/// the instance, and changes nothing of the volumes that the others need. Delete always may.
fn leaves_volumes_alone(action: Action) -> bool {
    match action {
        Action::Create | Action::Start | Action::Stop | Action::SoftReboot | Action::HardReboot | Action::Delete => {
            true
        }
        Action::Shelve | Action::Unshelve | Action::Resize | Action::ConfirmResize | Action::RevertResize => false,
    }
}

/// [`StoreError::VolumeMoves`] while an operation on a volume of the instance is in flight.
async fn no_volume_moves(tx: &mut Tx, id: InstanceId, action: Action) -> Result<(), StoreError> {
    let query = sql("SELECT name, state FROM volumes WHERE instance = $1 AND operation IS NOT NULL LIMIT 1");
    match tx.optional(query.bind(id.to_string())).await? {
        None => Ok(()),
        Some(row) => Err(StoreError::VolumeMoves {
            action,
            name: row.parsed("name")?,
            state: row.parsed("state")?,
        }),
    }
}

/// The layer that an unshelve makes, from what the request said.
fn new_layer(params: &Value) -> Result<LayerId, StoreError> {
    let layer = params.get(ROOT_LAYER).cloned().unwrap_or_default();
    serde_json::from_value(layer).map_err(|error| StoreError::corrupt("params", &error))
}

/// Writes a new operation and the first line of its journal.
pub(crate) async fn begin(tx: &mut Tx, operation: &OperationRecord) -> Result<(), StoreError> {
    operation::insert(tx, operation).await?;
    let line = Entry::of(
        EntryKind::Begun,
        Some(format!("asked for by {}", operation.requested_by)),
    );
    journal::write(tx, operation.id, operation.work, line).await
}

/// Ends the operation in flight in favour of another.
async fn cancel(tx: &mut Tx, held: &Held, other: OperationId, by: &OperationRecord) -> Result<(), StoreError> {
    let message = format!("cancelled by {}, operation {}", by.work.action(), by.id);
    let fault = Fault {
        code: Code::OperationCancelled,
        message: message.clone(),
        at: tx.at,
    };
    operation::cancel(tx, other, &fault).await?;
    if let Standing::Moving { position, .. } = held.record.standing {
        journal::write(
            tx,
            other,
            Work::Instance(position),
            Entry::of(EntryKind::Noted, Some(message.clone())),
        )
        .await?;
    }
    let event = held.record.event("operation.cancelled");
    tx.event(NewEvent {
        operation: Some(other),
        message: Some(message),
        ..event
    })
    .await
}
