//! Look at a guest and adopt what is: the fresh query that follows each event.

use std::sync::Arc;

use berth_model::{GuestEvent, GuestStatus, InstanceId, Known, Stable, Standing, Verdict, observe};
use berth_network::Network;
use berth_store::{InstanceRecord, StoreError, VolumeRecord};

use crate::context::Subject;
use crate::world::World;
use crate::{EngineError, blocking, wiring};

/// How often a look is repeated when the record changes under it.
const LOOKS: u32 = 3;

/// Queries the guest and adopts what is, unless an operation has the instance.
pub(crate) async fn look(world: &Arc<World>, id: InstanceId, event: Option<&GuestEvent>) {
    for _ in 0..LOOKS {
        match look_once(world, id, event).await {
            Ok(true) => return,
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(instance = %id, %error, "can't look at the guest");
                return;
            }
        }
    }
}

/// `false` if the record changed between the query and the write.
async fn look_once(world: &Arc<World>, id: InstanceId, event: Option<&GuestEvent>) -> Result<bool, StoreError> {
    let Some(record) = world.store.instance(id).await? else {
        return Ok(true);
    };
    match record.standing {
        Standing::Moving { .. } => return Ok(true),
        Standing::Resting(Stable::ShelvedOffloaded) => put_away(world, id).await?,
        Standing::Resting(Stable::Active | Stable::Stopped | Stable::Resized | Stable::Error) => {}
    }
    let hypervisor = world.hypervisor.clone();
    match tokio::task::spawn_blocking(move || hypervisor.status(id)).await {
        Ok(Ok(status)) => adopt(world, &record, event, status).await,
        // libvirt is away: the reconciler looks again when it is back.
        Ok(Err(error)) => {
            tracing::debug!(instance = %id, %error, "libvirt did not answer");
            Ok(true)
        }
        Err(panic) => {
            tracing::error!(instance = %id, %panic, "the query panicked");
            Ok(true)
        }
    }
}

/// Adopts what a query said; `false` if the record has changed since it was read.
pub(crate) async fn adopt(
    world: &Arc<World>,
    record: &InstanceRecord,
    event: Option<&GuestEvent>,
    status: Option<GuestStatus>,
) -> Result<bool, StoreError> {
    let known = Known {
        standing: record.standing,
        degraded: record.degraded.as_deref(),
    };
    let Verdict::Adopt(adoption) = observe(known, event, status) else {
        return Ok(true);
    };
    if !world.store.adopt(record.id, record.revision, &adoption).await? {
        return Ok(false);
    }
    tracing::info!(instance = %record.id, to = ?adoption.to(), kind = adoption.kind(), "adopted what is");
    if adoption.to() == Some(Stable::Stopped) {
        disconnect(world, record.id).await?;
    }
    Ok(true)
}

/// Removes the files of a shelved instance's root volume that nothing else needs: all of it is on the shelf, and that is
/// written down.
///
/// Only from the instance's own task, so that no unshelve makes the file anew meanwhile.
async fn put_away(world: &Arc<World>, id: InstanceId) -> Result<(), StoreError> {
    let gone = world.store.forget_root_layers(id).await?;
    let storage = world.storage.clone();
    match tokio::task::spawn_blocking(move || storage.delete_layers(&gone)).await {
        Ok(Ok(())) => {}
        // A file without a record: the reconciler removes it.
        Ok(Err(error)) => tracing::warn!(instance = %id, %error, "the file of a shelved volume is still there"),
        Err(panic) => tracing::error!(instance = %id, %panic, "removing a shelved volume panicked"),
    }
    Ok(())
}

/// A guest has let go of disks by itself, or long after it was asked: what it hasn't any more is detached.
pub(crate) async fn let_go(world: &Arc<World>, id: InstanceId) {
    if let Err(error) = detach_lost(world, id).await {
        tracing::warn!(instance = %id, %error, "what the guest let go of is still attached");
    }
}

async fn detach_lost(world: &Arc<World>, id: InstanceId) -> Result<(), EngineError> {
    let subject = Subject::load(&world.store, id).await?;
    if subject.instance.standing != Standing::Resting(Stable::Active) {
        return Ok(());
    }
    let other = Arc::clone(world);
    let lost = blocking(move || {
        let Some(disks) = other.hypervisor.live_disks(id)? else {
            return Ok(Vec::new());
        };
        let has = |volume: &VolumeRecord| {
            let serial = Some(volume.id.to_string());
            disks.iter().any(|disk| disk.serial == serial)
        };
        let attached = subject.volumes.iter().filter(|volume| !volume.root && !has(volume));
        Ok(attached.map(|volume| volume.id).collect())
    })
    .await?;
    for volume in lost {
        if world.store.let_go(volume, id).await? {
            tracing::info!(instance = %id, %volume, "the guest has let go of a volume: it is detached");
        }
    }
    Ok(())
}

/// A guest that went off by itself leaves its taps behind.
async fn disconnect(world: &Arc<World>, id: InstanceId) -> Result<(), StoreError> {
    let subject = Subject::load(&world.store, id).await?;
    let world = Arc::clone(world);
    let removed = tokio::task::spawn_blocking(move || {
        let Some(vpc) = &subject.vpc else { return Ok(()) };
        let instance = &subject.instance;
        let whose = (instance.id, &instance.name, &instance.instance_type);
        wiring::holding(&world, vpc.id, whose, |held| held.each(Network::unplug_port))
    });
    match removed.await {
        Ok(Ok(())) => {}
        // The next start, or the reconciler, removes them.
        Ok(Err(error)) => tracing::warn!(instance = %id, %error, "the taps of a stopped guest are still there"),
        Err(panic) => tracing::error!(instance = %id, %panic, "removing taps panicked"),
    }
    Ok(())
}
