//! What the daemon does by itself with an instance that rests: as the instance's policy says, or because what held its
//! guest up is gone.
//!
//! ```text
//!   a look, or the end of an operation ─▶ settle ─▶ Resized, and it is time     confirm
//!   the reconciler, for all that rest ──▶        ─▶ Error: the guest crashed    hard reboot, after a pause that doubles
//!                                                ─▶ Active, held: I/O error     resume, once there is room again
//!   the reconciler, after the host's reboot ─────▶ was Active, and is off       hard reboot
//! ```
//!
//! Nothing here is remembered: after a crash of the daemon the reconciler comes to the same from the records.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use berth_model::{Action, Code, GuestStatus, InstanceId, OnBoot, OnCrash, PauseReason, Stable, Standing};
use berth_store::{ClaimError, Fault, InstanceRecord, Requester, StoreError};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::actor::Actors;
use crate::world::lock;
use crate::{EngineError, confirm};

/// Who asks for what the daemon does by itself.
const BY: &str = "berthd";

/// The pause before the first reboot after a crash …
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// … and the longest …
const LONGEST_PAUSE: Duration = Duration::from_mins(5);
/// … of those within this time.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(1);

/// How often it is looked whether a full disk has room again: the kernel tells nobody.
const LOOK_FOR_ROOM: Duration = Duration::from_secs(2);

/// The room in bytes that a guest which was held for a full disk is let go on with: less would only hold it again.
const ROOM: u64 = 64 << 20;

/// Does what is to be done with an instance that rests.
pub(crate) async fn settle(actors: &Arc<Actors>, record: &InstanceRecord) {
    let Standing::Resting(stable) = record.standing else {
        return;
    };
    let held = record
        .degraded
        .as_deref()
        .is_some_and(|flag| flag.starts_with("I/O error"));
    match stable {
        Stable::Resized => confirm::if_due(actors, record).await,
        Stable::Error if crashed(record) && record.policy.on_crash == OnCrash::Reboot => {
            reboot_later(actors, record.id).await;
        }
        Stable::Active if held => resume_later(actors, record.id),
        Stable::Active | Stable::Stopped | Stable::ShelvedOffloaded | Stable::Error => {}
    }
}

/// Reboots a crashed instance after a pause: the longer, the oftener it has crashed lately.
async fn reboot_later(actors: &Arc<Actors>, id: InstanceId) {
    let since = Timestamp::now() - REMEMBERED;
    let counted = actors.world().store.count_operations(id, Action::HardReboot, BY, since);
    let crashes = match counted.await {
        Ok(crashes) => crashes,
        Err(error) => {
            tracing::warn!(instance = %id, %error, "can't count the crashes");
            return;
        }
    };
    let pause = FIRST_PAUSE.saturating_mul(1 << crashes.min(16)).min(LONGEST_PAUSE);
    let again = Arc::clone(actors);
    later(actors, id, pause, async move {
        let rebooted = match again.world().store.instance(id).await {
            Ok(Some(record)) if crashed(&record) => {
                tracing::info!(instance = %id, ?pause, "the guest crashed; its policy has it rebooted");
                reboot(&again, id, "the guest crashed").await
            }
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = rebooted {
            tracing::warn!(instance = %id, %error, "not rebooted; the reconciler tries again");
        }
    });
}

fn crashed(record: &InstanceRecord) -> bool {
    let crash = |fault: &Fault| fault.code == Code::GuestCrashed;
    record.standing == Standing::Resting(Stable::Error) && record.fault.as_ref().is_some_and(crash)
}

/// Lets a guest go on that was held for a full disk, once there is room.
fn resume_later(actors: &Arc<Actors>, id: InstanceId) {
    let again = Arc::clone(actors);
    later(actors, id, LOOK_FOR_ROOM, async move {
        let world = Arc::clone(again.world());
        let resumed = crate::blocking(move || {
            let held = world.hypervisor.status(id)? == Some(GuestStatus::Paused(PauseReason::IoError));
            if held && world.storage.space()?.free >= ROOM {
                world.hypervisor.resume(id)?;
            }
            Ok(())
        });
        if let Err(error) = resumed.await {
            tracing::warn!(instance = %id, %error, "the guest is still held");
        }
        // What has become of it is adopted; if it is still held, it is settled again.
        again.look(id, None);
    });
}

/// Does something about an instance after a pause, unless something waits to be done about it already.
fn later(actors: &Arc<Actors>, id: InstanceId, pause: Duration, work: impl Future<Output = ()> + Send + 'static) {
    let world = Arc::clone(actors.world());
    if !lock(&world.waiting).insert(id) {
        return;
    }
    tokio::spawn(async move {
        tokio::time::sleep(pause).await;
        lock(&world.waiting).remove(&id);
        work.await;
    });
}

/// Has an instance rebooted, and keeps why.
async fn reboot(actors: &Arc<Actors>, id: InstanceId, because: &str) -> Result<(), StoreError> {
    ask(actors, id, Action::HardReboot, json!({ "because": because })).await
}

/// Claims an instance for an action in the daemon's own name. That it can't be any more is no error: somebody was
/// faster.
pub(crate) async fn ask(actors: &Arc<Actors>, id: InstanceId, action: Action, params: Value) -> Result<(), StoreError> {
    let by = Requester::new(BY);
    match actors.world().store.claim(id, action, params, &by).await {
        Ok(claim) => {
            actors.run(claim);
            Ok(())
        }
        Err(ClaimError::Store(error)) => Err(error),
        Err(_) => Ok(()),
    }
}

/// Starts again what was Active when the host went down. What was begun is journaled; that all was begun is written
/// down last, so that a daemon that dies in between goes on with the rest.
pub(crate) async fn after_boot(
    actors: &Arc<Actors>,
    instances: &HashMap<InstanceId, InstanceRecord>,
    status: impl Fn(InstanceId) -> Option<GuestStatus>,
) -> Result<(), EngineError> {
    let world = actors.world();
    let Some(boot) = &world.boot else { return Ok(()) };
    let known = world.store.handled_boot().await?;
    if known.as_ref() == Some(boot) {
        return Ok(());
    }
    // The first start of all has nothing to start again.
    for record in instances.values().filter(|_| known.is_some()) {
        let was_active = record.standing == Standing::Resting(Stable::Active);
        let off = matches!(status(record.id), Some(GuestStatus::Off(_)) | None);
        if was_active && off && record.policy.on_boot == OnBoot::Start {
            tracing::info!(instance = %record.id, "the host was rebooted: starting what was Active");
            reboot(actors, record.id, "the host was rebooted").await?;
        }
    }
    Ok(world.store.set_handled_boot(boot).await?)
}

/// The kernel's name for this boot of the host (random(4)); none where it can't be read.
pub(crate) fn this_boot() -> Option<String> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned())
}
