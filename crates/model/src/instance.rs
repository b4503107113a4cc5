//! The 26 documented states of an instance, and which of them are billed.
//!
//! The store never holds one of these: it holds a [`Stable`] state and, while an operation is in flight, the
//! [`Position`](crate::Position) it is at. The documented state is a total function of the two, [`Standing::state`]:
//!
//! ```text
//!   Resting(stable) ──────────────────────────▶ the stable state's own name
//!   Moving { action, step, .. } ──the table──▶ the transitional state of that step
//! ```

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Position;

macro_rules! states {
    ($($name:ident = $text:literal, $billed:literal;)+) => {
        /// The state of an instance as it is documented, spelt as in the seed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[allow(missing_docs, reason = "the seed's table of states documents each of them")]
        pub enum InstanceState {
            $(#[serde(rename = $text)] $name,)+
        }

        impl InstanceState {
            /// Every documented state, in the order of the seed.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The documented spelling.
            pub const fn as_str(self) -> &'static str {
                match self {$(Self::$name => $text),+}
            }

            /// Whether time spent in this state is billed (seed, "Instance state and billing").
            pub const fn billed(self) -> bool {
                match self {$(Self::$name => $billed),+}
            }
        }
    };
}

states! {
    Active = "Active", true;
    ShelvedOffloaded = "Shelved_offloaded", false;
    Stopped = "Stopped", true;
    Error = "Error", false;
    Building = "Building", false;
    Starting = "Starting", false;
    Scheduling = "Scheduling", false;
    BlockDeviceMapping = "Block_device_mapping", false;
    Networking = "Networking", false;
    Spawning = "Spawning", false;
    Rebooting = "Rebooting", true;
    RebootStarted = "Reboot_started", true;
    RebootingHard = "Rebooting_hard", true;
    RebootingStartedHard = "Rebooting_started_hard", true;
    Shelving = "Shelving", true;
    Unshelving = "Unshelving", false;
    PoweringOff = "Powering-off", true;
    PoweringOn = "Powering-on", true;
    ResizePrep = "Resize_prep", false;
    ResizeMigrating = "Resize_migrating", false;
    ResizeMigrated = "Resize_migrated", false;
    ResizeFinished = "Resize_finished", false;
    Resized = "Resized", false;
    ResizeConfirm = "Resize_confirm", false;
    ResizeRevert = "Resize_revert", false;
    Deleting = "Deleting", false;
}

impl fmt::Display for InstanceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What was given is no documented state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a documented state")]
pub struct ParseStateError(pub String);

impl FromStr for InstanceState {
    type Err = ParseStateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.iter().find(|state| state.as_str() == text);
        found.copied().ok_or_else(|| ParseStateError(text.to_owned()))
    }
}

/// A state that rests until somebody acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Stable {
    /// The guest runs.
    Active,
    /// The guest is off; its resources stay allocated.
    Stopped,
    /// The guest is saved as an image and holds nothing of the host.
    #[serde(rename = "Shelved_offloaded")]
    ShelvedOffloaded,
    /// The guest is on a new type, and the change waits to be confirmed or reverted.
    Resized,
    /// Something failed; the fault says what.
    Error,
}

impl Stable {
    /// Every stable state.
    pub const ALL: &'static [Self] = &[
        Self::Active,
        Self::Stopped,
        Self::ShelvedOffloaded,
        Self::Resized,
        Self::Error,
    ];

    /// The documented state it is shown as.
    pub const fn state(self) -> InstanceState {
        match self {
            Self::Active => InstanceState::Active,
            Self::Stopped => InstanceState::Stopped,
            Self::ShelvedOffloaded => InstanceState::ShelvedOffloaded,
            Self::Resized => InstanceState::Resized,
            Self::Error => InstanceState::Error,
        }
    }
}

impl fmt::Display for Stable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.state().fmt(f)
    }
}

impl FromStr for Stable {
    type Err = ParseStateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.iter().find(|stable| stable.state().as_str() == text);
        found.copied().ok_or_else(|| ParseStateError(text.to_owned()))
    }
}

/// Where an instance stands: at rest, or moved by exactly one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Standing {
    /// No operation is in flight.
    Resting(Stable),
    /// One operation is in flight.
    Moving {
        /// The state the instance was at rest in before; none while it is created.
        from: Option<Stable>,
        /// The action, and the step of it that is under way.
        position: Position,
    },
}

impl Standing {
    /// The documented state.
    pub fn state(self) -> InstanceState {
        match self {
            Self::Resting(stable) => stable.state(),
            Self::Moving { position, .. } => position.state(),
        }
    }
}
