//! Cancelling: an operation is turned to its way back because somebody asks, not because a step failed.
//!
//! ```text
//!   cancel ── a claim of its own ── undo ──▶ one transaction: the operation undoing, the revision another
//!                                              ├─▶ the claim that took it on: Lost, at its next write
//!                                              └─▶ this claim: undone … fall_back, as after a failed step
//! ```
//!
//! The wish is written down before anything is done about it: a daemon that dies goes on undoing. What may be
//! cancelled is [`Action::cancellable`](berth_model::Action::cancellable).

use berth_model::{Code, ImageAction, OperationId, VolumeAction, Work};

use crate::row::sql;
use crate::{Claim, ClaimError, Fault, OperationRecord, Requester, Store, StoreError, TaskClaim};

/// A claim that takes an operation back.
#[derive(Debug)]
pub enum Back {
    /// Of an instance's.
    Instance(Box<Claim>),
    /// Of a volume's or an image's.
    Task(Box<TaskClaim>),
}

impl Store {
    /// Cancels an operation in flight: the claim that takes it back, or none if it is on its way back already.
    ///
    /// Errors: [`StoreError::NotFound`]; [`StoreError::NotCancellable`] if it has ended, or is seen through.
    pub async fn cancel(&self, id: OperationId, by: &Requester) -> Result<Option<Back>, ClaimError> {
        loop {
            let Some(mut back) = self.cancellable(id).await? else {
                return Ok(None);
            };
            let why = Fault::new(Code::OperationCancelled, format!("cancelled by {}", by.who));
            let undone = match &mut back {
                Back::Instance(claim) => claim.undo(why).await,
                Back::Task(claim) => claim.undo(why).await,
            };
            match undone {
                // Whoever runs it was faster, and it is a step further. There are not many.
                Err(ClaimError::Lost) => {}
                done => return done.map(|()| Some(back)),
            }
        }
    }

    /// A claim to an operation that may be cancelled; none if it is being undone.
    async fn cancellable(&self, id: OperationId) -> Result<Option<Back>, ClaimError> {
        let found = self.operation(id).await?;
        let operation = found.ok_or_else(|| StoreError::not_found("operation", &id))?;
        let refused = |why| StoreError::NotCancellable { operation: id, why };
        if operation.phase.is_final() {
            return Err(refused("it has ended".to_owned()).into());
        }
        if !may_be(&operation) {
            let why = format!("{} is seen through once it has begun", operation.work.action());
            return Err(refused(why).into());
        }
        if operation.work.position().is_none() {
            let claim = self.task(&operation).await?;
            return Ok((!claim.undoing()).then(|| Back::Task(Box::new(claim))));
        }
        let query = sql(
            "SELECT o.*, i.revision, i.stable FROM operations o JOIN instances i ON i.operation = o.id \
                         WHERE o.id = $1",
        );
        let Some(row) = self.optional(query.bind(id.to_string())).await? else {
            return Err(refused("it has ended".to_owned()).into());
        };
        let claim = self.resume(&row)?;
        Ok((!claim.undoing()).then(|| Back::Instance(Box::new(claim))))
    }
}

/// Whether an operation may be cancelled: of volumes and images what takes long, and leaves nothing of itself.
fn may_be(operation: &OperationRecord) -> bool {
    match operation.work {
        Work::Instance(position) => position.action().cancellable(),
        Work::Volume(VolumeAction::Create | VolumeAction::SaveAsImage, _) | Work::Image(ImageAction::Import) => true,
        Work::Volume(..) => false,
    }
}
