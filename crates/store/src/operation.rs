//! Operations: one action on one instance, volume or image, from claim to end. The rows stay when that is gone.

use std::time::Duration;

use berth_model::{Action, Code, ImageId, InstanceId, Name, OperationId, Position, Work};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::any::AnyRow;

use crate::row::{Columns as _, maybe_to_json, sql, to_json, to_number, to_word};
use crate::tx::Tx;
use crate::{Expected, Fault, Page, Requester, Store, StoreError, Task};

/// In the params of a shelve: the id of the image that it makes.
pub const SHELF_IMAGE: &str = "shelf_image";

/// In the params of an unshelve: the id of the root volume's new layer.
pub const ROOT_LAYER: &str = "root_layer";

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
    /// How an operation has ended that was undone because of that fault.
    pub(crate) fn of_fault(fault: &Fault) -> Self {
        match fault.code {
            Code::OperationCancelled => Self::Cancelled,
            _ => Self::Failed,
        }
    }

    /// The phase as it is on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Undoing => "undoing",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

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
    /// What it does, and the step it is at, or was at last: what was asked, or what it became (a soft reboot that goes
    /// on as a hard one).
    pub work: Work,
    /// The project that it is done for.
    pub project: String,
    /// The id of what it moves: an instance, a volume, an image, as its work says.
    pub subject: String,
    /// The name of what it moves.
    pub subject_name: String,
    /// How it stands.
    pub phase: Phase,
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

/// What a row does, and the step it is at.
pub(crate) fn read_work(row: &AnyRow) -> Result<Work, StoreError> {
    let (action, step) = (row.text("action")?, row.number("step")?);
    Work::read(&action, step).ok_or_else(|| StoreError::corrupt("step", &format!("{action} has no step {step}")))
}

/// The step that the row of an instance's operation is at.
pub(crate) fn read_position(row: &AnyRow) -> Result<Position, StoreError> {
    let work = read_work(row)?;
    work.position()
        .ok_or_else(|| StoreError::corrupt("action", &format!("{} moves no instance", work.word())))
}

/// What an operation moves: an instance, a volume, an image.
pub(crate) struct Subject<'a> {
    pub(crate) project: &'a str,
    pub(crate) id: String,
    pub(crate) name: &'a Name,
}

impl OperationRecord {
    pub(crate) fn read(row: &AnyRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.parsed("id")?,
            work: read_work(row)?,
            project: row.text("project")?,
            subject: row.text("subject")?,
            subject_name: row.text("subject_name")?,
            phase: row.word("phase")?,
            params: row.json("params")?,
            requested_by: row.text("requested_by")?,
            fault: row.maybe_json("fault")?,
            created_at: row.time("created_at")?,
            finished_at: row.maybe_time("finished_at")?,
        })
    }

    /// An operation that begins now.
    pub(crate) fn begin(tx: &Tx, work: Work, of: Subject<'_>, params: Value, by: &Requester) -> Self {
        Self {
            id: OperationId::new(),
            work,
            project: of.project.to_owned(),
            subject: of.id,
            subject_name: of.name.to_string(),
            phase: Phase::Running,
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
                      (id, subject, subject_name, action, step, phase, params, memo, requested_by, created_at, project) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7, '{}', $8, $9, $10)")
    .bind(new.id.to_string())
    .bind(new.subject.as_str())
    .bind(new.subject_name.as_str())
    .bind(new.work.word())
    .bind(to_number(new.work.step())?)
    .bind(to_word(&new.phase)?)
    .bind(to_json(&new.params)?)
    .bind(new.requested_by.as_str())
    .bind(new.created_at.as_microsecond())
    .bind(new.project.as_str());
    tx.run(insert).await?;
    tx.begun.push(new.id);
    Ok(())
}

/// What changes about an operation while it is in flight.
pub(crate) struct Progress<'a> {
    pub(crate) work: Work,
    pub(crate) phase: Phase,
    pub(crate) memo: &'a Value,
    pub(crate) fault: Option<&'a Fault>,
}

