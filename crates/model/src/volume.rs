//! The 11 documented states of a volume and the table of what moves it, built like the instance's.
//!
//! ```text
//!   (nothing) ─Creating─▶ Available ─Attaching─▶ In-use ─(instance shelved)─▶ Reserved
//!                             ▲ └──────Detaching───┘ └──(instance unshelved)────┘
//!                             └─ Extending, Backing-Up, Uploading come back to where they began
//! ```

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Gib, ParseStateError};

/// The state of a volume as it is documented, spelt as in the seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum VolumeState {
    /// It is being made.
    Creating,
    /// It is free to be attached.
    Available,
    /// It is attached to an instance.
    #[serde(rename = "In-use")]
    InUse,
    /// It is attached to a shelved instance.
    Reserved,
    /// It is being attached.
    Attaching,
    /// It is being detached.
    Detaching,
    /// It is being made larger.
    Extending,
    /// A snapshot of it is being made.
    #[serde(rename = "Backing-Up")]
    BackingUp,
    /// It is being saved as an image.
    Uploading,
    /// It is being deleted.
    Deleting,
    /// It can't be used; the fault says why.
    Error,
}

/// What can be asked of a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VolumeAction {
    /// Make it: blank, or from an image, a snapshot or another volume.
    Create,
    /// Attach it to an instance.
    Attach,
    /// Detach it from its instance.
    Detach,
    /// Make it larger; never smaller.
    Extend,
    /// Make a snapshot of it.
    Snapshot,
    /// Save it as an image.
    SaveAsImage,
    /// Delete it.
    Delete,
}

/// Where a volume's action ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VolumeLanding {
    /// In that state.
    In(VolumeState),
    /// In the state it began in.
    AsBefore,
    /// The volume is no more.
    Gone,
}

/// One row of the volume table. Every action shows one transitional state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VolumeRow {
    /// The action.
    pub action: VolumeAction,
    /// The states it may begin in; empty for the one that makes the volume.
    pub from: &'static [VolumeState],
    /// The state shown while it is under way.
    pub through: VolumeState,
    /// Where it ends.
    pub lands: VolumeLanding,
}

const fn row(
    action: VolumeAction,
    from: &'static [VolumeState],
    through: VolumeState,
    lands: VolumeLanding,
) -> VolumeRow {
    VolumeRow {
        action,
        from,
        through,
        lands,
    }
}

use VolumeLanding::{AsBefore, Gone, In};
use VolumeState as V;

/// The whole table (lifecycle.md, "Volume"), in the order of [`VolumeAction`].
#[rustfmt::skip]
pub const VOLUME_TABLE: &[VolumeRow] = &[
    row(VolumeAction::Create,      &[],                       V::Creating,  In(V::Available)),
    row(VolumeAction::Attach,      &[V::Available],           V::Attaching, In(V::InUse)),
    row(VolumeAction::Detach,      &[V::InUse],               V::Detaching, In(V::Available)),
    row(VolumeAction::Extend,      &[V::Available, V::InUse], V::Extending, AsBefore),
    row(VolumeAction::Snapshot,    &[V::Available, V::InUse], V::BackingUp, AsBefore),
    row(VolumeAction::SaveAsImage, &[V::Available, V::InUse], V::Uploading, AsBefore),
    row(VolumeAction::Delete,      &[V::Available, V::Error], V::Deleting,  Gone),
];

/// The smallest volume (seed, "Volume size limit").
pub const VOLUME_MIN: Gib = Gib(1);
/// The largest volume (seed, "Volume size limit").
pub const VOLUME_MAX: Gib = Gib(5_120);

impl VolumeState {
    /// Every documented state, in the order of the seed.
    pub const ALL: &'static [Self] = &[
        V::Creating,
        V::Available,
        V::InUse,
        V::Reserved,
        V::Attaching,
        V::Detaching,
        V::Extending,
        V::BackingUp,
        V::Uploading,
        V::Deleting,
        V::Error,
    ];

    /// The documented spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            V::Creating => "Creating",
            V::Available => "Available",
            V::InUse => "In-use",
            V::Reserved => "Reserved",
            V::Attaching => "Attaching",
            V::Detaching => "Detaching",
            V::Extending => "Extending",
            V::BackingUp => "Backing-Up",
            V::Uploading => "Uploading",
            V::Deleting => "Deleting",
            V::Error => "Error",
        }
    }

    /// Whether time spent in this state is billed. The seed's table is of instances; it is held here as there: what is
    /// being made, being deleted, or in error, is not.
    pub const fn billed(self) -> bool {
        !matches!(self, V::Creating | V::Deleting | V::Error)
    }

    /// Whether the state rests until somebody acts.
    pub const fn is_stable(self) -> bool {
        matches!(self, V::Available | V::InUse | V::Reserved | V::Error)
    }
}

impl fmt::Display for VolumeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for VolumeState {
    type Err = ParseStateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.iter().find(|state| state.as_str() == text);
        found.copied().ok_or_else(|| ParseStateError(text.to_owned()))
    }
}

impl VolumeAction {
    /// Every action, in the order of the table.
    pub const ALL: &'static [Self] = &[
        Self::Create,
        Self::Attach,
        Self::Detach,
        Self::Extend,
        Self::Snapshot,
        Self::SaveAsImage,
        Self::Delete,
    ];

    /// The action's row.
    pub fn row(self) -> &'static VolumeRow {
        &VOLUME_TABLE[self as usize]
    }

    /// The word for it on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Attach => "attach",
            Self::Detach => "detach",
            Self::Extend => "extend",
            Self::Snapshot => "snapshot",
            Self::SaveAsImage => "save_as_image",
            Self::Delete => "delete",
        }
    }

    /// The actions that may begin in a state. The root volume of an instance is never detached, nor deleted by itself.
    pub fn allowed_from(state: VolumeState, root: bool) -> Vec<Self> {
        let for_root = |action: &Self| !(root && matches!(action, Self::Attach | Self::Detach | Self::Delete));
        let allowed = |action: &Self| action.row().from.contains(&state);
        Self::ALL.iter().copied().filter(allowed).filter(for_root).collect()
    }
}

impl fmt::Display for VolumeAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
