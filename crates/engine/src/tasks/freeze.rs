//! Freeze: each volume goes on in a new layer, and what it had until now is written no more. All at one instant, if a
//! guest has them.
//!
//! The new layers are there, whole and empty, before the guest is moved to them: wherever it breaks off, a volume read
//! through its new layer is the same as without it.

use std::time::Duration;

use berth_domain_xml::NewTop;
use berth_model::InstanceId;
use berth_ops::{Failure, Memo, TaskStep};
use berth_storage::Under;
use berth_store::{CONSISTENCY, Consistency, Freeze, MOVED};

use super::context::{TaskContext, has};
use crate::context::OrFail;
use crate::merge;

pub(super) const STEP: TaskStep<TaskContext> = TaskStep {
    make: freeze,
    unmake: thaw,
};

/// How long the guest's agent may take to say that it is there.
const AGENT_ANSWERS_WITHIN: Duration = Duration::from_secs(2);

fn freeze(cx: &TaskContext, memo: &mut Memo) -> Result<(), Failure> {
    if cx.task.freezes().is_empty() {
        return Ok(());
    }
    for freeze in cx.task.freezes() {
        let volume = cx.volume(freeze.volume)?;
        merge::shorten(cx, volume, freeze.layer)?;
        let storage = &cx.world.storage;
        storage
            .ensure_layer(freeze.onto, Under::Layer(freeze.layer), volume.size)
            .or_fail()?;
    }
    let consistency = match (&cx.subject, cx.live()?) {
        (Some(subject), Some(disks)) => {
            let mut tops = Vec::new();
            for freeze in cx.task.freezes() {
                let target = cx.disk(cx.volume(freeze.volume)?)?.target();
                if has(&disks, &target, &cx.world.storage.layer_path(freeze.layer)) {
                    let path = cx.world.storage.layer_path(freeze.onto);
                    tops.push(NewTop { target, path });
                }
            }
            take(cx, subject.instance.id, &tops)?
        }
        // Nobody writes: what is there was written out when the guest went off.
        _ => Consistency::Application,
    };
    memo.set(CONSISTENCY, &consistency)
}

/// Takes the instant of a guest that runs: with its file systems frozen if its agent answers, else as it comes.
fn take(cx: &TaskContext, id: InstanceId, tops: &[NewTop]) -> Result<Consistency, Failure> {
    let hypervisor = &cx.world.hypervisor;
    if tops.is_empty() {
        // Done before the daemon died, and how is not known.
        return Ok(Consistency::Crash);
    }
    cx.stop_merging()?;
    if hypervisor.agent_answers(id, AGENT_ANSWERS_WITHIN) {
        match hypervisor.freeze_disks(id, tops, true) {
            Ok(()) => return Ok(Consistency::Application),
            Err(error) => tracing::warn!(instance = %id, %error, "the guest's file systems are not frozen"),
        }
    }
    hypervisor.freeze_disks(id, tops, false).or_fail()?;
    Ok(Consistency::Crash)
}

/// A guest that writes to a new layer already stays with it: it stands on the old one, and takes it in later. The new
/// layers that nothing has go with their records.
fn thaw(cx: &TaskContext, memo: &mut Memo) -> Result<(), Failure> {
    let mut stay = Vec::new();
    for freeze in cx.task.freezes() {
        if moved(cx, freeze)? {
            stay.push(freeze.onto);
        }
    }
    memo.set(MOVED, &stay)
}

/// Whether a guest has been moved to a new layer: as it runs, or as libvirt would start it again.
fn moved(cx: &TaskContext, freeze: &Freeze) -> Result<bool, Failure> {
    let Some(subject) = &cx.subject else { return Ok(false) };
    let (hypervisor, path) = (&cx.world.hypervisor, cx.world.storage.layer_path(freeze.onto));
    let disks = match cx.live()? {
        Some(disks) => disks,
        None => hypervisor
            .defined_disks(subject.instance.id)
            .or_fail()?
            .unwrap_or_default(),
    };
    Ok(disks.iter().any(|disk| disk.path.as_ref() == Some(&path)))
}
