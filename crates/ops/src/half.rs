//! One half of a step: called on the blocking pool, tried again while its failures are transient, waited for while
//! something that every step needs is away. The same for operations on instances, volumes and images.

use std::sync::Arc;
use std::time::{Duration, Instant};

use berth_model::{Code, Work};
use berth_store::{Claim, ClaimError, Entry, EntryKind, TaskClaim};
use tokio::sync::Semaphore;

use crate::fault::{self, Point};
use crate::{Failure, Memo, StepFn};

/// How often, and how patiently, a transient failure is tried again.
#[derive(Debug, Clone, Copy)]
pub struct Retry {
    /// The most attempts at one step, the first included.
    pub attempts: u32,
    /// The pause after the first attempt; each further one is twice as long.
    pub pause: Duration,
}

impl Default for Retry {
    /// Six attempts within about six seconds.
    fn default() -> Self {
        Self {
            attempts: 6,
            pause: Duration::from_millis(200),
        }
    }
}

/// Which half of a step.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Way {
    Forth,
    Back,
}

/// A claim, for whoever does its steps.
pub(crate) trait Journaled: Send {
    /// What it is at.
    fn at(&self) -> Work;
    /// Writes a line of its journal.
    fn line(&mut self, entry: Entry) -> impl Future<Output = Result<(), ClaimError>> + Send;
}

impl Journaled for Claim {
    fn at(&self) -> Work {
        Work::Instance(self.position())
    }

    async fn line(&mut self, entry: Entry) -> Result<(), ClaimError> {
        self.record(entry).await
    }
}

impl Journaled for TaskClaim {
    fn at(&self) -> Work {
        self.work()
    }

    async fn line(&mut self, entry: Entry) -> Result<(), ClaimError> {
        self.record(entry).await
    }
}

/// What does the halves of steps.
pub(crate) struct Hands<'a, C> {
    pub(crate) context: Arc<C>,
    /// Bounds how many steps are under way at once.
    pub(crate) slots: &'a Semaphore,
    pub(crate) retry: Retry,
    pub(crate) wait_until_back: fn(&C) -> Result<(), Failure>,
}

impl<C: Send + Sync + 'static> Hands<'_, C> {
    /// Does one half of the step that the claim is at.
    pub(crate) async fn half(
        &self,
        claim: &mut impl Journaled,
        memo: &mut Memo,
        (function, way): (StepFn<C>, Way),
    ) -> Result<Result<(), Failure>, ClaimError> {
        let work = claim.at();
        let (before, after) = match way {
            Way::Forth => (Point::Before, Point::After),
            Way::Back => (Point::UndoBefore, Point::UndoAfter),
        };
        if let Err(failure) = fault::at(work, before) {
            return Ok(Err(failure));
        }
        let mut attempts = 1;
        loop {
            let begun = Instant::now();
            let (result, remembered) = self.call(function, memo.clone()).await;
            *memo = remembered;
            let settled = match result.and_then(|()| fault::at(work, after)) {
                Err(Failure::Away { code, message }) => {
                    let waits = format!("waits: {message} ({code})");
                    claim.line(line(EntryKind::Noted, waits, None)).await?;
                    self.wait_until_back().await
                }
                Err(Failure::Transient { code, message }) if attempts < self.retry.attempts => {
                    let failed = format!("{message} ({code})");
                    let took = Some(begun.elapsed());
                    claim.line(line(EntryKind::Retried, failed, took)).await?;
                    tokio::time::sleep(self.retry.pause * 2_u32.pow(attempts - 1)).await;
                    attempts += 1;
                    Ok(())
                }
                settled => return Ok(settled),
            };
            if settled.is_err() {
                return Ok(settled);
            }
        }
    }

    async fn wait_until_back(&self) -> Result<(), Failure> {
        let (context, wait) = (Arc::clone(&self.context), self.wait_until_back);
        let wait = tokio::task::spawn_blocking(move || wait(&context));
        wait.await.unwrap_or_else(|panic| Err(panicked(&panic)))
    }

    /// Calls a step's function on the blocking pool, within the bound on steps under way.
    async fn call(&self, function: StepFn<C>, mut memo: Memo) -> (Result<(), Failure>, Memo) {
        let _slot = self.slots.acquire().await;
        let context = Arc::clone(&self.context);
        let before = memo.clone();
        let call = tokio::task::spawn_blocking(move || {
            let result = function(&context, &mut memo);
            (result, memo)
        });
        call.await.unwrap_or_else(|panic| (Err(panicked(&panic)), before))
    }
}

fn line(kind: EntryKind, message: String, duration: Option<Duration>) -> Entry {
    Entry {
        kind,
        message: Some(message),
        duration,
    }
}

fn panicked(panic: &tokio::task::JoinError) -> Failure {
    tracing::error!(%panic, "a step panicked");
    Failure::fatal(Code::Internal, "a step panicked: a defect of Berth, see its log")
}
