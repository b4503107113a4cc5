//! The runner of operations on volumes and images. All steps of one show one state; a failure undoes the step it is at
//! and nothing else: what earlier steps have done is either harmless or a fact.
//!
//! ```text
//!   step ─ok─▶ advance ─▶ step ─ok─▶ commit      (the row's landing)
//!     └─ fails ─▶ undo ─▶ unmake ─ok─▶ fail      (where it began)
//!                            └─ fails ─▶ fail    (Error: the data is doubtful)
//! ```

use std::sync::Arc;
use std::time::Instant;

use berth_model::Work;
use berth_store::{ClaimError, Entry, EntryKind, Released, TaskClaim};
use tokio::sync::Semaphore;

use crate::fault::{self, Point};
use crate::half::{Hands, Way};
use crate::{Failure, Memo, Retry, StepFn};

/// One step of a task: make sure it is so, make sure it isn't.
pub struct TaskStep<C> {
    /// Make sure it is so.
    pub make: StepFn<C>,
    /// Make sure it isn't; fails if it can't be told whether it is.
    pub unmake: StepFn<C>,
}

/// What the runner needs of the one who has the steps.
pub trait Workshop: Send + Sync + 'static {
    /// What the steps are given.
    type Context: Send + Sync + 'static;

    /// The step that the work is at.
    fn step(&self, work: Work) -> TaskStep<Self::Context>;

    /// Waits, after a step failed because something it needs is away, until that is back. Blocking; fails if it took
    /// too long.
    fn wait_until_back(context: &Self::Context) -> Result<(), Failure>;
}

/// How a task ended.
#[derive(Debug)]
pub enum TaskEnd {
    /// It did what was asked; that is to be removed.
    Done(Released),
    /// It failed; that is to be removed.
    Failed(Released),
    /// What has to be done by the instance's own task is done; the rest goes on elsewhere.
    Elsewhere(Box<TaskClaim>),
    /// A cancel took it.
    Lost,
}

/// Runs a task to its end; one that is run by its instance's task only to the end of its first step. `slots` bounds how
/// many steps are under way at once.
///
/// An error is one of the store: the task stays in flight, and the next start of the daemon goes on with it.
pub async fn run_task<W: Workshop>(
    workshop: &W,
    claim: TaskClaim,
    (context, on_instance): (Arc<W::Context>, bool),
    slots: &Semaphore,
    retry: Retry,
) -> Result<TaskEnd, ClaimError> {
    let hands = Hands {
        context,
        slots,
        retry,
        wait_until_back: W::wait_until_back,
    };
    match forth_and_back(workshop, claim, &hands, on_instance).await {
        Err(ClaimError::Lost) => Ok(TaskEnd::Lost),
        other => other,
    }
}

async fn forth_and_back<W: Workshop>(
    workshop: &W,
    mut claim: TaskClaim,
    hands: &Hands<'_, W::Context>,
    on_instance: bool,
) -> Result<TaskEnd, ClaimError> {
    let mut memo = Memo::from_value(claim.memo());
    while !claim.undoing() {
        let (begun, work) = (Instant::now(), claim.work());
        let step = workshop.step(work);
        match hands.half(&mut claim, &mut memo, (step.make, Way::Forth)).await? {
            Ok(()) if claim.last() => {
                let released = claim.commit(memo.to_value(), begun.elapsed()).await;
                // Too late for it to fail.
                let _ = released.is_ok().then(|| fault::at(work, Point::Committed));
                return released.map(TaskEnd::Done);
            }
            Ok(()) => {
                claim.advance(memo.to_value(), begun.elapsed()).await?;
                let _ = fault::at(work, Point::Committed);
                if on_instance {
                    return Ok(TaskEnd::Elsewhere(Box::new(claim)));
                }
            }
            // The daemon goes down, or a cancel has taken it: whoever goes on with it has the journal.
            Err(Failure::Cancelled) => return Ok(TaskEnd::Lost),
            Err(failure) => claim.undo(failure.fault()).await?,
        }
    }
    let step = workshop.step(claim.work());
    let doubt = match hands.half(&mut claim, &mut memo, (step.unmake, Way::Back)).await? {
        Ok(()) => None,
        Err(Failure::Cancelled) => return Ok(TaskEnd::Lost),
        Err(failure) => Some(failure.fault()),
    };
    claim.fail(memo.to_value(), doubt).await.map(TaskEnd::Failed)
}

/// Writes into the journal of a task found in flight that it goes on.
pub async fn resume_task(claim: &mut TaskClaim) -> Result<(), ClaimError> {
    let way = if claim.undoing() {
        "goes on undoing"
    } else {
        "goes on with"
    };
    let entry = Entry {
        kind: EntryKind::Noted,
        message: Some(format!("the daemon started again and {way} {}", claim.work().action())),
        duration: None,
    };
    claim.record(entry).await
}
