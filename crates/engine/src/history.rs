//! What happened to an instance, oldest first: its operations and their journals, and what it did by itself.
//!
//! ```text
//!   operations ─┐                                    what was asked, and how it ended
//!   journal  ───┼──▶ tell (pure) ──▶ HistoryEntry …  each step: how it went, how often it was tried, how long it took
//!   events   ───┘                                    what libvirt reported, and what was adopted of it
//! ```
//!
//! All three outlive the instance, so that one that is gone is told of by its id.

use std::time::Duration;

use berth_model::{Action, InstanceId, InstanceState, OperationId};
use berth_store::{EntryKind, EventRecord, Fault, JournalRecord, OperationRecord, Page, Phase, Span, StoreError};
use jiff::Timestamp;
use serde_json::Value;

use crate::{Engine, EngineError};

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryEntry {
    /// When.
    pub at: Timestamp,
    /// The operation it belongs to; none for what was adopted while no operation had the instance.
    pub operation: Option<OperationId>,
    /// What it was.
    pub what: Happened,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Happened {
    /// An operation was asked for.
    Asked {
        /// The action.
        action: Action,
        /// Who asked.
        by: String,
        /// What the request said.
        params: Value,
    },
    /// The operation goes on as another action.
    Became {
        /// That action.
        action: Action,
    },
    /// A step, or an attempt at it, came to an end.
    Step {
        /// The documented state.
        state: InstanceState,
        /// How it went.
        end: StepEnd,
        /// The number of the attempt, from 1.
        attempt: u32,
        /// How long it took: the attempt when it is tried again, else the whole step.
        took: Option<Duration>,
        /// What went wrong.
        message: Option<String>,
    },
    /// Something worth knowing about the step.
    Noted {
        /// The documented state.
        state: InstanceState,
        /// In words.
        message: String,
    },
    /// libvirt sent an event of the guest while the operation had it.
    Heard {
        /// The documented state.
        state: InstanceState,
        /// The event, in libvirt's words.
        event: String,
    },
    /// The guest did something while no operation had it, and the record followed.
    Adopted {
        /// What, e.g. `guest.stopped`.
        kind: String,
        /// The event of libvirt that told of it; none if libvirt said so when it was asked.
        event: Option<String>,
        /// The documented state that followed, if it is another one.
        state: Option<String>,
        /// In words.
        message: Option<String>,
    },
    /// The operation ended.
    Ended {
        /// The action: what was asked, or what it became.
        action: Action,
        /// How.
        phase: Phase,
        /// The documented state it left; none if the instance is gone, or another operation took it.
        state: Option<String>,
        /// How long it took, from when it was asked for.
        took: Duration,
        /// Why it failed.
        fault: Option<Fault>,
    },
}

/// How a step, or an attempt at it, went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepEnd {
    /// It is done.
    Done,
    /// It failed and is tried again.
    Retried,
    /// It failed for good.
    Failed,
    /// It is undone.
    Undone,
}

/// One page of a history.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// What happened, oldest first.
    pub entries: Vec<HistoryEntry>,
    /// The last operation of this page, if there are more.
    pub next: Option<OperationId>,
}

impl Engine {
    /// A page of what happened to an instance: so many operations, and what it did by itself until the one after
    /// them. An instance that is gone is found by its id.
    pub async fn history(
        &self,
        project: &str,
        reference: &str,
        page: Page<OperationId>,
    ) -> Result<History, EngineError> {
        let store = &self.world.store;
        let id: InstanceId = match reference.parse() {
            Ok(id) => id,
            Err(_) => store.find_instance(project, reference).await?.id,
        };
        // One more than asked for: whether there are more, and where this page ends.
        let limit = page.limit.saturating_add(1);
        let mut operations = store
            .operations_on(project, &id.to_string(), Page { limit, ..page })
            .await?;
        let wanted = usize::try_from(page.limit).unwrap_or(usize::MAX);
        let until = operations.get(wanted).map(|beyond| beyond.created_at);
        operations.truncate(wanted);
        let (Some(first), Some(last)) = (operations.first(), operations.last()) else {
            return nothing(reference, page);
        };
        let from = page.after.is_some().then_some(first.created_at);
        let journal = store.journals_of(id, (first.id, last.id)).await?;
        let events = store.events_of(id, Span { from, until }).await?;
        Ok(History {
            next: until.map(|_| last.id),
            entries: tell(&operations, &journal, &events),
        })
    }
}

/// A page without operations: an instance has one at least, so that it is only the page after the last.
fn nothing(reference: &str, page: Page<OperationId>) -> Result<History, EngineError> {
    if page.after.is_none() {
        let (what, reference) = ("instance", reference.to_owned());
        return Err(StoreError::NotFound { what, reference }.into());
    }
    Ok(History {
        entries: Vec::new(),
        next: None,
    })
}

