//! Start: a guest that is off runs again, from a definition made anew from the records.

use berth_model::{Action, InstanceState};
use berth_ops::{Failure, Memo, Recipe, Step};

use crate::context::Context;
use crate::guest;

pub(super) const RECIPE: Recipe<Context> = Recipe {
    action: Action::Start,
    steps: &[Step {
        state: InstanceState::PoweringOn,
        make: power_on,
        unmake: power_off,
    }],
};

fn power_on(cx: &Context, _: &mut Memo) -> Result<(), Failure> {
    guest::power_on(cx)
}

fn power_off(cx: &Context, _: &mut Memo) -> Result<(), Failure> {
    guest::power_off(cx)
}
