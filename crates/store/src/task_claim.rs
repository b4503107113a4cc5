//! The claim of an operation on volumes or images: the right to take it to its end, and the only writer of what it
//! changes. Simpler than an instance's: all its steps show one state, and only the step it is at is ever undone.
//!
//! ```text
//!   task_begin ──▶ TaskClaim ─ record, save ─ advance ─▶ next step ─ commit ─▶ the row's landing        (task_end)
//!                      └───── undo ─▶ undoing ─ fail ─▶ where it began, or Error if the data is doubtful
//! ```

use std::time::Duration;

use berth_model::{OperationId, VolumeAction, Work};
use serde_json::Value;
use sqlx::any::AnyRow;

use crate::event::NewEvent;
use crate::operation::{self, Phase, Progress};
use crate::row::{Columns as _, sql};
use crate::snapshot::Released;
use crate::task::Task;
use crate::tx::Tx;
use crate::{ClaimError, Entry, EntryKind, Fault, OperationRecord, Store, StoreError, journal, task_end};

/// The right to take one operation on volumes or images to its end.
#[derive(Debug)]
#[must_use = "a volume that is claimed shows a transitional state until the claim is taken to its end"]
pub struct TaskClaim {
    pub(crate) store: Store,
    pub(crate) operation: OperationId,
    pub(crate) task: Task,
    pub(crate) step: usize,
    pub(crate) phase: Phase,
    pub(crate) memo: Value,
    pub(crate) fault: Option<Fault>,
}

impl TaskClaim {
    /// Its operation.
    pub fn operation(&self) -> OperationId {
        self.operation
    }

    /// What was asked.
    pub fn task(&self) -> &Task {
        &self.task
    }

    /// What it does now.
    pub fn work(&self) -> Work {
        self.task.work(self.step)
    }

    /// Whether the step it is at is being undone.
    pub fn undoing(&self) -> bool {
        self.phase == Phase::Undoing
    }

