//! Confirm a resize: the guest is on the new type already; what it came from is forgotten with the landing.

use berth_model::{Action, InstanceState};
use berth_ops::{Failure, Memo, Recipe, Step, nothing};

use crate::context::Context;
use crate::guest;

pub(super) const RECIPE: Recipe<Context> = Recipe {
    action: Action::ConfirmResize,
    steps: &[Step {
        state: InstanceState::ResizeConfirm,
        make: define,
        unmake: nothing,
    }],
};

/// Whatever somebody did to the definition meanwhile: the one that is confirmed is the record's.
fn define(cx: &Context, _: &mut Memo) -> Result<(), Failure> {
    guest::define(cx)
}
