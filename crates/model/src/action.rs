//! The action table: every way an instance can move, as data. The state machine *is* the saga.
//!
//! An action is one row: the stable states it is allowed from, its steps in order, the documented transitional state
//! that each step shows, where it lands, where it falls back, and what is decided at each step after a crash of the
//! daemon. Nothing else moves an instance: the store writes only what a row says, the engine runs only the steps a
//! row has, the API refuses by it, and the diagram in `ARCHITECTURE.md` is drawn from it.
//!
//! ```text
//!   claim (allowed from?) ─▶ step 0 ─▶ step 1 ─▶ … ─▶ landing
//!                              │         │
//!                              └─ fails ─┴─▶ undo what was done ─▶ the row's fallback
//! ```

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::InstanceState as S;
use crate::{Stable, Standing};

/// What can be asked of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Make the instance and start it.
    Create,
    /// Switch it on.
    Start,
    /// Ask the guest to shut down, and pull the plug after the grace time.
    Stop,
    /// Ask the guest to shut down and start again.
    SoftReboot,
    /// Pull the plug and start again, from a definition made anew.
    HardReboot,
    /// Save the root volume as an image and give everything else back.
    Shelve,
    /// Make the instance anew from the image of the shelve.
    Unshelve,
    /// Change the instance type.
    Resize,
    /// Keep the new instance type.
    ConfirmResize,
    /// Go back to the old instance type.
    RevertResize,
    /// Remove the instance and all that is its own.
    Delete,
}

/// Where an action may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// There is no such instance yet.
    Nothing,
    /// At rest in one of these.
    At(&'static [Stable]),
    /// Any state, and any operation in flight, which it cancels.
    Anything,
}

/// Where an action ends when all its steps are done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Landing {
    /// In that state.
    In(Stable),
    /// In the state the instance was at rest in before it was resized: Active or Stopped.
    BeforeResize,
    /// The instance is no more.
    Gone,
}

/// Where an action falls back when a step fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// Error, with the reason; what was built is undone.
    Error,
    /// The state it came from, with the reason; what was done is undone.
    Origin,
    /// Active if the guest still runs, else Stopped: reality decides.
    AsFound,
    /// It goes on as another action.
    Becomes(Action),
}

/// What is decided about a step that was under way when the daemon died.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterCrash {
    /// Do it again: it is idempotent, so what is done already stays done.
    GoOn,
    /// Undo it and all before it, and fall back.
    RollBack,
}

/// One step of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The transitional state shown while it is under way.
    pub state: S,
    /// What is decided after a crash in it.
    pub after_crash: AfterCrash,
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The action.
    pub action: Action,
    /// Where it may begin.
    pub from: From,
    /// Its steps, in order; never empty.
    pub steps: &'static [Step],
    /// Where it ends.
    pub lands: Landing,
    /// Where it falls back.
    pub on_failure: Fallback,
}

const fn on(state: S) -> Step {
    Step {
        state,
        after_crash: AfterCrash::GoOn,
    }
}

const fn back(state: S) -> Step {
    Step {
        state,
        after_crash: AfterCrash::RollBack,
    }
}

const fn row(action: Action, from: From, steps: &'static [Step], lands: Landing, on_failure: Fallback) -> Row {
    Row {
        action,
        from,
        steps,
        lands,
        on_failure,
    }
}

const ACTIVE: Landing = Landing::In(Stable::Active);
const ON_OR_OFF: From = From::At(&[Stable::Active, Stable::Stopped]);
const ACTIVE_STOPPED_ERROR: From = From::At(&[Stable::Active, Stable::Stopped, Stable::Error]);
const SHELVED: From = From::At(&[Stable::ShelvedOffloaded]);
const RESIZED: From = From::At(&[Stable::Resized]);

/// The whole table (lifecycle.md, "Instance"), in the order of [`Action`].
#[rustfmt::skip]
pub const TABLE: &[Row] = &[
    row(Action::Create, From::Nothing,
        &[on(S::Building), on(S::Scheduling), on(S::BlockDeviceMapping), on(S::Networking), on(S::Spawning), on(S::Starting)],
        ACTIVE, Fallback::Error),
    row(Action::Start, From::At(&[Stable::Stopped]), &[on(S::PoweringOn)], ACTIVE, Fallback::Origin),
    row(Action::Stop, From::At(&[Stable::Active]), &[on(S::PoweringOff)], Landing::In(Stable::Stopped), Fallback::AsFound),
    row(Action::SoftReboot, From::At(&[Stable::Active]), &[on(S::Rebooting), on(S::RebootStarted)],
        ACTIVE, Fallback::Becomes(Action::HardReboot)),
    row(Action::HardReboot, ACTIVE_STOPPED_ERROR, &[on(S::RebootingHard), on(S::RebootingStartedHard)],
        ACTIVE, Fallback::Error),
    row(Action::Shelve, ON_OR_OFF, &[on(S::Shelving)], Landing::In(Stable::ShelvedOffloaded), Fallback::Origin),
    row(Action::Unshelve, SHELVED, &[on(S::Unshelving)], ACTIVE, Fallback::Origin),
    row(Action::Resize, ON_OR_OFF,
        &[back(S::ResizePrep), back(S::ResizeMigrating), on(S::ResizeMigrated), on(S::ResizeFinished)],
        Landing::In(Stable::Resized), Fallback::Origin),
    row(Action::ConfirmResize, RESIZED, &[on(S::ResizeConfirm)], Landing::BeforeResize, Fallback::Origin),
    row(Action::RevertResize, RESIZED, &[on(S::ResizeRevert)], Landing::BeforeResize, Fallback::Error),
    row(Action::Delete, From::Anything, &[on(S::Deleting)], Landing::Gone, Fallback::Error),
];

