//! Create: the first layer of a new volume, on nothing, on an image, or on what is frozen of another volume.

use berth_model::Code;
use berth_ops::{Failure, Memo, TaskStep};
use berth_store::Task;

use super::context::TaskContext;
use crate::context::OrFail;
use crate::merge::{self, under};

pub(super) const STEP: TaskStep<TaskContext> = TaskStep {
    make: create,
    unmake: remove,
};

fn create(cx: &TaskContext, _: &mut Memo) -> Result<(), Failure> {
    let Task::CreateVolume { layer, base, size, .. } = &cx.task else {
        return Err(Failure::fatal(Code::Internal, "no volume is to be made"));
    };
    // One that stands on itself alone already was made so before the daemon died.
    if cx.world.storage.layer_info(*layer).or_fail()?.is_none() {
        cx.world.storage.ensure_layer(*layer, under(*base), *size).or_fail()?;
    }
    merge::shorten_new(cx, *layer)
}

fn remove(cx: &TaskContext, _: &mut Memo) -> Result<(), Failure> {
    match &cx.task {
        Task::CreateVolume { layer, .. } => cx.world.storage.delete_layers(&[*layer]).or_fail(),
        _ => Ok(()),
    }
}