    /// Why it is being undone.
    pub fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }

    /// What the steps have remembered; an empty object at first.
    pub fn memo(&self) -> &Value {
        &self.memo
    }

    /// Whether there is no step after the one it is at.
    pub fn last(&self) -> bool {
        match self.work() {
            Work::Volume(VolumeAction::Create | VolumeAction::SaveAsImage, step) => step > 0,
            Work::Volume(..) | Work::Image(_) | Work::Instance(_) => true,
        }
    }

    /// Writes a line of the journal about the step it is at.
    pub async fn record(&mut self, entry: Entry) -> Result<(), ClaimError> {
        let mut tx = self.hold().await?;
        journal::write(&mut tx, self.operation, self.work(), entry).await?;
        Ok(tx.commit().await?)
    }

    /// Keeps what the step has to remember before it has an effect.
    pub async fn save(&mut self, memo: Value) -> Result<(), ClaimError> {
        let mut tx = self.hold().await?;
        operation::save_memo(&mut tx, self.operation, &memo).await?;
        tx.commit().await?;
        self.memo = memo;
        Ok(())
    }

    /// The step is done: on to the next one.
    pub async fn advance(&mut self, memo: Value, took: Duration) -> Result<(), ClaimError> {
        if self.last() {
            return Err(ClaimError::LastStep);
        }
        let mut tx = self.hold().await?;
        self.done(&mut tx, took).await?;
        task_end::frozen(&mut tx, self.operation, self.task.freezes(), &memo).await?;
        let next = self.task.work(self.step + 1);
        self.update(&mut tx, next, Phase::Running, &memo, None).await?;
        tx.commit().await?;
        (self.step, self.memo) = (self.step + 1, memo);
        Ok(())
    }

    /// The last step is done: what the operation moved comes to rest, and what nothing needs any more is to be removed.
    pub async fn commit(self, memo: Value, took: Duration) -> Result<Released, ClaimError> {
        if !self.last() {
            return Err(ClaimError::NotLast);
        }
        let mut tx = self.hold().await?;
        self.done(&mut tx, took).await?;
        self.update(&mut tx, self.work(), Phase::Succeeded, &memo, None).await?;
        let released = task_end::land(&mut tx, self.operation, &self.task, &memo).await?;
        self.tell_end(&mut tx, None).await?;
        tx.commit().await?;
        Ok(released)
    }

    /// The step failed: from now on it is undone. The fault is kept.
    pub async fn undo(&mut self, fault: Fault) -> Result<(), ClaimError> {
        let mut tx = self.hold().await?;
        let line = Entry::of(EntryKind::Failed, Some(format!("{} ({})", fault.message, fault.code)));
        journal::write(&mut tx, self.operation, self.work(), line).await?;
        self.update(&mut tx, self.work(), Phase::Undoing, &self.memo, Some(&fault))
            .await?;
        tx.commit().await?;
        (self.phase, self.fault) = (Phase::Undoing, Some(fault));
        Ok(())
    }

    /// The step is undone: what was moved is where it was, but for what the memo says could only stay ([`MOVED`],
    /// [`GROWN`]). With `doubtful` it can't be told whether it is undone, for that reason, and what it moved is in Error.
    ///
    /// [`MOVED`]: crate::MOVED
    /// [`GROWN`]: crate::GROWN
    pub async fn fail(self, memo: Value, doubtful: Option<Fault>) -> Result<Released, ClaimError> {
        let Some(fault) = self.fault.clone().filter(|_| self.undoing()) else {
            return Err(ClaimError::NoSuchWay("the step is not undone yet"));
        };
        let mut tx = self.hold().await?;
        let line = Entry::of(EntryKind::Undone, doubtful.as_ref().map(|fault| fault.message.clone()));
        journal::write(&mut tx, self.operation, self.work(), line).await?;
        let phase = Phase::of_fault(&fault);
        self.update(&mut tx, self.work(), phase, &memo, Some(&fault)).await?;
        let back = task_end::Back {
            step: self.step,
            memo: &memo,
            fault: &fault,
            doubt: doubtful.as_ref(),
        };
        let released = task_end::fall_back(&mut tx, self.operation, &self.task, back).await?;
        self.tell_end(&mut tx, Some(&fault)).await?;
        tx.commit().await?;
        Ok(released)
    }

    /// Tells that it has ended: who waits for it need not know what it moved, which may be gone.
    async fn tell_end(&self, tx: &mut Tx, fault: Option<&Fault>) -> Result<(), StoreError> {
        let query =
            sql("SELECT project, subject, subject_name FROM operations WHERE id = $1").bind(self.operation.to_string());
        let Some(row) = tx.optional(query).await? else {
            return Ok(());
        };
        let event = NewEvent::about(
            "operation.ended",
            &row.text("project")?,
            &row.text("subject")?,
            &row.text("subject_name")?,
        );
        tx.event(NewEvent {
            operation: Some(self.operation),
            message: fault.map(|fault| fault.message.clone()),
            ..event
        })
        .await
    }

    /// Begins a transaction while the operation is still this claim's.
    async fn hold(&self) -> Result<Tx, ClaimError> {
        let mut tx = self.store.begin().await?;
        let query = sql("SELECT step, phase FROM operations WHERE id = $1 AND finished_at IS NULL");
        let row = tx.optional(query.bind(self.operation.to_string())).await?;
        let row = row.ok_or(ClaimError::Lost)?;
        let (step, phase): (usize, Phase) = (row.number("step")?, row.word("phase")?);
        if (step, phase) != (self.step, self.phase) {
            return Err(ClaimError::Lost);
        }
        Ok(tx)
    }

    async fn done(&self, tx: &mut Tx, took: Duration) -> Result<(), StoreError> {
        let entry = Entry {
            kind: EntryKind::Done,
            message: None,
            duration: Some(took),
        };
        journal::write(tx, self.operation, self.work(), entry).await
    }

    async fn update(
        &self,
        tx: &mut Tx,
        work: Work,
        phase: Phase,
        memo: &Value,
        fault: Option<&Fault>,
    ) -> Result<(), StoreError> {
        let now = Progress {
            work,
            phase,
            memo,
            fault,
        };
        operation::update(tx, self.operation, now).await
    }
}

impl Store {
    /// Every operation on volumes or images in flight, oldest first, as claims.
    ///
    /// Of two claims to one operation the one that writes first goes on, the other is [`ClaimError::Lost`].
    pub async fn tasks_in_flight(&self) -> Result<Vec<TaskClaim>, StoreError> {
        let query = sql("SELECT * FROM operations WHERE finished_at IS NULL \
                         AND (action LIKE 'volume.%' OR action LIKE 'image.%') ORDER BY id");
        let rows = self.all(query).await?;
        rows.iter().map(|row| self.resume_task(row)).collect()
    }

    /// The claim to an operation that is in flight.
    pub(crate) async fn task(&self, operation: &OperationRecord) -> Result<TaskClaim, StoreError> {
        let query = sql("SELECT * FROM operations WHERE id = $1").bind(operation.id.to_string());
        let row = self.optional(query).await?;
        self.resume_task(&row.ok_or_else(|| StoreError::not_found("operation", &operation.id))?)
    }

    fn resume_task(&self, row: &AnyRow) -> Result<TaskClaim, StoreError> {
        let record = OperationRecord::read(row)?;
        Ok(TaskClaim {
            store: self.clone(),
            operation: record.id,
            task: serde_json::from_value(record.params).map_err(|error| StoreError::corrupt("params", &error))?,
            step: record.work.step(),
            phase: record.phase,
            memo: row.json("memo")?,
            fault: record.fault,
        })
    }
}
