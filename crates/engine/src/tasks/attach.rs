//! Attach: plugged into the guest if it runs, and part of the definition from now on.

use std::time::{Duration, Instant};

use berth_model::{Code, DiskBus};
use berth_ops::{Failure, Memo, TaskStep};

use super::context::TaskContext;
use super::detach::{is_missed, plug, unplug};
use crate::context::OrFail;
use crate::guest;

pub(super) const STEP: TaskStep<TaskContext> = TaskStep {
    make: attach,
    unmake: take_back,
};

/// How long the guest may take to let go of a disk that it has only just been given.
const LET_GO_WITHIN: Duration = Duration::from_secs(20);

fn attach(cx: &TaskContext, _: &mut Memo) -> Result<(), Failure> {
    let volume = the_volume(cx)?;
    let layer = guest::layer_of(volume)?;
    if cx.world.storage.layer_info(layer).or_fail()?.is_none() {
        let message = format!("the file of volume {} is missing; delete the volume", volume.id);
        return Err(Failure::fatal(Code::StorageError, message));
    }
    let disk = cx.disk(volume)?;
    if is_missed(cx, &disk)? {
        if disk.bus == DiskBus::Sata {
            let message = "the image has its disks on SATA, where none can be plugged in while the guest runs: \
                           stop the instance first";
            return Err(Failure::fatal(Code::ActionNotAllowed, message));
        }
        plug(cx, &disk)?;
    }
    cx.define_without(None)
}

fn take_back(cx: &TaskContext, _: &mut Memo) -> Result<(), Failure> {
    let volume = the_volume(cx)?;
    if cx.subject.is_none() {
        return Ok(());
    }
    unplug(cx, &cx.disk(volume)?, Instant::now() + LET_GO_WITHIN)?;
    cx.define_without(Some(volume.id))
}

/// The volume that the task is about.
pub(super) fn the_volume(cx: &TaskContext) -> Result<&berth_store::VolumeRecord, Failure> {
    let id = cx
        .task
        .volume()
        .ok_or_else(|| Failure::fatal(Code::Internal, "the task has no volume"))?;
    cx.volume(id)
}
