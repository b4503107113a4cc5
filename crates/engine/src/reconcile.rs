//! The reconciler: compares what should be (the store) with what is (libvirt, the disk, the network), and puts right
//! what differs.
//!
//! Takes no input. It is woken at start, when libvirt is back, and now and then, and does the same each time; `berth
//! host check` shows what it would do, and with `--fix` has it done at once:
//!
//! 1. what is there and what is written down becomes a list of findings (`compare`);
//! 2. what the daemon does by itself with instances that rest is begun (`automatic`), and the merging of their layers;
//! 3. each finding is fixed: leftovers that carry our mark are removed, instances that differ are looked at, VPCs are
//!    mended. What we don't know is told and never touched;
//! 4. VPCs whose guests run are made whole in what no list shows.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use berth_model::{ImageId, InstanceId, Name, PortState};
use berth_store::{Dry, Page, PortRecord, StoreError, VpcRecord};

use crate::actor::Actors;
use crate::compare::{NetworkRecord, Reality, Records, compare};
use crate::finding::{Finding, Leftover, Remedy, Repair};
use crate::network::{mend, vpc_of};
use crate::world::{World, lock};
use crate::{Engine, EngineError, automatic, blocking, looking, quota};

/// How many records are read at a time.
const PAGE: u32 = 500;

/// What was done about a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// It is gone.
    Removed,
    /// It is as it should be.
    Repaired,
    /// The instance's own task looks at it.
    Begun,
    /// Nothing: it isn't ours, or can't be made anew.
    LeftAlone,
}

impl Done {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Removed => "removed",
            Self::Repaired => "repaired",
            Self::Begun => "begun",
            Self::LeftAlone => "left_alone",
        }
    }
}

impl Engine {
    /// Compares the records with what is, and changes nothing.
    pub async fn check(&self) -> Result<Vec<Finding>, EngineError> {
        let mut findings = look_twice(&self.world).await?.findings;
        findings.extend(quota::check(&self.world).await?);
        Ok(findings)
    }

    /// Has the reconciler's work done now: each finding with what was done about it.
    pub async fn fix(&self) -> Result<Vec<(Finding, Result<Done, EngineError>)>, EngineError> {
        if Dry::is_on() {
            let findings = self.check().await?;
            return Err(Dry::instead(findings.iter().filter_map(Finding::would)).into());
        }
        let mut done = reconcile(&self.world, &self.actors).await?;
        let wrong = quota::check(&self.world).await?;
        done.extend(wrong.into_iter().map(|finding| (finding, Ok(Done::LeftAlone))));
        Ok(done)
    }
}

/// What was compared, and what differs.
struct Compared {
    records: Records,
    reality: Reality,
    findings: Vec<Finding>,
}

/// Compares and repairs once: each finding with what was done about it. What can't be put right now is tried again the
/// next time.
pub(crate) async fn reconcile(
    world: &Arc<World>,
    actors: &Arc<Actors>,
) -> Result<Vec<(Finding, Result<Done, EngineError>)>, EngineError> {
    let compared = look_twice(world).await?;
    let (instances, domains) = (&compared.records.instances, &compared.reality.domains);
    let status: HashMap<_, _> = domains.iter().map(|domain| (domain.id, domain.status)).collect();
    // Before what is off is adopted as stopped.
    automatic::after_boot(actors, instances, |id| status.get(&id).copied()).await?;
    for record in instances.values() {
        automatic::settle(actors, record).await;
    }
    // A merge that ended while nobody listened, or that failed.
    for id in world.store.instances_with_chains().await? {
        actors.merge(id);
    }
    let mut done = Vec::with_capacity(compared.findings.len());
    for finding in compared.findings {
        let fixed = fix(world, actors, &finding).await;
        if let Err(error) = &fixed {
            tracing::warn!(kind = finding.kind, name = %finding.name, %error, "not put right");
        }
        done.push((finding, fixed));
    }
    forget_downloads(world).await?;
    for port in world.store.ports_under_way().await? {
        if let Some(instance) = port.instance {
            actors.settle_nics(instance);
        }
    }
    for vpc in world.store.vpcs().await? {
        if let Err(error) = mend(world, vpc.id).await {
            tracing::warn!(vpc = %vpc.name, %error, "not mended");
        }
    }
    Ok(done)
}

/// Removes what was fetched for imports that nobody waits for any more.
async fn forget_downloads(world: &Arc<World>) -> Result<(), EngineError> {
    let storage = world.storage.clone();
    let found = blocking(move || Ok(storage.downloads()?)).await?;
    if found.is_empty() {
        return Ok(());
    }
    // After the listing: an import that began meanwhile is not on it.
    let wanted: HashSet<_> = world.store.downloads_in_flight().await?.into_iter().collect();
    let storage = world.storage.clone();
    blocking(move || {
        let mut leftover = found.into_iter().filter(|id| !wanted.contains(id));
        leftover.try_for_each(|id| Ok(storage.forget_download(id)?))
    })
    .await
}

/// Compares, and if anything differs compares again: what differs both times does.
///
/// What is comes first: a record made after that listing is not missed in it, and nothing of it is a leftover. But what
/// the listing has not yet may be in the records already: that is seen the second time.
async fn look_twice(world: &Arc<World>) -> Result<Compared, EngineError> {
    let first = look(world).await?;
    if first.findings.is_empty() {
        return Ok(first);
    }
    let mut second = look(world).await?;
    second.findings.retain(|finding| first.findings.contains(finding));
    Ok(second)
}

