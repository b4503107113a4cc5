//! Extend: the file gets larger, and a guest that runs is told.

use berth_model::{Code, Gib};
use berth_ops::{Failure, Memo, TaskStep};
use berth_store::{GROWN, Task};

use super::attach::the_volume;
use super::context::{TaskContext, has};
use crate::context::OrFail;
use crate::guest;

pub(super) const STEP: TaskStep<TaskContext> = TaskStep {
    make: extend,
    unmake: shrink_back,
};

fn extend(cx: &TaskContext, _: &mut Memo) -> Result<(), Failure> {
    let Task::ExtendVolume { size, .. } = &cx.task else {
        return Err(Failure::fatal(Code::Internal, "no volume is to grow"));
    };
    let volume = the_volume(cx)?;
    let layer = guest::layer_of(volume)?;
    let (storage, hypervisor) = (&cx.world.storage, &cx.world.hypervisor);
    if let (Some(subject), Some(disks)) = (&cx.subject, cx.live()?) {
        let target = cx.disk(volume)?.target();
        if has(&disks, &target, &storage.layer_path(layer)) {
            let id = subject.instance.id;
            cx.stop_merging()?;
            return hypervisor.resize_disk(id, target, size.bytes()).or_fail();
        }
    }
    storage.grow_layer(layer, *size).or_fail()
}

/// A file that belongs to an instance stays as large as it is, and so does the record: its guest may have seen it.
fn shrink_back(cx: &TaskContext, memo: &mut Memo) -> Result<(), Failure> {
    let Task::ExtendVolume { from, .. } = &cx.task else {
        return Ok(());
    };
    let Some(layer) = the_volume(cx)?.layer else {
        return Ok(());
    };
    let storage = &cx.world.storage;
    match storage.layer_info(layer).or_fail()? {
        Some(found) if found.virtual_size > from.bytes() && cx.subject.is_some() => {
            memo.set(GROWN, &Gib::holding(found.virtual_size))
        }
        Some(found) if found.virtual_size > from.bytes() => storage.shrink_layer_back(layer, *from).or_fail(),
        _ => Ok(()),
    }
}
