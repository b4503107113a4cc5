//! The step runner: takes a claim from where it is to its end.
//!
//! Between two transactions of the store it calls one half of one step, on the blocking pool. It is the only place
//! that decides *again*, *on*, *back* or *give up*:
//!
//! - a transient failure is tried again, with a pause that doubles, as often as [`Retry`] says;
//! - while something that every step needs is away (libvirt), nothing is tried and nothing counted: it waits;
//! - a final one is handled as the action's row says: undo and fall back, or go on as another action;
//! - an undo that fails for good leaves the instance in Error, and says so;
//! - a claim that was lost (delete took the instance) ends at once: what it made is delete's business.

use std::sync::Arc;
use std::time::Instant;

use berth_model::{Action, Code, Fallback, Position, Work};
use berth_store::{Claim, ClaimError, Entry, EntryKind, Fault, Found};
use tokio::sync::Semaphore;

use crate::fault::{self, Point};
use crate::half::{Hands, Way};
use crate::{Failure, Memo, Plan, Recipe, Retry, plan};

/// What the runner needs of the one who has the recipes.
pub trait Kitchen: Send + Sync + 'static {
    /// What the steps are given: the adapters, and the instance they are about.
    type Context: Send + Sync + 'static;

    /// The recipe of an action.
    fn recipe(&self, action: Action) -> &'static Recipe<Self::Context>;

    /// Whether the guest runs, for actions whose fallback is what is found.
    fn found(&self, context: &Self::Context) -> Found;

    /// Waits, after a step failed because something it needs is away, until that is back. Blocking; fails if it took
    /// too long or a later request took the instance over.
    fn wait_until_back(context: &Self::Context) -> Result<(), Failure>;
}

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// All steps are done.
    Done,
    /// It fell back.
    FellBack,
    /// Another operation took the instance over.
    Lost,
}

/// Runs an operation to its end. `slots` bounds how many steps are under way at once.
///
/// An error is one of the store: the operation stays in flight, and the next start of the daemon goes on with it.
pub async fn run<K: Kitchen>(
    kitchen: &K,
    claim: Claim,
    context: Arc<K::Context>,
    slots: &Semaphore,
    retry: Retry,
) -> Result<End, ClaimError> {
    let hands = Hands {
        context,
        slots,
        retry,
        wait_until_back: K::wait_until_back,
    };
    let runner = Runner { kitchen, hands };
    let ended = match claim.verify().await {
        Ok(()) => runner.forwards(claim).await,
        Err(error) => Err(error),
    };
    match ended {
        Err(ClaimError::Lost) => Ok(End::Lost),
        other => other,
    }
}

/// Turns a claim found in flight after a crash to the way its [`Plan`] says, and writes that down; [`run`] takes it
/// from there.
pub async fn resume(claim: &mut Claim) -> Result<Plan, ClaimError> {
    let plan = plan(claim.position(), claim.undoing());
    let state = claim.position().state();
    let goes_on = match plan {
        Plan::GoOn => format!("the daemon started again and goes on with {state}"),
        Plan::GoOnUndoing => format!("the daemon started again and goes on undoing {state}"),
        Plan::RollBack => format!("the daemon started again and undoes {state}"),
    };
    let entry = Entry {
        kind: EntryKind::Noted,
        message: Some(goes_on),
        duration: None,
    };
    claim.record(entry).await?;
    if plan == Plan::RollBack {
        claim
            .undo(Fault::new(
                Code::Internal,
                format!("the daemon ended while the instance was {state}"),
            ))
            .await?;
    }
    Ok(plan)
}

/// A step is done, and that is written down: too late for it to fail.
fn passed(position: Position) {
    let _ = fault::at(Work::Instance(position), Point::Committed);
}

struct Runner<'a, K: Kitchen> {
    kitchen: &'a K,
    hands: Hands<'a, K::Context>,
}

impl<K: Kitchen> Runner<'_, K> {
    async fn forwards(&self, mut claim: Claim) -> Result<End, ClaimError> {
        let mut memo = Memo::from_value(claim.memo());
        while !claim.undoing() {
            let begun = Instant::now();
            let position = claim.position();
            match self.half(&mut claim, &mut memo, Way::Forth).await? {
                Ok(()) if position.next().is_some() => {
                    claim.advance(memo.to_value(), begun.elapsed()).await?;
                    passed(position);
                }
                Ok(()) => {
                    claim.commit(memo.to_value(), begun.elapsed()).await?;
                    passed(position);
                    return Ok(End::Done);
                }
                Err(Failure::Cancelled) => return Ok(End::Lost),
                Err(failure) => match claim.position().action().row().on_failure {
                    Fallback::Becomes(_) => claim.becomes(failure.fault()).await?,
                    Fallback::Error | Fallback::Origin | Fallback::AsFound => claim.undo(failure.fault()).await?,
                },
            }
        }
        self.backwards(claim, memo).await
    }

    async fn backwards(&self, mut claim: Claim, mut memo: Memo) -> Result<End, ClaimError> {
        loop {
            match self.half(&mut claim, &mut memo, Way::Back).await? {
                Ok(()) => {}
                Err(Failure::Cancelled) => return Ok(End::Lost),
                Err(failure) => {
                    claim.give_up(failure.fault()).await?;
                    return Ok(End::FellBack);
                }
            }
            if !claim.undone().await? {
                let (kitchen, context) = (self.kitchen, &self.hands.context);
                let found = match claim.position().action().row().on_failure {
                    Fallback::AsFound => tokio::task::block_in_place(|| kitchen.found(context)),
                    Fallback::Error | Fallback::Origin | Fallback::Becomes(_) => Found::Off,
                };
                claim.fall_back(found).await?;
                return Ok(End::FellBack);
            }
        }
    }

    /// One half of the step the claim is at, tried again while its failures are transient.
    async fn half(&self, claim: &mut Claim, memo: &mut Memo, way: Way) -> Result<Result<(), Failure>, ClaimError> {
        let position = claim.position();
        let recipe = self.kitchen.recipe(position.action());
        let Some(step) = recipe.steps.get(position.step()) else {
            let message = format!("{} has no step {}", position.action(), position.step());
            return Ok(Err(Failure::fatal(Code::Internal, message)));
        };
        let function = match way {
            Way::Forth => step.make,
            Way::Back => step.unmake,
        };
        self.hands.half(claim, memo, (function, way)).await
    }
}
