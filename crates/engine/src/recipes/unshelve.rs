//! Unshelve: the host scheduled again, the root volume made anew on the shelf, and a start.
//!
//! The volume is an overlay: it is there in constant time, and the shelf is never written to. Once the instance is
//! Active the shelf is no image any more but what its volume stands on, and goes with it.

use berth_model::{Action, InstanceState};
use berth_ops::{Failure, Memo, Recipe, Step};
use berth_storage::Under;

use super::create;
use crate::context::{Context, OrFail};
use crate::guest;

pub(super) const RECIPE: Recipe<Context> = Recipe {
    action: Action::Unshelve,
    steps: &[Step {
        state: InstanceState::Unshelving,
        make: unshelve,
        unmake: shelve,
    }],
};

fn unshelve(cx: &Context, _: &mut Memo) -> Result<(), Failure> {
    create::room_for(cx, &cx.subject.instance.instance_type)?;
    let (root, layer) = (guest::root(cx)?, guest::root_layer(cx)?);
    let on_the_shelf = Under::Image(cx.subject.image.id);
    cx.world
        .storage
        .ensure_layer(layer, on_the_shelf, root.size)
        .or_fail()?;
    guest::power_on(cx)
}

fn shelve(cx: &Context, _: &mut Memo) -> Result<(), Failure> {
    guest::remove(cx)?;
    cx.world.storage.delete_layers(&[guest::root_layer(cx)?]).or_fail()
}
