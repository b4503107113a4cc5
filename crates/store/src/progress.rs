//! What a claim may write: its journal, and where the action table lets it go on to. The way back is in `retreat`.
//!
//! ```text
//!             ┌── record, save ──┐
//!   step 0 ── advance ──▶ step 1 ── advance ──▶ … ── commit ──▶ the row's landing
//!      │                     │
//!      ├──── undo ───────────┤       becomes ──▶ step 0 of another action
//!      ▼                     ▼
//!   undoing 0 ◀── undone ── undoing 1          give_up ──▶ Error
//!      └── undone ──▶ fall_back ──▶ the row's fallback
//! ```
//!
//! Each is one transaction. A claim whose instance another operation took is [`ClaimError::Lost`], whatever it asks.

use std::time::Duration;

use berth_model::{
    Action, Fallback, Gib, InstanceState, InstanceType, Landing, Position, Stable, Standing, VolumeState, Work,
};
use serde_json::Value;

use crate::operation::{self, Phase, Progress};
use crate::transition::{self, Held, Why};
use crate::tx::Tx;
use crate::{
    Claim, ClaimError, Entry, EntryKind, Fault, ImageRecord, ResizedFrom, StoreError, attached, image, journal,
};

/// What the step of a shelve remembers: the [`ImageRecord`] of the image that it made.
pub const SHELF: &str = "shelf";

impl Claim {
    /// Writes a line of the journal about the step it is at, and nothing else.
    pub async fn record(&mut self, entry: Entry) -> Result<(), ClaimError> {
        let (mut tx, _) = self.hold().await?;
        journal::write(&mut tx, self.operation, Work::Instance(self.position), entry).await?;
        Ok(tx.commit().await?)
    }

    /// Keeps what the step has to remember before it has an effect.
    pub async fn save(&mut self, memo: Value) -> Result<(), ClaimError> {
        let (mut tx, _) = self.hold().await?;
        operation::save_memo(&mut tx, self.operation, &memo).await?;
        tx.commit().await?;
        self.memo = memo;
        Ok(())
    }

    /// The step is done: on to the next one of the row. [`ClaimError::LastStep`] if there is none.
    pub async fn advance(&mut self, memo: Value, took: Duration) -> Result<(), ClaimError> {
        self.forwards()?;
        let next = self.position.next().ok_or(ClaimError::LastStep)?;
        let (mut tx, before) = self.hold().await?;
        self.journal_done(&mut tx, took).await?;
        match self.position.state() {
            InstanceState::BlockDeviceMapping => {
                attached::set_state(&mut tx, self.instance, VolumeState::InUse).await?;
            }
            InstanceState::ResizeMigrated => {
                if let Some(size) = root_size(&self.params)? {
                    attached::grow_root(&mut tx, self.instance, size).await?;
                }
            }
            _ => {}
        }
        self.update(&mut tx, next, Phase::Running, &memo, None).await?;
        self.show(tx, &before, next, None).await?;
        (self.position, self.memo) = (next, memo);
        Ok(())
    }

    /// The last step is done: the instance comes to rest where the row lands. [`ClaimError::NotLast`] before it.
    pub async fn commit(mut self, memo: Value, took: Duration) -> Result<(), ClaimError> {
        self.forwards()?;
        if self.position.next().is_some() {
            return Err(ClaimError::NotLast);
        }
        let (mut tx, before) = self.hold().await?;
        self.journal_done(&mut tx, took).await?;
        self.update(&mut tx, self.position, Phase::Succeeded, &memo, None)
            .await?;
        self.memo = memo;
        let written = match self.position.action().row().lands {
            Landing::Gone => transition::remove(&mut tx, &before, self.why(None)).await?,
            Landing::In(stable) => self.land(&mut tx, &before, stable).await?,
            Landing::BeforeResize => {
                let origin = before.record.resized_from.as_ref().map(|from| from.stable);
                let origin = origin.ok_or_else(|| StoreError::corrupt("before_resize", "it is NULL"))?;
                self.land(&mut tx, &before, origin).await?
            }
        };
        self.end(tx, written).await
    }

    /// The step failed, and the operation goes on as the first step of the action that its row names. What was asked
    /// stays in the journal.
    pub async fn becomes(&mut self, fault: Fault) -> Result<(), ClaimError> {
        self.forwards()?;
        let Fallback::Becomes(other) = self.position.action().row().on_failure else {
            return Err(ClaimError::NoSuchWay("the action goes on as no other"));
        };
        let next = Position::first(other);
        let (mut tx, before) = self.hold().await?;
        self.journal_failed(&mut tx, &fault).await?;
        let line = format!("{} goes on as {other}", self.position.action());
        journal::write(
            &mut tx,
            self.operation,
            Work::Instance(next),
            Entry::of(EntryKind::Begun, Some(line)),
        )
        .await?;
        self.update(&mut tx, next, Phase::Running, &self.memo, None).await?;
        self.show(tx, &before, next, Some(fault.message)).await?;
        self.position = next;
        Ok(())
    }

    pub(crate) fn forwards(&self) -> Result<(), ClaimError> {
        if self.undoing() {
            return Err(ClaimError::NoSuchWay("the operation is being undone"));
        }
        Ok(())
    }