/// Puts together what the three say, in the order of time.
fn tell(operations: &[OperationRecord], journal: &[JournalRecord], events: &[EventRecord]) -> Vec<HistoryEntry> {
    let mut entries = Vec::new();
    for operation in operations {
        let mut teller = Teller::of(operation);
        let lines = journal.iter().filter(|line| line.operation == operation.id);
        entries.extend(lines.filter_map(|line| teller.line(line)));
        entries.extend(ended(operation, events));
    }
    entries.extend(adopted(events));
    // What was written in one transaction has one moment, and keeps the order it has here.
    entries.sort_by_key(|entry| entry.at);
    entries
}

/// Reads the journal of one operation, line by line.
struct Teller<'a> {
    operation: &'a OperationRecord,
    /// When the step that is under way began.
    begun: Timestamp,
    attempt: u32,
}

impl<'a> Teller<'a> {
    fn of(operation: &'a OperationRecord) -> Self {
        Self {
            operation,
            begun: operation.created_at,
            attempt: 1,
        }
    }

    /// What a line says; none for one that is about no instance.
    fn line(&mut self, line: &JournalRecord) -> Option<HistoryEntry> {
        let position = line.work.position()?;
        let state = position.state();
        let what = match line.kind {
            EntryKind::Begun => self.begun(line, position.action()),
            EntryKind::Done => self.step(line, state, StepEnd::Done),
            EntryKind::Retried => self.step(line, state, StepEnd::Retried),
            EntryKind::Failed => self.step(line, state, StepEnd::Failed),
            EntryKind::Undone => self.step(line, state, StepEnd::Undone),
            EntryKind::Heard => Happened::Heard {
                state,
                event: line.message.clone().unwrap_or_default(),
            },
            EntryKind::Noted => Happened::Noted {
                state,
                message: line.message.clone().unwrap_or_default(),
            },
        };
        Some(HistoryEntry {
            at: line.at,
            operation: Some(line.operation),
            what,
        })
    }

    /// The first such line is what was asked, a later one what it became.
    fn begun(&self, line: &JournalRecord, action: Action) -> Happened {
        if line.number > 1 {
            return Happened::Became { action };
        }
        Happened::Asked {
            action,
            by: self.operation.requested_by.clone(),
            params: self.operation.params.clone(),
        }
    }

    fn step(&mut self, line: &JournalRecord, state: InstanceState, end: StepEnd) -> Happened {
        let attempt = self.attempt;
        let since_begun = Duration::try_from(line.at.duration_since(self.begun)).ok();
        (self.attempt, self.begun) = match end {
            StepEnd::Retried => (attempt + 1, self.begun),
            StepEnd::Done | StepEnd::Failed | StepEnd::Undone => (1, line.at),
        };
        Happened::Step {
            state,
            end,
            attempt,
            took: line.duration.or(since_begun),
            message: line.message.clone(),
        }
    }
}

/// The end of an operation, if it has one.
fn ended(operation: &OperationRecord, events: &[EventRecord]) -> Option<HistoryEntry> {
    let at = operation.finished_at?;
    let action = operation.work.position()?.action();
    let last = |event: &&EventRecord| event.operation == Some(operation.id) && event.at == at;
    let left = events.iter().rev().find(last);
    Some(HistoryEntry {
        at,
        operation: Some(operation.id),
        what: Happened::Ended {
            action,
            phase: operation.phase,
            state: left.and_then(|event| event.state.clone()),
            took: Duration::try_from(at.duration_since(operation.created_at)).unwrap_or_default(),
            fault: operation.fault.clone(),
        },
    })
}

/// What the guest did by itself. The state that followed is an event of its own, the next one of the same moment.
fn adopted(events: &[EventRecord]) -> impl Iterator<Item = HistoryEntry> {
    let guests = events.iter().enumerate();
    guests
        .filter(|(_, event)| event.kind.starts_with("guest."))
        .map(|(place, event)| {
            let follows = |next: &&EventRecord| next.at == event.at && next.operation.is_none() && next.state.is_some();
            let follows = events.get(place + 1).filter(follows);
            let message = event
                .message
                .as_ref()
                .or(follows.and_then(|next| next.message.as_ref()));
            HistoryEntry {
                at: event.at,
                operation: None,
                what: Happened::Adopted {
                    kind: event.kind.clone(),
                    event: event.heard.clone(),
                    state: follows.and_then(|next| next.state.clone()),
                    message: message.cloned(),
                },
            }
        })
}

#[cfg(test)]
mod tests;