async fn look(world: &Arc<World>) -> Result<Compared, EngineError> {
    let reality = reality(world).await?;
    let records = records(world, &reality).await?;
    Ok(Compared {
        findings: compare(&records, &reality),
        records,
        reality,
    })
}

async fn reality(world: &Arc<World>) -> Result<Reality, EngineError> {
    let world = Arc::clone(world);
    looking(move || {
        Ok(Reality {
            domains: world.hypervisor.domains()?,
            files: world.storage.inventory()?,
            network: world.network.inventory()?,
        })
    })
    .await
}

async fn records(world: &Arc<World>, reality: &Reality) -> Result<Records, StoreError> {
    // Before the images: one that is made is in either, at any moment.
    let mut coming: HashSet<ImageId> = lock(&world.importing).clone();
    coming.extend(world.store.images_in_flight().await?);
    let layers = world.store.layers().await?.into_iter().collect();
    let volumes = all(|page| world.store.every_volume(page), |volume| volume.id).await?;
    let volumes: HashMap<_, _> = volumes.into_iter().map(|volume| (volume.id, volume)).collect();
    let of_volumes = volumes.values().filter_map(|volume| volume.image);
    let images = images(world, reality.files.images.iter().copied().chain(of_volumes)).await?;
    let mut networks = Vec::new();
    for vpc in world.store.vpcs().await? {
        networks.push(network_of(world, vpc).await?);
    }
    let publics = world.store.public_ips_in_use().await?;
    let instances = all(|page| world.store.every_instance(page), |instance| instance.id).await?;
    Ok(Records {
        owner: world.owner,
        instances: instances.into_iter().map(|instance| (instance.id, instance)).collect(),
        volumes,
        layers,
        images,
        coming,
        networks,
        publics: publics.into_iter().map(|public| public.address).collect(),
    })
}

/// All records there are, a page at a time.
async fn all<T, I, R>(next: impl Fn(Page<I>) -> R, id: impl Fn(&T) -> I) -> Result<Vec<T>, StoreError>
where
    R: Future<Output = Result<Vec<T>, StoreError>>,
{
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = next(Page { limit: PAGE, after }).await?;
        let Some(last) = page.last() else { return Ok(all) };
        after = Some(id(last));
        all.extend(page);
    }
}

/// The names of all images on the list, and of those among `more`, which may be shelves and on no list.
async fn images(world: &World, more: impl Iterator<Item = ImageId>) -> Result<HashMap<ImageId, Name>, StoreError> {
    let listed = all(|page| world.store.every_image(page), |image| image.id).await?;
    let mut names: HashMap<_, _> = listed.into_iter().map(|image| (image.id, image.name)).collect();
    let missing: HashSet<_> = more.filter(|id| !names.contains_key(id)).collect();
    for id in missing {
        if let Some(record) = world.store.image(id).await? {
            names.insert(id, record.name);
        }
    }
    Ok(names)
}

async fn network_of(world: &World, vpc: VpcRecord) -> Result<NetworkRecord, StoreError> {
    let ports = world.store.ports_of_vpc(vpc.id).await?;
    Ok(NetworkRecord {
        id: vpc.id,
        namespace: world.network.namespace_name(&vpc_of(&vpc)),
        taps: ports.iter().map(|port| world.network.tap_name(port.id)).collect(),
        servers: usize::from(!vpc.subnets.is_empty()),
        plugged: ports.iter().filter_map(|port| plugged(world, port)).collect(),
        instances: ports.iter().filter_map(|port| port.instance).collect(),
        name: vpc.name,
    })
}

/// The tap that a port's guest has if it runs, with the instance.
fn plugged(world: &World, port: &PortRecord) -> Option<(String, InstanceId)> {
    let instance = port.instance.filter(|_| port.state == PortState::InUse)?;
    Some((world.network.tap_name(port.id), instance))
}

/// Does what is to be done about a finding.
async fn fix(world: &Arc<World>, actors: &Arc<Actors>, finding: &Finding) -> Result<Done, EngineError> {
    let (kind, name, what) = (finding.kind, &finding.name, &finding.what);
    match finding.remedy.clone() {
        Remedy::Nothing => {
            tracing::warn!(kind, %name, %what, "left alone");
            Ok(Done::LeftAlone)
        }
        Remedy::Remove(leftover) => {
            tracing::warn!(kind, %name, %what, "removing it");
            let world = Arc::clone(world);
            blocking(move || remove(&world, leftover)).await?;
            Ok(Done::Removed)
        }
        Remedy::Repair(Repair::Look(id)) => {
            actors.look(id, None);
            Ok(Done::Begun)
        }
        Remedy::Repair(Repair::Mend(id)) => {
            tracing::warn!(kind, %name, %what, "mending it");
            mend(world, id).await?;
            Ok(Done::Repaired)
        }
    }
}

fn remove(world: &World, leftover: Leftover) -> Result<(), EngineError> {
    match leftover {
        Leftover::Domain(id) => {
            world.hypervisor.destroy(id)?;
            world.hypervisor.undefine(id)?;
        }
        Leftover::Image(id) => world.storage.delete_image(id)?,
        Leftover::Layer(id) => world.storage.delete_layers(&[id])?,
        Leftover::Directory(id) => world.storage.delete_instance_dir(id)?,
        Leftover::Tap(tap) => world.network.remove_tap(&tap)?,
        Leftover::Namespace(name) => world.network.remove_namespace(&name)?,
        Leftover::PublicIp(address) => world.network.remove_public(address)?,
    }
    Ok(())
}
