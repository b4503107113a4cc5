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
    let store = &cx.world.store;
    let gone = cx.subject.volumes.iter().filter(|volume| volume.delete_on_termination);
    let gone: Vec<_> = gone.map(|volume| volume.id).collect();
    let layers = cx.world.wait(store.layers_only_of(&gone)).or_fail()?;
    cx.world.storage.delete_layers(&layers).or_fail()?;
    for shelf in cx.world.wait(store.shelves_only_of(cx.id(), &gone)).or_fail()? {
        cx.world.storage.delete_image(shelf).or_fail()?;
    }
    cx.world.storage.delete_instance_dir(cx.id()).or_fail()
}
