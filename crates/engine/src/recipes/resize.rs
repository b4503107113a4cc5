//! Resize: a clean stop, the new definition, and a start if it ran. The old type stays in the record until confirmed.
//!
//! ```text
//!   Resize_prep       is there room?
//!   Resize_migrating  the guest shuts down       undone: it runs again, on the old type
//!   Resize_migrated   disk grown, defined anew   undone: the disk as the record has it, defined as it was
//!   Resize_finished   it runs on the new type    undone: off
//! ```

use berth_model::{Action, Gib, InstanceState, InstanceType};
use berth_ops::{Failure, Memo, Recipe, Step, nothing};

use super::{create, stop};
use crate::context::{Context, OrFail};
use crate::guest;

pub(super) const RECIPE: Recipe<Context> = Recipe {
    action: Action::Resize,
    steps: &[
        Step {
            state: InstanceState::ResizePrep,
            make: prepare,
            unmake: nothing,
        },
        Step {
            state: InstanceState::ResizeMigrating,
            make: switch_off,
            unmake: switch_back_on,
        },
        Step {
            state: InstanceState::ResizeMigrated,
            make: change,
            unmake: change_back,
        },
        Step {
            state: InstanceState::ResizeFinished,
            make: switch_on,
            unmake: power_off,
        },
    ],
};

fn new_type(cx: &Context) -> Result<InstanceType, Failure> {
    cx.needed("instance_type")
}

fn prepare(cx: &Context, _: &mut Memo) -> Result<(), Failure> {
    create::room_for(cx, &new_type(cx)?)
}

fn switch_off(cx: &Context, _: &mut Memo) -> Result<(), Failure> {
    if cx.was_active() { stop::cleanly(cx) } else { Ok(()) }
}

fn switch_back_on(cx: &Context, _: &mut Memo) -> Result<(), Failure> {
    if cx.was_active() { guest::power_on(cx) } else { Ok(()) }
}

fn change(cx: &Context, _: &mut Memo) -> Result<(), Failure> {
    if let Some(size) = cx.param::<Gib>("root_size") {
        cx.world.storage.grow_layer(guest::root_layer(cx)?, size).or_fail()?;
    }
    guest::define_as(cx, &new_type(cx)?)
}

/// A disk that a guest may have seen larger stays so, and then the record has it larger too: it is written down before
/// the guest is started. One that was only grown so far goes back.
fn change_back(cx: &Context, _: &mut Memo) -> Result<(), Failure> {
    let id = guest::root(cx)?.id;
    if let Some(root) = cx.world.wait(cx.world.store.volume(id)).or_fail()? {
        let layer = guest::root_layer(cx)?;
        cx.world.storage.shrink_layer_back(layer, root.size).or_fail()?;
    }
    guest::define(cx)
}

fn switch_on(cx: &Context, _: &mut Memo) -> Result<(), Failure> {
    if cx.was_active() {
        guest::power_on_as(cx, &new_type(cx)?)
    } else {
        Ok(())
    }
}

fn power_off(cx: &Context, _: &mut Memo) -> Result<(), Failure> {
    guest::power_off(cx)
}
