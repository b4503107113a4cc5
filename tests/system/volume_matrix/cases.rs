//! The cases of an action: each variant of it, each of its steps, each thing that can happen there.

use berth_model::{VolumeAction, VolumeLanding, VolumeState};

/// What an action is done to, and with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Variant {
    /// Create, on nothing.
    Blank,
    /// Create, on an image.
    FromImage,
    /// Create, on a snapshot.
    FromSnapshot,
    /// Create, on what a guest's volume holds while the guest writes.
    FromVolume,
    /// Of a volume that nothing has.
    Free,
    /// Of a volume that a guest has, and writes to.
    Used,
    /// Of all volumes of an instance, whose guest writes.
    AllOfInstance,
}

/// What happens at a fault point: the lines of the file, and whether the daemon dies of it.
pub(super) struct Case {
    pub(super) action: VolumeAction,
    pub(super) variant: Variant,
    pub(super) faults: Vec<String>,
    pub(super) dies: bool,
    /// Whether the action does in the end what was asked.
    pub(super) succeeds: bool,
}

impl Case {
    /// The state at rest that the volume begins in; none for one that is made.
    pub(super) fn origin(&self) -> Option<VolumeState> {
        match (self.action, self.variant) {
            (VolumeAction::Create, _) => None,
            (_, Variant::Used | Variant::AllOfInstance) => Some(VolumeState::InUse),
            _ => Some(VolumeState::Available),
        }
    }

    /// The state at rest that it ends in; none if it is gone.
    pub(super) fn ends(&self) -> Option<VolumeState> {
        if self.succeeds {
            return match self.action.row().lands {
                VolumeLanding::In(state) => Some(state),
                VolumeLanding::AsBefore => self.origin(),
                VolumeLanding::Gone => None,
            };
        }
        match self.action {
            // There was nothing before, and what is gone stays gone.
            VolumeAction::Create | VolumeAction::Delete => Some(VolumeState::Error),
            _ => self.origin(),
        }
    }

    /// How it is told.
    pub(super) fn told(&self) -> String {
        format!("{:?}: {}", self.variant, self.faults.join(", "))
    }
}

/// What an action is tried on.
fn variants(action: VolumeAction) -> &'static [Variant] {
    match action {
        VolumeAction::Create => &[
            Variant::Blank,
            Variant::FromImage,
            Variant::FromSnapshot,
            Variant::FromVolume,
        ],
        VolumeAction::Attach | VolumeAction::Delete => &[Variant::Free],
        VolumeAction::Detach => &[Variant::Used],
        VolumeAction::Extend | VolumeAction::SaveAsImage => &[Variant::Free, Variant::Used],
        VolumeAction::Snapshot => &[Variant::Free, Variant::Used, Variant::AllOfInstance],
    }
}

/// How many steps an action has.
fn steps(action: VolumeAction) -> usize {
    match action {
        // What they read is frozen first.
        VolumeAction::Create | VolumeAction::SaveAsImage => 2,
        _ => 1,
    }
}

/// Every case of an action.
pub(super) fn cases(action: VolumeAction) -> Vec<Case> {
    let mut cases = Vec::new();
    for variant in variants(action) {
        for step in 0..steps(action) {
            let line = |point: &str, what: &str| format!("volume.{action} {step} {point} {what}");
            let mut add = |faults: Vec<String>, dies, succeeds| {
                cases.push(Case {
                    action,
                    variant: *variant,
                    faults,
                    dies,
                    succeeds,
                });
            };
            for point in ["before", "after", "committed"] {
                add(vec![line(point, "die")], true, true);
            }
            for point in ["before", "after"] {
                add(vec![line(point, "fail")], false, false);
            }
            for undo in undo_points(action) {
                add(vec![line("after", "fail"), line(undo, "die")], true, false);
            }
        }
    }
    cases
}

/// Where the daemon can die while a step is undone. A delete can't be, so that there is no moment at which it is.
fn undo_points(action: VolumeAction) -> &'static [&'static str] {
    match action {
        VolumeAction::Delete => &["undo-before"],
        _ => &["undo-before", "undo-after"],
    }
}
