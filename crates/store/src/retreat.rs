//! The way back of a claim: step by step to the first one, then to where the action's row falls back.
//!
//! ```text
//!   step n ── undo ──▶ undoing n ── undone ──▶ undoing n-1 … undoing 0 ── undone (false) ──▶ fall_back
//!                          └── a step can't be undone ──▶ give_up ──▶ Error
//! ```

use berth_model::{Action, Fallback, Position, Stable, Standing, VolumeState, Work};

use crate::event::NewEvent;
use crate::operation::Phase;
use crate::{Claim, ClaimError, Entry, EntryKind, Fault, attached, journal, nic, transition};

/// What a look at the guest found, where the fallback is what is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// The guest runs.
    Running,
    /// The guest is off.
    Off,
}

impl Claim {
    /// The step failed: from now on what was done is undone, this step first. The fault is kept.
    pub async fn undo(&mut self, fault: Fault) -> Result<(), ClaimError> {
        self.forwards()?;
        let (mut tx, before) = self.hold().await?;
        self.journal_failed(&mut tx, &fault).await?;
        self.update(&mut tx, self.position, Phase::Undoing, &self.memo, Some(&fault))
            .await?;
        let event = before.record.event("operation.undoing");
        let message = Some(fault.message.clone());
        tx.event(NewEvent {
            operation: Some(self.operation),
            message,
            ..event
        })
        .await?;
        self.show(tx, &before, self.position, None).await?;
        (self.phase, self.fault) = (Phase::Undoing, Some(fault));
        Ok(())
    }

    /// The step is undone: back to the one before it; `false` if there is none left, and it can fall back.
    pub async fn undone(&mut self) -> Result<bool, ClaimError> {
        if !self.undoing() {
            return Err(ClaimError::NoSuchWay("nothing of the operation is being undone"));
        }
        let (mut tx, before) = self.hold().await?;
        journal::write(
            &mut tx,
            self.operation,
            Work::Instance(self.position),
            Entry::of(EntryKind::Undone, None),
        )
        .await?;
        let earlier = self.position.step().checked_sub(1);
        let Some(earlier) = earlier.and_then(|step| Position::at(self.position.action(), step)) else {
            tx.commit().await?;
            self.unwound = true;
            return Ok(false);
        };
        self.update(&mut tx, earlier, Phase::Undoing, &self.memo, self.fault.as_ref())
            .await?;
        self.show(tx, &before, earlier, None).await?;
        self.position = earlier;
        Ok(true)
    }

    /// All is undone: the instance comes to rest where the row falls back to, with the fault that [`Claim::undo`]
    /// was given. `found` decides only where reality does.
    pub async fn fall_back(self, found: Found) -> Result<(), ClaimError> {
        let Some(fault) = self.fault.clone().filter(|_| self.undoing() && self.unwound) else {
            return Err(ClaimError::NoSuchWay("steps of the operation are not undone yet"));
        };
        let to = match (self.position.action().row().on_failure, found) {
            (Fallback::Origin, _) => self.origin.unwrap_or(Stable::Error),
            (Fallback::AsFound, Found::Running) => Stable::Active,
            (Fallback::AsFound, Found::Off) => Stable::Stopped,
            // What should have gone on as another action and did not is in no state that can be relied on.
            (Fallback::Error | Fallback::Becomes(_), _) => Stable::Error,
        };
        self.fail(to, fault).await
    }

    /// A step can't be undone: the instance is in Error, and says why.
    pub async fn give_up(self, fault: Fault) -> Result<(), ClaimError> {
        self.fail(Stable::Error, fault).await
    }

    /// The instance at rest with a fault, the operation ended by it.
    async fn fail(self, to: Stable, fault: Fault) -> Result<(), ClaimError> {
        let (mut tx, before) = self.hold().await?;
        let line = Entry::of(
            EntryKind::Noted,
            Some(format!("fell back to {to}: {} ({})", fault.message, fault.code)),
        );
        journal::write(&mut tx, self.operation, Work::Instance(self.position), line).await?;
        self.update(
            &mut tx,
            self.position,
            Phase::of_fault(&fault),
            &self.memo,
            Some(&fault),
        )
        .await?;
        match self.position.action() {
            Action::Create => {
                attached::not_created(&mut tx, self.instance).await?;
                nic::not_created(&mut tx, self.instance).await?;
            }
            Action::Delete => attached::set_root_state(&mut tx, self.instance, VolumeState::Error).await?,
            _ => {}
        }
        let mut after = before.clone();
        after.record.standing = Standing::Resting(to);
        let why = self.why(Some(fault.message.clone()));
        (after.record.operation, after.record.fault) = (None, Some(fault));
        let written = transition::write(&mut tx, &before, &after, why).await?;
        self.end(tx, written).await
    }
}