/// Writes how an operation stands; a final phase ends it.
pub(crate) async fn update(tx: &mut Tx, id: OperationId, now: Progress<'_>) -> Result<(), StoreError> {
    let finished_at = now.phase.is_final().then(|| tx.micros());
    let update = sql(
        "UPDATE operations SET action = $1, step = $2, phase = $3, memo = $4, fault = $5, finished_at = $6 \
                      WHERE id = $7 AND finished_at IS NULL RETURNING action, step, created_at",
    )
    .bind(now.work.word())
    .bind(to_number(now.work.step())?)
    .bind(to_word(&now.phase)?)
    .bind(to_json(now.memo)?)
    .bind(maybe_to_json(now.fault)?)
    .bind(finished_at)
    .bind(id.to_string());
    match tx.optional(update).await? {
        Some(row) if now.phase.is_final() => ended(tx, &row, now.phase),
        Some(_) => Ok(()),
        None => Err(StoreError::corrupt(
            format!("operation {id}"),
            "what it moves refers to it and it is not in flight",
        )),
    }
}

/// Notes that the operation of a row has ended.
fn ended(tx: &mut Tx, row: &AnyRow, phase: Phase) -> Result<(), StoreError> {
    let took = tx.at.duration_since(row.time("created_at")?);
    // A clock that was set back meanwhile makes it no time at all.
    let took = Duration::try_from(took).unwrap_or_default();
    tx.counted.ended.push((read_work(row)?, phase, took));
    Ok(())
}

/// Writes what the step of an operation has to remember.
pub(crate) async fn save_memo(tx: &mut Tx, id: OperationId, memo: &Value) -> Result<(), StoreError> {
    let save = sql("UPDATE operations SET memo = $1 WHERE id = $2");
    tx.run(save.bind(to_json(memo)?).bind(id.to_string())).await.map(|_| ())
}

/// Ends an operation that another one takes the place of.
pub(crate) async fn cancel(tx: &mut Tx, id: OperationId, fault: &Fault) -> Result<(), StoreError> {
    let cancel = sql(
        "UPDATE operations SET phase = $1, fault = $2, finished_at = $3 WHERE id = $4 AND finished_at IS NULL \
                      RETURNING action, step, created_at",
    )
    .bind(to_word(&Phase::Cancelled)?)
    .bind(to_json(fault)?)
    .bind(tx.micros())
    .bind(id.to_string());
    match tx.optional(cancel).await? {
        Some(row) => ended(tx, &row, Phase::Cancelled),
        None => Ok(()),
    }
}

impl Store {
    /// The images that operations in flight make: their files are there before their records are.
    pub async fn images_in_flight(&self) -> Result<Vec<ImageId>, StoreError> {
        let query = sql("SELECT params FROM operations WHERE finished_at IS NULL AND action = $1");
        let params: Vec<Value> = self
            .list(query.bind(Action::Shelve.as_str()), |row| row.json("params"))
            .await?;
        let tasks = self.tasks_in_flight().await?;
        let made = tasks.iter().filter_map(|claim| claim.task().image());
        Ok(params.iter().filter_map(shelf_image).chain(made).collect())
    }

    /// What operations in flight fetch.
    pub async fn downloads_in_flight(&self) -> Result<Vec<ImageId>, StoreError> {
        let mut all = Vec::new();
        for claim in self.tasks_in_flight().await? {
            if let Task::ImportImage { image, expected, .. } = claim.task() {
                all.push(image.id);
                if let Some(Expected::File { id, .. }) = expected {
                    all.push(*id);
                }
            }
        }
        Ok(all)
    }

    /// Every image that a shelve of an instance was to make, whatever became of it.
    pub async fn shelf_images(&self, instance: InstanceId) -> Result<Vec<ImageId>, StoreError> {
        let query = sql("SELECT params FROM operations WHERE subject = $1 AND action = $2 ORDER BY id");
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
            "SELECT COUNT(*) AS amount FROM operations WHERE subject = $1 AND action = $2 \
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

    /// A page of the operations of a project on one instance, volume or image by its id (it may be gone), in the order
    /// of their ids.
    pub async fn operations_on(
        &self,
        project: &str,
        subject: &str,
        page: Page<OperationId>,
    ) -> Result<Vec<OperationRecord>, StoreError> {
        let query =
            sql("SELECT * FROM operations WHERE subject = $3 AND project = $4 AND id > $1 ORDER BY id LIMIT $2")
                .bind(page.after())
                .bind(i64::from(page.limit))
                .bind(subject.to_owned())
                .bind(project.to_owned());
        self.list(query, OperationRecord::read).await
    }
}
