//! What is done for operations on volumes and images: a file a kind, each step a pair of functions as in `recipes`.
//!
//! ```text
//!   create         freeze the source, if there is one ─▶ make the layer
//!   attach         plug it in, if the guest runs; define
//!   detach         have the guest let go of it; define
//!   extend         make the file larger, tell the guest
//!   snapshot       freeze
//!   save as image  freeze ─▶ copy out of what is frozen, while the guest goes on
//!   delete         remove the layers that nothing else needs
//!   import         fetch, check, convert
//! ```

mod attach;
mod context;
mod create;
mod delete;
mod detach;
mod extend;
mod freeze;
mod import;
mod save;

use berth_model::{ImageAction, VolumeAction, Work};
use berth_ops::{Failure, Memo, TaskStep, Workshop};

pub(crate) use self::context::TaskContext;

/// All the steps there are.
pub(crate) struct Tasks;

impl Workshop for Tasks {
    type Context = TaskContext;

    fn step(&self, work: Work) -> TaskStep<TaskContext> {
        match work {
            Work::Volume(VolumeAction::Snapshot, _)
            | Work::Volume(VolumeAction::Create | VolumeAction::SaveAsImage, 0) => freeze::STEP,
            Work::Volume(VolumeAction::Create, _) => create::STEP,
            Work::Volume(VolumeAction::SaveAsImage, _) => save::STEP,
            Work::Volume(VolumeAction::Attach, _) => attach::STEP,
            Work::Volume(VolumeAction::Detach, _) => detach::STEP,
            Work::Volume(VolumeAction::Extend, _) => extend::STEP,
            Work::Volume(VolumeAction::Delete, _) => delete::STEP,
            Work::Image(ImageAction::Import) => import::STEP,
            Work::Instance(_) => NOT_A_TASK,
        }
    }

    fn wait_until_back(cx: &TaskContext) -> Result<(), Failure> {
        cx.watch.wait_until_back(&cx.world)
    }
}

/// What moves an instance is a recipe, and no claim of a task is about one.
const NOT_A_TASK: TaskStep<TaskContext> = TaskStep {
    make: not_a_task,
    unmake: not_a_task,
};

fn not_a_task(_: &TaskContext, _: &mut Memo) -> Result<(), Failure> {
    Err(Failure::fatal(
        berth_model::Code::Internal,
        "an instance's action is no task",
    ))
}