    /// Begins a transaction on the instance while it is still this claim's.
    pub(crate) async fn hold(&self) -> Result<(Tx, Held), ClaimError> {
        let mut tx = self.store.begin().await?;
        let held = Held::load(&mut tx, self.instance).await?.ok_or(ClaimError::Lost)?;
        if held.record.operation != Some(self.operation) || held.record.revision != self.revision {
            return Err(ClaimError::Lost);
        }
        Ok((tx, held))
    }

    pub(crate) fn why(&self, message: Option<String>) -> Why {
        Why {
            operation: Some(self.operation),
            message,
        }
    }

    async fn journal_done(&self, tx: &mut Tx, took: Duration) -> Result<(), StoreError> {
        let entry = Entry {
            kind: EntryKind::Done,
            message: None,
            duration: Some(took),
        };
        journal::write(tx, self.operation, Work::Instance(self.position), entry).await
    }

    pub(crate) async fn journal_failed(&self, tx: &mut Tx, fault: &Fault) -> Result<(), StoreError> {
        let entry = Entry::of(EntryKind::Failed, Some(format!("{} ({})", fault.message, fault.code)));
        journal::write(tx, self.operation, Work::Instance(self.position), entry).await
    }

    pub(crate) async fn update(
        &self,
        tx: &mut Tx,
        position: Position,
        phase: Phase,
        memo: &Value,
        fault: Option<&Fault>,
    ) -> Result<(), StoreError> {
        operation::update(
            tx,
            self.operation,
            Progress {
                work: Work::Instance(position),
                phase,
                memo,
                fault,
            },
        )
        .await
    }

    /// Commits with the instance at a step of the operation, which goes on.
    pub(crate) async fn show(
        &mut self,
        mut tx: Tx,
        before: &Held,
        position: Position,
        message: Option<String>,
    ) -> Result<(), ClaimError> {
        let mut after = before.clone();
        after.record.standing = Standing::Moving {
            from: self.origin,
            position,
        };
        let written = transition::write(&mut tx, before, &after, self.why(message)).await?;
        self.end(tx, written).await?;
        self.revision += 1;
        Ok(())
    }

    /// Commits, unless the row was another by now.
    pub(crate) async fn end(&self, tx: Tx, written: bool) -> Result<(), ClaimError> {
        if !written {
            return Err(ClaimError::Lost);
        }
        Ok(tx.commit().await?)
    }

    /// The instance at rest after all steps.
    async fn land(&mut self, tx: &mut Tx, before: &Held, stable: Stable) -> Result<bool, StoreError> {
        let mut after = before.clone();
        after.record.standing = Standing::Resting(stable);
        (after.record.operation, after.record.fault, after.record.degraded) = (None, None, None);
        let old = after.record.resized_from.take();
        match self.position.action() {
            Action::Resize => {
                let instance_type = std::mem::replace(&mut after.record.instance_type, new_type(&self.params)?);
                let stable = self.origin.ok_or_else(|| StoreError::corrupt("stable", "it is NULL"))?;
                let confirm = self.params.get("confirm").and_then(Value::as_bool).unwrap_or_default();
                after.record.resized_from = Some(ResizedFrom {
                    stable,
                    instance_type,
                    confirm,
                    at: tx.at,
                });
            }
            Action::RevertResize => {
                let old = old.ok_or_else(|| StoreError::corrupt("before_resize", "it is NULL"))?;
                after.record.instance_type = old.instance_type;
            }
            Action::Shelve => {
                image::put_on_shelf(tx, self.instance, &shelf(&self.memo)?).await?;
                attached::set_state(tx, self.instance, VolumeState::Reserved).await?;
            }
            Action::Unshelve => attached::set_state(tx, self.instance, VolumeState::InUse).await?,
            Action::Create
            | Action::Start
            | Action::Stop
            | Action::SoftReboot
            | Action::HardReboot
            | Action::ConfirmResize
            | Action::Delete => {}
        }
        transition::write(tx, before, &after, self.why(None)).await
    }
}

/// The size that a resize gives the root volume, from what the request said; none if it stays as it is.
pub(crate) fn root_size(params: &Value) -> Result<Option<Gib>, StoreError> {
    let wanted = params.get("root_size").cloned().unwrap_or_default();
    serde_json::from_value(wanted).map_err(|error| StoreError::corrupt("params", &error))
}

/// The image that a shelve has made, from what its step remembers.
fn shelf(memo: &Value) -> Result<ImageRecord, StoreError> {
    let made = memo.get(SHELF).cloned().unwrap_or_default();
    serde_json::from_value(made).map_err(|error| StoreError::corrupt("memo", &error))
}

/// The type that a resize is asked for, from what the request said.
pub(crate) fn new_type(params: &Value) -> Result<InstanceType, StoreError> {
    let wanted = params.get("instance_type").cloned().unwrap_or_default();
    serde_json::from_value(wanted).map_err(|error| StoreError::Params {
        action: Action::Resize,
        reason: format!("'instance_type' has to be an entry of the catalog of types: {error}"),
    })
}
