//! Merging layers, so that no chain grows for ever: what nothing needs for itself any more becomes part of another.
//!
//! ```text
//!   image ◀ a ◀ b ◀ c (newest)      nothing needs b for itself     c takes b in, and stands on a        (pull)
//!   image ◀ a ◀ B ◀ c               nothing needs a for itself,    B is written into a, which is the
//!                                   B is a snapshot                snapshot from then on                (commit)
//!   image ◀ A ◀ B ◀ … ◀ c           more than CHAIN_MAX            c takes all in, and stands on the image
//! ```
//!
//! A guest that runs has it done by libvirt's block jobs in the background, and goes on meanwhile. A job that is ended
//! early, because something else has to be done with the disk, has lost nothing and is begun again later. What is
//! written down follows the headers of the files, so that a daemon that dies at any moment sees how far it came. The
//! longest chains are also made shorter before another layer is put on them, whether a guest runs or not.
//!
//! A guest has one job at a time, and none while anything else is done with its disks: between the end of a pull and
//! libvirt's hearing of it QEMU (10.0 does) dies of the query for all its files that libvirt makes for most of what is
//! asked of a guest's disks, and at the end of another job.

use std::sync::Arc;
use std::time::{Duration, Instant};

use berth_model::{InstanceId, LayerId, Stable, Standing};
use berth_ops::Failure;
use berth_storage::Under;
use berth_store::{Base, LayerRecord, VolumeRecord};

use crate::context::{OrFail, Subject};
use crate::tasks::TaskContext;
use crate::world::World;
use crate::{EngineError, blocking, guest};

/// The most layers of a chain before the newest takes in all beneath it.
pub(crate) const CHAIN_MAX: usize = 16;

/// How long a guest may take to merge a chain that is too long before another layer is put on it.
const MERGED_WITHIN: Duration = Duration::from_hours(1);
/// How long a wait for libvirt's word on a job goes on before it is asked.
const ASK_EVERY: Duration = Duration::from_secs(2);

/// What is to be merged next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Merge {
    /// The newest takes in what is between it and that.
    Pull(Base),
    /// A layer is written into the one that it stands on; `above` stands on it.
    Commit {
        above: LayerId,
        top: LayerId,
        into: LayerId,
    },
}

/// What is to be merged next of a chain, newest first; none if all of it is needed as it is.
pub(crate) fn plan(chain: &[LayerRecord]) -> Option<Merge> {
    let idle = |layer: &LayerRecord| layer.snapshots == 0 && layer.children == 1;
    let beneath = chain.get(1..)?;
    let taken = beneath.iter().take_while(|layer| idle(layer)).count();
    if taken > 0 {
        let base = beneath.get(taken).map_or(bottom(chain), |layer| Base {
            parent: Some(layer.id),
            image: None,
        });
        return Some(Merge::Pull(base));
    }
    let commit = chain.windows(3).rev().find(|three| {
        let [_, top, into] = three else { return false };
        top.children == 1 && idle(into)
    });
    if let Some([above, top, into]) = commit {
        return Some(Merge::Commit {
            above: above.id,
            top: top.id,
            into: into.id,
        });
    }
    (chain.len() > CHAIN_MAX).then_some(Merge::Pull(bottom(chain)))
}

/// What a whole chain stands on.
fn bottom(chain: &[LayerRecord]) -> Base {
    Base {
        parent: None,
        image: chain.last().and_then(|last| last.image),
    }
}

/// What a layer with that base stands on.
pub(crate) fn under(base: Base) -> Under {
    match (base.parent, base.image) {
        (Some(layer), _) => Under::Layer(layer),
        (None, Some(image)) => Under::Image(image),
        (None, None) => Under::Nothing,
    }
}

/// Merges what can be of the volumes of an instance whose guest runs: writes down what is done, and begins what is next.
pub(crate) async fn merge_live(world: &Arc<World>, id: InstanceId) -> Result<(), EngineError> {
    let Some(record) = world.store.instance(id).await? else {
        return Ok(());
    };
    if record.standing != Standing::Resting(Stable::Active) {
        return Ok(());
    }
    let subject = Subject::load(&world.store, id).await?;
    let world = Arc::clone(world);
    blocking(move || {
        let mut left = Vec::new();
        for volume in subject.volumes.iter().filter(|volume| volume.operation.is_none()) {
            match write_down(&world, volume) {
                Ok(next) => left.extend(next.map(|merge| (volume, merge))),
                Err(failure) => {
                    tracing::warn!(volume = %volume.id, %failure, "layers are not merged; the next round tries again");
                }
            }
        }
        for (volume, merge) in left {
            match begin(&world, &subject, volume, merge) {
                // It goes on by itself; its end is heard, and the next one begun.
                Ok(()) => break,
                Err(failure) => {
                    tracing::warn!(volume = %volume.id, %failure, "no merge is begun; the next round tries again");
                }
            }
        }
        Ok(())
    })
    .await
}

