//! Save as image: what is frozen of the volume, flattened, compressed and compared to the last byte, while whoever has
//! the volume goes on.

use berth_model::Code;
use berth_ops::{Failure, Memo, TaskStep};
use berth_store::{MADE_IMAGE, Task};

use super::context::TaskContext;
use crate::context::OrFail;
use crate::image::made;

pub(super) const STEP: TaskStep<TaskContext> = TaskStep {
    make: save,
    unmake: remove,
};

fn save(cx: &TaskContext, memo: &mut Memo) -> Result<(), Failure> {
    let Task::SaveAsImage { layer, image, .. } = &cx.task else {
        return Err(Failure::fatal(Code::Internal, "nothing is to be saved"));
    };
    let cancelled = || cx.go_on().is_err();
    let saved = cx.world.storage.save_volume(*layer, image.id, &cancelled);
    let saved = cx.unless_taken_back(saved)?;
    memo.set(MADE_IMAGE, &made((**image).clone(), saved))
}

fn remove(cx: &TaskContext, _: &mut Memo) -> Result<(), Failure> {
    match cx.task.image() {
        Some(id) => cx.world.storage.delete_image(id).or_fail(),
        None => Ok(()),
    }
}
