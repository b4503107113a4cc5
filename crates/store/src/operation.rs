//! Operations: one action on one instance, from claim to end. The rows stay when the instance is gone.

use berth_model::{Action, ImageId, InstanceId, OperationId, Position};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::any::AnyRow;

use crate::row::{Columns as _, Sql, maybe_to_json, sql, to_json, to_number, to_word};
use crate::tx::Tx;
use crate::{Fault, Page, Requester, Store, StoreError};

/// In the params of a shelve: the id of the image that it makes.
pub const SHELF_IMAGE: &str = "shelf_image";

/// How an operation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Its steps are being done.
    Running,
    /// A step failed, and what was done is being undone.
    Undoing,
    /// It did what was asked.
    Succeeded,
    /// It failed; the fault says why.
    Failed,
    /// A later request cancelled it.
    Cancelled,
}

impl Phase {
    /// Whether nothing more will happen.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

/// An operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationRecord {
    /// Its id.
    pub id: OperationId,
    /// The action: what was asked, or what it became (a soft reboot that goes on as a hard one).
    pub action: Action,
    /// The instance it moves.
    pub instance: InstanceId,
    /// The instance's name.
    pub instance_name: String,
    /// How it stands.
    pub phase: Phase,
    /// The step it is at, or was at last.
    pub position: Position,
    /// What the request said.
    pub params: Value,
    /// Who asked.
    pub requested_by: String,
    /// Why it failed, when it did.
    pub fault: Option<Fault>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

/// The step that a row is at.
pub(crate) fn read_position(row: &AnyRow) -> Result<Position, StoreError> {
    let (action, step) = (row.parsed("action")?, row.number("step")?);
    Position::at(action, step).ok_or_else(|| StoreError::corrupt("step", &format!("{action} has no step {step}")))
}

impl OperationRecord {
    pub(crate) fn read(row: &AnyRow) -> Result<Self, StoreError> {
        let position = read_position(row)?;
        Ok(Self {
            id: row.parsed("id")?,
            action: position.action(),
            instance: row.parsed("instance")?,
            instance_name: row.text("instance_name")?,
            phase: row.word("phase")?,
            position,
            params: row.json("params")?,
            requested_by: row.text("requested_by")?,
            fault: row.maybe_json("fault")?,
            created_at: row.time("created_at")?,
            finished_at: row.maybe_time("finished_at")?,
        })
    }

    /// An operation that begins now.
    pub(crate) fn begin(
        tx: &Tx,
        action: Action,
        (instance, name): (InstanceId, String),
        params: Value,
        by: &Requester,
    ) -> Self {
        Self {
            id: OperationId::new(),
            action,
            instance,
            instance_name: name,
            phase: Phase::Running,
            position: Position::first(action),
            params,
            requested_by: by.who.clone(),
            fault: None,
            created_at: tx.at,
            finished_at: None,
        }
    }
}

/// The image that a shelve is to make, from what its request said: chosen before anything is made of it.
fn shelf_image(params: &Value) -> Option<ImageId> {
    serde_json::from_value(params.get(SHELF_IMAGE)?.clone()).ok()
}

/// Writes a new operation, at its first step.
pub(crate) async fn insert(tx: &mut Tx, new: &OperationRecord) -> Result<(), StoreError> {
    let insert = sql("INSERT INTO operations \
                      (id, instance, instance_name, action, step, phase, params, memo, requested_by, created_at) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7, '{}', $8, $9)")
    .bind(new.id.to_string())
    .bind(new.instance.to_string())
    .bind(new.instance_name.as_str())
    .bind(new.action.as_str())
    .bind(to_number(new.position.step())?)
    .bind(to_word(&new.phase)?)
    .bind(to_json(&new.params)?)
    .bind(new.requested_by.as_str())
    .bind(new.created_at.as_microsecond());
    tx.run(insert).await.map(|_| ())
}

/// What changes about an operation while it is in flight.
pub(crate) struct Progress<'a> {
    pub(crate) position: Position,
    pub(crate) phase: Phase,
    pub(crate) memo: &'a Value,
    pub(crate) fault: Option<&'a Fault>,
}

