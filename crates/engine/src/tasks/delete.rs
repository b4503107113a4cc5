//! Delete: the layers that nothing else needs. What isn't there is not missed.

use berth_model::Code;
use berth_ops::{Failure, Memo, TaskStep};

use super::context::TaskContext;
use crate::context::OrFail;

pub(super) const STEP: TaskStep<TaskContext> = TaskStep {
    make: delete,
    unmake: stay,
};

fn delete(cx: &TaskContext, _: &mut Memo) -> Result<(), Failure> {
    let ids: Vec<_> = cx.task.volume().into_iter().collect();
    let layers = cx.world.wait(cx.world.store.layers_only_of(&ids)).or_fail()?;
    cx.world.storage.delete_layers(&layers).or_fail()
}

/// What is gone stays gone; the delete may be asked for again.
fn stay(_: &TaskContext, _: &mut Memo) -> Result<(), Failure> {
    let message = "some of the volume's files may be gone already: delete it again";
    Err(Failure::fatal(Code::StorageError, message))
}