impl From {
    /// The states at rest that it names; none for a create.
    pub const fn stables(self) -> &'static [Stable] {
        match self {
            Self::Nothing => &[],
            Self::At(stables) => stables,
            Self::Anything => Stable::ALL,
        }
    }
}

impl Landing {
    /// The states at rest it may be; none if the instance is gone.
    pub fn stables(self) -> Vec<Stable> {
        match self {
            Self::In(stable) => vec![stable],
            Self::BeforeResize => ON_OR_OFF.stables().to_vec(),
            Self::Gone => Vec::new(),
        }
    }
}

impl Row {
    /// The states at rest it may fall back to; none if it goes on as another action.
    pub fn falls_back_to(&self) -> Vec<Stable> {
        match self.on_failure {
            Fallback::Error => vec![Stable::Error],
            Fallback::Origin => self.from.stables().to_vec(),
            Fallback::AsFound => ON_OR_OFF.stables().to_vec(),
            Fallback::Becomes(_) => Vec::new(),
        }
    }
}

impl Action {
    /// Every action, in the order of the table.
    pub const ALL: &'static [Self] = &[
        Self::Create,
        Self::Start,
        Self::Stop,
        Self::SoftReboot,
        Self::HardReboot,
        Self::Shelve,
        Self::Unshelve,
        Self::Resize,
        Self::ConfirmResize,
        Self::RevertResize,
        Self::Delete,
    ];

    /// The action's row.
    pub fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }

    /// The word for it on the wire and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::SoftReboot => "soft_reboot",
            Self::HardReboot => "hard_reboot",
            Self::Shelve => "shelve",
            Self::Unshelve => "unshelve",
            Self::Resize => "resize",
            Self::ConfirmResize => "confirm_resize",
            Self::RevertResize => "revert_resize",
            Self::Delete => "delete",
        }
    }

    /// Whether an operation of this action may be cancelled while it is in flight. What was done is undone then, and
    /// the row's fallback applies, as after a step that failed.
    ///
    /// It may where that leaves the instance as it was, or as it is found, and in create, of which only the record
    /// stays. What would end in Error otherwise, or goes on as another action, is seen through; a delete too.
    pub fn cancellable(self) -> bool {
        let row = self.row();
        match row.on_failure {
            Fallback::Origin | Fallback::AsFound => true,
            Fallback::Error => row.from == From::Nothing,
            Fallback::Becomes(_) => false,
        }
    }

    /// Whether the action may begin where the instance stands.
    pub fn allowed(self, standing: Standing) -> bool {
        match (self.row().from, standing) {
            (From::Anything, _) => true,
            (From::At(stables), Standing::Resting(stable)) => stables.contains(&stable),
            (From::Nothing | From::At(_), _) => false,
        }
    }

    /// The actions that may begin where the instance stands.
    pub fn allowed_from(standing: Standing) -> Vec<Self> {
        Self::ALL
            .iter()
            .copied()
            .filter(|action| action.allowed(standing))
            .collect()
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What was given is no action.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not an action")]
pub struct ParseActionError(pub String);

impl FromStr for Action {
    type Err = ParseActionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.iter().find(|action| action.as_str() == text);
        found.copied().ok_or_else(|| ParseActionError(text.to_owned()))
    }
}

/// An action and a step of it that exists: no other can be written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Position {
    action: Action,
    step: usize,
}

impl Position {
    /// The first step of an action.
    pub const fn first(action: Action) -> Self {
        Self { action, step: 0 }
    }

    /// That step of an action, if it has so many.
    pub fn at(action: Action, step: usize) -> Option<Self> {
        (step < action.row().steps.len()).then_some(Self { action, step })
    }

    /// Every step of every action.
    pub fn all() -> impl Iterator<Item = Self> {
        let steps = |action: Action| (0..action.row().steps.len()).map(move |step| Self { action, step });
        Action::ALL.iter().copied().flat_map(steps)
    }

    /// The step after this one, if there is one.
    pub fn next(self) -> Option<Self> {
        Self::at(self.action, self.step + 1)
    }

    /// The action.
    pub fn action(self) -> Action {
        self.action
    }

    /// The number of the step, from 0.
    pub fn step(self) -> usize {
        self.step
    }

    /// The transitional state shown.
    pub fn state(self) -> S {
        self.action.row().steps[self.step].state
    }

    /// What is decided about it after a crash of the daemon.
    pub fn after_crash(self) -> AfterCrash {
        self.action.row().steps[self.step].after_crash
    }
}
