//! The reconciler: compares what should be (the store) with what is (libvirt, the disk, the network).
//!
//! Takes no input. It is woken at start, when libvirt is back, and now and then, and does the same each time:
//!
//! 1. each instance at rest is looked at, with one query for all;
//! 2. VPCs whose guests run are made whole again;
//! 3. what carries our mark and belongs to no record is removed. What we don't know is never touched.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use berth_hypervisor::DomainSummary;
use berth_model::{ImageId, InstanceId, Stable, Standing, VolumeId};
use berth_store::{InstanceRecord, Page};

use crate::actor::Actors;
use crate::guest::vpc_of;
use crate::network;
use crate::world::{World, lock};
use crate::{EngineError, automatic, blocking};

/// How many records are read at a time.
const PAGE: u32 = 500;

/// Compares and repairs once. Errors are logged by the caller; what wasn't reached is reached the next time.
pub(crate) async fn reconcile(world: &Arc<World>, actors: &Arc<Actors>) -> Result<(), EngineError> {
    // What is comes first: a record made after this listing is not missed in it, and nothing of it is a leftover.
    let hypervisor = world.hypervisor.clone();
    let domains = blocking(move || Ok(hypervisor.domains()?)).await?;
    let storage = world.storage.clone();
    let files = blocking(move || Ok(storage.inventory()?)).await?;
    let network = world.network.clone();
    let plumbing = blocking(move || Ok(network.inventory()?)).await?;

    let instances = instances(world).await?;
    let found: HashMap<_, _> = domains.iter().map(|domain| (domain.id, domain.status)).collect();
    // Before what is off is adopted as stopped.
    automatic::after_boot(actors, &instances, |id| found.get(&id).copied()).await?;
    look_at_all(actors, &instances, &domains);
    for record in instances.values() {
        automatic::settle(actors, record).await;
    }
    remove_domains(world, &instances, &domains).await?;
    remove_files(world, &instances, files).await?;
    network::tidy(world, plumbing).await?;
    Ok(())
}

async fn instances(world: &Arc<World>) -> Result<HashMap<InstanceId, InstanceRecord>, EngineError> {
    let mut all = HashMap::new();
    let mut after = None;
    loop {
        let page = world.store.instances(None, Page { limit: PAGE, after }).await?;
        let Some(last) = page.last() else { return Ok(all) };
        after = Some(last.id);
        all.extend(page.into_iter().map(|record| (record.id, record)));
    }
}

/// Has those instances looked at whose domain isn't as the record has it.
fn look_at_all(actors: &Arc<Actors>, instances: &HashMap<InstanceId, InstanceRecord>, domains: &[DomainSummary]) {
    let status: HashMap<_, _> = domains.iter().map(|domain| (domain.id, domain.status)).collect();
    for record in instances
        .values()
        .filter(|record| matches!(record.standing, Standing::Resting(_)))
    {
        let known = berth_model::Known {
            standing: record.standing,
            degraded: record.degraded.as_deref(),
        };
        let verdict = berth_model::observe(known, None, status.get(&record.id).copied());
        let shelved = record.standing == Standing::Resting(Stable::ShelvedOffloaded);
        if shelved || verdict != berth_model::Verdict::Nothing {
            actors.look(record.id, None);
        }
    }
}

/// Removes domains with our mark that belong to no record.
async fn remove_domains(
    world: &Arc<World>,
    instances: &HashMap<InstanceId, InstanceRecord>,
    domains: &[DomainSummary],
) -> Result<(), EngineError> {
    for domain in domains {
        let ours = domain
            .identity
            .as_ref()
            .is_some_and(|identity| identity.owner == world.owner);
        if !ours || instances.contains_key(&domain.id) {
            continue;
        }
        tracing::warn!(domain = %domain.name, "removing a domain of ours that belongs to no instance");
        let (hypervisor, id) = (world.hypervisor.clone(), domain.id);
        blocking(move || {
            hypervisor.destroy(id)?;
            Ok(hypervisor.undefine(id)?)
        })
        .await?;
    }
    Ok(())
}

/// Removes files that belong to no record.
async fn remove_files(
    world: &Arc<World>,
    instances: &HashMap<InstanceId, InstanceRecord>,
    files: berth_storage::Inventory,
) -> Result<(), EngineError> {
    for path in &files.unknown {
        tracing::warn!(path = %path.display(), "not ours, or not known: left alone");
    }
    let mut importing: HashSet<ImageId> = lock(&world.importing).clone();
    importing.extend(world.store.images_in_flight().await?);
    let mut images = Vec::new();
    for id in files.images.into_iter().filter(|id| !importing.contains(id)) {
        if world.store.image(id).await?.is_none() {
            images.push(id);
        }
    }
    let mut volumes: Vec<VolumeId> = Vec::new();
    for id in files.volumes {
        if world.store.volume(id).await?.is_none() {
            volumes.push(id);
        }
    }
    let dirs: Vec<_> = files
        .instances
        .into_iter()
        .filter(|id| !instances.contains_key(id))
        .collect();
    let storage = world.storage.clone();
    blocking(move || {
        for id in images {
            tracing::warn!(image = %id, "removing an image file without a record");
            storage.delete_image(id)?;
        }
        for id in volumes {
            tracing::warn!(volume = %id, "removing a volume file without a record");
            storage.delete_volume(id)?;
        }
        for id in dirs {
            tracing::warn!(instance = %id, "removing an instance directory without a record");
            storage.delete_instance_dir(id)?;
        }
        Ok(())
    })
    .await
}

/// Makes sure that the VPCs of guests that run are whole: a dnsmasq that died is started again.
pub(crate) async fn mend_networks(world: &Arc<World>) -> Result<(), EngineError> {
    for record in world.store.vpcs().await? {
        let world = Arc::clone(world);
        blocking(move || {
            let known = world.vpcs.of(record.id);
            let mut state = lock(&known);
            let ports = network::served_ports(&world, record.id)?;
            if !ports.is_empty() {
                world.network.ensure_vpc(&vpc_of(&record), &ports)?;
                state.whole = true;
            }
            Ok(())
        })
        .await?;
    }
    Ok(())
}
