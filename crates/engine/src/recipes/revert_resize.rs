//! Revert a resize: off, defined as the type it came from, and on again if it came from Active. A disk that grew stays
//! so: what the guest has written on it can't be cut off.

use std::time::Instant;

use berth_model::{Action, Code, InstanceState, Stable};
use berth_ops::{Failure, Memo, Recipe, Step, nothing};

use super::stop;
use crate::context::Context;
use crate::guest;

pub(super) const RECIPE: Recipe<Context> = Recipe {
    action: Action::RevertResize,
    steps: &[Step {
        state: InstanceState::ResizeRevert,
        make: revert,
        unmake: nothing,
    }],
};

fn revert(cx: &Context, _: &mut Memo) -> Result<(), Failure> {
    let from = cx.subject.instance.resized_from.as_ref();
    let from = from.ok_or_else(|| Failure::fatal(Code::Internal, "nothing says what the resize came from"))?;
    stop::ask(cx, Instant::now() + cx.world.settings().stop_grace)?;
    guest::power_off(cx)?;
    guest::define_as(cx, &from.instance_type)?;
    match from.stable {
        Stable::Active => guest::power_on_as(cx, &from.instance_type),
        Stable::Stopped | Stable::ShelvedOffloaded | Stable::Resized | Stable::Error => Ok(()),
    }
}