/// Writes how an operation stands; a final phase ends it.
pub(crate) async fn update(tx: &mut Tx, id: OperationId, now: Progress<'_>) -> Result<(), StoreError> {
    let finished_at = now.phase.is_final().then(|| tx.micros());
    let update = sql(
        "UPDATE operations SET action = $1, step = $2, phase = $3, memo = $4, fault = $5, finished_at = $6 \
                      WHERE id = $7 AND finished_at IS NULL",
    )
    .bind(now.position.action().as_str())
    .bind(to_number(now.position.step())?)
    .bind(to_word(&now.phase)?)
    .bind(to_json(now.memo)?)
    .bind(maybe_to_json(now.fault)?)
    .bind(finished_at)
    .bind(id.to_string());
    match tx.run(update).await? {
        1 => Ok(()),
        _ => Err(StoreError::corrupt(
            format!("operation {id}"),
            "an instance refers to it and it is not in flight",
        )),
    }
}

/// Ends an operation that another one takes the place of.
pub(crate) async fn cancel(tx: &mut Tx, id: OperationId, fault: &Fault) -> Result<(), StoreError> {
    let cancel =
        sql("UPDATE operations SET phase = $1, fault = $2, finished_at = $3 WHERE id = $4 AND finished_at IS NULL")
            .bind(to_word(&Phase::Cancelled)?)
            .bind(to_json(fault)?)
            .bind(tx.micros())
            .bind(id.to_string());
    tx.run(cancel).await.map(|_| ())
}

impl Store {
    /// The images that shelves in flight make: their files are there before their records are.
    pub async fn images_in_flight(&self) -> Result<Vec<ImageId>, StoreError> {
        let query = sql("SELECT params FROM operations WHERE finished_at IS NULL AND action = $1");
        let params: Vec<Value> = self
            .list(query.bind(Action::Shelve.as_str()), |row| row.json("params"))
            .await?;
        Ok(params.iter().filter_map(shelf_image).collect())
    }

    /// Every image that a shelve of an instance was to make, whatever became of it.
    pub async fn shelf_images(&self, instance: InstanceId) -> Result<Vec<ImageId>, StoreError> {
        let query = sql("SELECT params FROM operations WHERE instance = $1 AND action = $2 ORDER BY id");
        let query = query.bind(instance.to_string()).bind(Action::Shelve.as_str());
        let params: Vec<Value> = self.list(query, |row| row.json("params")).await?;
        Ok(params.iter().filter_map(shelf_image).collect())
    }

    /// How many operations of that action on an instance were asked for by somebody since that time.
    pub async fn count_operations(
        &self,
        instance: InstanceId,
        action: Action,
        by: &str,
        since: Timestamp,
    ) -> Result<u32, StoreError> {
        let query = sql(
            "SELECT COUNT(*) AS amount FROM operations WHERE instance = $1 AND action = $2 \
                         AND requested_by = $3 AND created_at >= $4",
        )
        .bind(instance.to_string())
        .bind(action.as_str())
        .bind(by)
        .bind(since.as_microsecond());
        Ok(self.one(query, |row| row.number("amount")).await?.unwrap_or_default())
    }

    /// An operation.
    pub async fn operation(&self, id: OperationId) -> Result<Option<OperationRecord>, StoreError> {
        self.one(
            sql("SELECT * FROM operations WHERE id = $1").bind(id.to_string()),
            OperationRecord::read,
        )
        .await
    }

    /// A page of operations, of one instance (which may be gone) or of all.
    pub async fn operations(
        &self,
        instance: Option<InstanceId>,
        page: Page<OperationId>,
    ) -> Result<Vec<OperationRecord>, StoreError> {
        let query: Sql = match instance {
            Some(instance) => sql("SELECT * FROM operations WHERE instance = $3 AND id > $1 ORDER BY id LIMIT $2")
                .bind(page.after())
                .bind(i64::from(page.limit))
                .bind(instance.to_string()),
            None => sql("SELECT * FROM operations WHERE id > $1 ORDER BY id LIMIT $2")
                .bind(page.after())
                .bind(i64::from(page.limit)),
        };
        self.list(query, OperationRecord::read).await
    }
}
