//! Detach: the guest is asked to let go of the disk, and it is gone once the guest has: pulled from under it, what it
//! hasn't written yet would be lost. A guest that doesn't let go keeps it.

use std::time::{Duration, Instant};

use berth_domain_xml::Disk;
use berth_model::Code;
use berth_ops::{Failure, Memo, TaskStep};
use berth_store::Task;

use super::attach::the_volume;
use super::context::TaskContext;
use crate::context::OrFail;
use crate::release::Release;

pub(super) const STEP: TaskStep<TaskContext> = TaskStep {
    make: detach,
    unmake: give_back,
};

fn detach(cx: &TaskContext, _: &mut Memo) -> Result<(), Failure> {
    let volume = the_volume(cx)?;
    // With its instance gone it is nobody's.
    if cx.subject.is_none() {
        return Ok(());
    }
    let seconds = match &cx.task {
        Task::DetachVolume { seconds, .. } => *seconds,
        _ => 0,
    };
    unplug(
        cx,
        &cx.disk(volume)?,
        Instant::now() + Duration::from_secs(u64::from(seconds)),
    )?;
    cx.define_without(Some(volume.id))
}

/// A guest that let go only after it was given up gets the disk again.
fn give_back(cx: &TaskContext, _: &mut Memo) -> Result<(), Failure> {
    if cx.subject.is_none() {
        return Ok(());
    }
    let disk = cx.disk(the_volume(cx)?)?;
    if is_missed(cx, &disk)? {
        plug(cx, &disk)?;
    }
    cx.define_without(None)
}

/// Whether a guest runs that hasn't the disk.
pub(super) fn is_missed(cx: &TaskContext, disk: &Disk) -> Result<bool, Failure> {
    Ok(cx.live()?.is_some() && !is_plugged(cx, disk)?)
}

/// Whether a guest that runs has the disk.
fn is_plugged(cx: &TaskContext, disk: &Disk) -> Result<bool, Failure> {
    let target = disk.target();
    Ok(cx
        .live()?
        .is_some_and(|disks| disks.iter().any(|live| live.target == target)))
}

/// Gives the disk to the guest.
pub(super) fn plug(cx: &TaskContext, disk: &Disk) -> Result<(), Failure> {
    let xml = disk.to_xml().map_err(|error| Failure::fatal(Code::Internal, error))?;
    cx.stop_merging()?;
    let id = cx.subject()?.instance.id;
    cx.world.hypervisor.plug(id, xml).or_fail()
}

/// Makes sure that no guest that runs has the disk, if it lets go of it until then.
pub(super) fn unplug(cx: &TaskContext, disk: &Disk, deadline: Instant) -> Result<(), Failure> {
    let (id, hypervisor) = (cx.subject()?.instance.id, &cx.world.hypervisor);
    let xml = disk.to_xml().map_err(|error| Failure::fatal(Code::Internal, error))?;
    let target = disk.target();
    let release = Release {
        watch: &cx.watch,
        deadline,
        ask_again: cx.world.settings().ask_again,
        late: format!(
            "the guest has not let go of {target}: unmount what is on it, or stop the instance, and ask again"
        ),
        refused: format!("the guest refuses to let go of {target}: unmount what is on it"),
    };
    let ask = || {
        cx.stop_merging()?;
        hypervisor.unplug(id, xml.clone()).or_fail()
    };
    release.wait(|| is_plugged(cx, disk), ask)
}