/// Writes down what is merged of a volume: what is to be merged next.
fn write_down(world: &World, volume: &VolumeRecord) -> Result<Option<Merge>, Failure> {
    let Some(top) = volume.layer else { return Ok(None) };
    loop {
        let chain = world.wait(world.store.chain(top)).or_fail()?;
        match plan(&chain) {
            Some(merge) if written_down(world, top, merge)? => {}
            left => return Ok(left),
        }
    }
}

/// Begins a merge, unless the guest has one already.
fn begin(world: &World, subject: &Subject, volume: &VolumeRecord, merge: Merge) -> Result<(), Failure> {
    let (id, hypervisor, storage) = (subject.instance.id, &world.hypervisor, &world.storage);
    for disk in hypervisor.live_disks(id).or_fail()?.unwrap_or_default() {
        if hypervisor.is_merging(id, disk.target).or_fail()? {
            return Ok(());
        }
    }
    tracing::info!(volume = %volume.id, ?merge, "merging layers");
    let target = guest::disk(world, subject, volume)?.target();
    match merge {
        Merge::Pull(base) => {
            let base = storage.path_of(under(base));
            hypervisor.pull(id, target, base.as_deref()).or_fail()
        }
        Merge::Commit { top, into, .. } => {
            let (top, into) = (storage.layer_path(top), storage.layer_path(into));
            hypervisor.commit(id, target, (&top, &into)).or_fail()
        }
    }
}

/// Writes down that a merge is done, and removes what it made needless; `false` if it isn't done.
fn written_down(world: &World, newest: LayerId, merge: Merge) -> Result<bool, Failure> {
    let (above, expected) = match merge {
        Merge::Pull(base) => (newest, under(base)),
        Merge::Commit { above, into, .. } => (above, Under::Layer(into)),
    };
    let found = world.storage.layer_info(above).or_fail()?;
    if found.map(|found| found.under) != Some(expected) {
        return Ok(false);
    }
    let gone = match merge {
        Merge::Pull(base) => world.wait(world.store.pulled(newest, base)),
        Merge::Commit { top, into, .. } => world.wait(world.store.committed(top, into)),
    };
    world.storage.delete_layers(&gone.or_fail()?).or_fail()?;
    Ok(true)
}

/// Makes the chain of a volume short, before another layer is put on it. Only one that is too long; that may take as
/// long as copying the volume.
pub(crate) fn shorten(cx: &TaskContext, volume: &VolumeRecord, layer: LayerId) -> Result<(), Failure> {
    let chain = cx.world.wait(cx.world.store.chain(layer)).or_fail()?;
    if chain.len() < CHAIN_MAX {
        return Ok(());
    }
    let base = bottom(&chain);
    match (&cx.subject, cx.live()?) {
        (Some(subject), Some(_)) => shorten_live(cx, subject, volume, base)?,
        _ => cx.world.storage.pull_layer(layer, under(base)).or_fail()?,
    }
    written_down(&cx.world, layer, Merge::Pull(base)).map(drop)
}

/// Waits until a guest that runs has taken in the chain of a volume.
fn shorten_live(cx: &TaskContext, subject: &Subject, volume: &VolumeRecord, base: Base) -> Result<(), Failure> {
    let (id, hypervisor) = (subject.instance.id, &cx.world.hypervisor);
    let target = cx.disk(volume)?.target();
    cx.stop_merging()?;
    let below = cx.world.storage.path_of(under(base));
    hypervisor.pull(id, target.clone(), below.as_deref()).or_fail()?;
    let deadline = Instant::now() + MERGED_WITHIN;
    while hypervisor.is_merging(id, target.clone()).or_fail()? {
        if Instant::now() > deadline {
            let message = "the layers of the volume are not merged in time: ask again later";
            return Err(Failure::fatal(berth_model::Code::DeadlineExceeded, message));
        }
        cx.watch.next(Instant::now() + ASK_EVERY)?;
    }
    Ok(())
}

/// Makes the chain of a layer that no guest has short, if it is too long.
pub(crate) fn shorten_new(cx: &TaskContext, layer: LayerId) -> Result<(), Failure> {
    let chain = cx.world.wait(cx.world.store.chain(layer)).or_fail()?;
    if chain.len() <= CHAIN_MAX {
        return Ok(());
    }
    let base = bottom(&chain);
    cx.world.storage.pull_layer(layer, under(base)).or_fail()?;
    written_down(&cx.world, layer, Merge::Pull(base)).map(drop)
}

#[cfg(test)]
mod tests;
