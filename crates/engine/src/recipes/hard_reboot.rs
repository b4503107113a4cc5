//! Hard reboot: the plug, and a start from a definition made anew. What brings an instance back from Error.

use berth_model::{Action, InstanceState};
use berth_ops::{Failure, Memo, Recipe, Step, nothing};

use crate::context::Context;
use crate::guest;

pub(super) const RECIPE: Recipe<Context> = Recipe {
    action: Action::HardReboot,
    steps: &[
        Step {
            state: InstanceState::RebootingHard,
            make: power_off,
            unmake: nothing,
        },
        Step {
            state: InstanceState::RebootingStartedHard,
            make: power_on,
            unmake: power_off,
        },
    ],
};

fn power_off(cx: &Context, _: &mut Memo) -> Result<(), Failure> {
    guest::power_off(cx)
}

fn power_on(cx: &Context, _: &mut Memo) -> Result<(), Failure> {
    guest::power_on(cx)
}
