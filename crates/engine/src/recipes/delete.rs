//! Delete: make sure that nothing of the instance is left. What isn't there is not missed, so it works from any state.

use berth_model::{Action, InstanceState};
use berth_ops::{Failure, Memo, Recipe, Step, nothing};

use crate::context::{Context, OrFail};
use crate::guest;

pub(super) const RECIPE: Recipe<Context> = Recipe {
    action: Action::Delete,
    steps: &[Step {
        state: InstanceState::Deleting,
        make: delete,
        unmake: nothing,
    }],
};

fn delete(cx: &Context, _: &mut Memo) -> Result<(), Failure> {
    guest::remove(cx)?;
    if let Some(root) = &cx.subject.root {
        cx.world.storage.delete_volume(root.id).or_fail()?;
    }
    for shelf in cx.world.wait(cx.world.store.shelf_images(cx.id())).or_fail()? {
        cx.world.storage.delete_image(shelf).or_fail()?;
    }
    cx.world.storage.delete_instance_dir(cx.id()).or_fail()
}
