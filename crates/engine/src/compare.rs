//! What should be, compared with what is: a list of findings, each with what is to be done about it.
//!
//! ```text
//!   Records (the store) ──┐
//!                         ├──▶ compare ──▶ findings ──▶ fix (`reconcile`), or only told (`berth host check`)
//!   Reality (the host)  ──┘
//! ```
//!
//! Pure. Only what carries our mark, or a name that only we would give, has a remedy; what we don't know has none.

use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;
use std::path::Path;

use berth_hypervisor::DomainSummary;
use berth_model::{
    GuestStatus, ImageId, InstanceId, Known, LayerId, Name, OwnerId, Stable, Standing, Verdict, VolumeId, VolumeState,
    VpcId, observe,
};
use berth_network::Tap;
use berth_store::{InstanceRecord, VolumeRecord};

use crate::finding::{Finding, Leftover, Remedy, Repair};

/// What should be.
pub(crate) struct Records {
    pub(crate) owner: OwnerId,
    pub(crate) instances: HashMap<InstanceId, InstanceRecord>,
    pub(crate) volumes: HashMap<VolumeId, VolumeRecord>,
    pub(crate) layers: HashSet<LayerId>,
    pub(crate) images: HashMap<ImageId, Name>,
    /// Images whose file is being made, before there is a record.
    pub(crate) coming: HashSet<ImageId>,
    pub(crate) networks: Vec<NetworkRecord>,
    /// The public IPs that ports have.
    pub(crate) publics: HashSet<Ipv4Addr>,
}

/// A VPC as the kernel should have it.
pub(crate) struct NetworkRecord {
    pub(crate) id: VpcId,
    pub(crate) name: Name,
    pub(crate) namespace: String,
    pub(crate) taps: HashSet<String>,
    /// The taps of ports that instances have, each with its instance.
    pub(crate) plugged: Vec<(String, InstanceId)>,
    /// How many DHCP servers it has.
    pub(crate) servers: usize,
    /// Whose guests it serves.
    pub(crate) instances: HashSet<InstanceId>,
}

/// What is.
pub(crate) struct Reality {
    pub(crate) domains: Vec<DomainSummary>,
    pub(crate) files: berth_storage::Inventory,
    pub(crate) network: berth_network::Inventory,
}

/// Everything that isn't as the records have it.
pub(crate) fn compare(records: &Records, reality: &Reality) -> Vec<Finding> {
    let mut found = Vec::new();
    guests(records, reality, &mut found);
    domains(records, reality, &mut found);
    leftover_files(records, &reality.files, &mut found);
    missing_files(records, &reality.files, &mut found);
    networks(records, reality, &mut found);
    found.extend(reality.files.unknown.iter().map(|path| strange_file(path)));
    found.sort_by(|one, other| (one.kind, &one.name).cmp(&(other.kind, &other.name)));
    found
}

/// Instances at rest whose guest isn't as the record has it.
fn guests(records: &Records, reality: &Reality, found: &mut Vec<Finding>) {
    let status: HashMap<InstanceId, GuestStatus> = reality
        .domains
        .iter()
        .map(|domain| (domain.id, domain.status))
        .collect();
    for record in records.instances.values() {
        let known = Known {
            standing: record.standing,
            degraded: record.degraded.as_deref(),
        };
        if let Verdict::Adopt(adoption) = observe(known, None, status.get(&record.id).copied()) {
            let fault = adoption.fault().map(|(_, message)| message);
            let what = adoption.message().or(fault).unwrap_or(adoption.kind()).to_owned();
            found.push(Finding::new("instance", &record.name, what, look(record.id)));
        }
    }
}

/// Domains that belong to no instance, and those that look like ours and aren't.
fn domains(records: &Records, reality: &Reality, found: &mut Vec<Finding>) {
    for domain in &reality.domains {
        let instance = records.instances.get(&domain.id);
        let owner = domain.identity.as_ref().map(|identity| identity.owner);
        let (what, remedy) = match (owner, instance) {
            (Some(owner), Some(_)) if owner == records.owner => continue,
            (Some(owner), None) if owner == records.owner => (
                "a domain of ours that belongs to no instance".to_owned(),
                Remedy::Remove(Leftover::Domain(domain.id)),
            ),
            (_, Some(instance)) => (
                format!("it has the id of instance {} and not our mark", instance.name),
                Remedy::Nothing,
            ),
            (Some(owner), None) => (format!("it is of another installation, {owner}"), Remedy::Nothing),
            (None, None) if domain.name.starts_with("berth-") => {
                ("it has a name like ours and no mark".to_owned(), Remedy::Nothing)
            }
            (None, None) => continue,
        };
        found.push(Finding::new("domain", &domain.name, what, remedy));
    }
}

/// Files that belong to no record.
fn leftover_files(records: &Records, files: &berth_storage::Inventory, found: &mut Vec<Finding>) {
    let no_record = "a file of ours without a record";
    for id in &files.images {
        if !records.images.contains_key(id) && !records.coming.contains(id) {
            let remedy = Remedy::Remove(Leftover::Image(*id));
            found.push(Finding::new("image", id, no_record, remedy));
        }
    }
    for id in files.layers.iter().filter(|id| !records.layers.contains(id)) {
        let remedy = Remedy::Remove(Leftover::Layer(*id));
        found.push(Finding::new("volume", id, no_record, remedy));
    }
    let there: HashSet<_> = files.layers.iter().collect();
    for volume in records.volumes.values() {
        if volume.layer.is_some_and(|layer| there.contains(&layer)) {
            found.extend(shelved_file(records, volume));
        }
    }
    for id in files.instances.iter().filter(|id| !records.instances.contains_key(id)) {
        let remedy = Remedy::Remove(Leftover::Directory(*id));
        found.push(Finding::new(
            "directory",
            id,
            "a directory of ours without an instance",
            remedy,
        ));
    }
}

/// The file of a root volume whose instance is shelved: all of it is on the shelf. Only the instance's own task may
/// remove it.
fn shelved_file(records: &Records, volume: &VolumeRecord) -> Option<Finding> {
    let instance = records
        .instances
        .get(volume.instance.as_ref().filter(|_| volume.root)?)?;
    let shelved = instance.standing == Standing::Resting(Stable::ShelvedOffloaded);
    let what = format!("the file is still there and instance {} is shelved", instance.name);
    shelved.then(|| Finding::new("volume", volume.id, what, look(instance.id)))
}

/// Files that records speak of and that aren't there.
fn missing_files(records: &Records, files: &berth_storage::Inventory, found: &mut Vec<Finding>) {
    let images: HashSet<_> = files.images.iter().collect();
    for (id, name) in records.images.iter().filter(|(id, _)| !images.contains(id)) {
        let what = format!("the file of image {id} is missing: delete it and what is built on it");
        found.push(Finding::new("image", name, what, Remedy::Nothing));
    }
    let layers: HashSet<_> = files.layers.iter().collect();
    for volume in records.volumes.values() {
        let there = volume.layer.is_some_and(|layer| layers.contains(&layer));
        let owner = volume.instance.and_then(|id| records.instances.get(&id));
        let needed = match volume.state {
            VolumeState::InUse => owner.is_some_and(has_files),
            VolumeState::Available => true,
            _ => false,
        };
        if needed && !there {
            let instead = if volume.root {
                "delete its instance"
            } else {
                "delete it"
            };
            let what = format!("the file of volume {} is missing: {instead}", volume.id);
            found.push(Finding::new("volume", &volume.name, what, Remedy::Nothing));
        }
    }
    let directories: HashSet<_> = files.instances.iter().collect();
    for record in records.instances.values().filter(|record| has_files(record)) {
        if !directories.contains(&record.id) {
            let what = "the directory is missing: the next start or hard reboot makes it anew";
            found.push(Finding::new("directory", &record.name, what, Remedy::Nothing));
        }
    }
}

/// Whether an instance rests where all its files have to be there.
fn has_files(record: &InstanceRecord) -> bool {
    match record.standing {
        Standing::Resting(Stable::Active | Stable::Stopped | Stable::Resized) => true,
        Standing::Resting(Stable::ShelvedOffloaded | Stable::Error) | Standing::Moving { .. } => false,
    }
}

/// What has our prefix and belongs to no record, and what guests that run do without.
fn networks(records: &Records, reality: &Reality, found: &mut Vec<Finding>) {
    let known = |tap: &Tap| records.networks.iter().any(|network| network.taps.contains(&tap.name));
    for tap in reality.network.taps.iter().filter(|tap| !known(tap)) {
        let remedy = Remedy::Remove(Leftover::Tap(tap.clone()));
        found.push(Finding::new(
            "tap",
            &tap.name,
            "a tap of ours that belongs to no port",
            remedy,
        ));
    }
    let servers = reality.network.dnsmasq.iter().map(|process| &process.namespace);
    let there: HashSet<_> = reality.network.namespaces.iter().chain(servers.clone()).collect();
    let of_records: HashSet<_> = records.networks.iter().map(|network| &network.namespace).collect();
    for name in there.difference(&of_records) {
        let what = "a namespace of ours, or a DHCP server left of it, that belongs to no VPC";
        let remedy = Remedy::Remove(Leftover::Namespace((*name).clone()));
        found.push(Finding::new("namespace", name, what, remedy));
    }
    for address in reality
        .network
        .public
        .iter()
        .filter(|address| !records.publics.contains(address))
    {
        let what = "the host is set up for it and no port has it";
        found.push(Finding::new(
            "public_ip",
            address,
            what,
            Remedy::Remove(Leftover::PublicIp(*address)),
        ));
    }
    let active = |id: &InstanceId| {
        let record = records.instances.get(id);
        record.is_some_and(|record| record.standing == Standing::Resting(Stable::Active))
    };
    let there: HashSet<_> = reality
        .network
        .taps
        .iter()
        .filter(|tap| tap.namespace.is_some())
        .map(|tap| &tap.name)
        .collect();
    let plugged = records.networks.iter().flat_map(|network| &network.plugged);
    for (tap, instance) in plugged.filter(|(tap, instance)| active(instance) && !there.contains(tap)) {
        // QEMU aborts when it is asked to let go of a NIC whose tap is gone: that is the guest's owner's to decide.
        let name = records
            .instances
            .get(instance)
            .map_or_else(|| instance.to_string(), |record| record.name.to_string());
        let what = format!("it is missing, and the guest of {name} speaks to nobody by it: reboot it hard");
        found.push(Finding::new("tap", tap, what, Remedy::Nothing));
    }
    for network in records
        .networks
        .iter()
        .filter(|network| network.instances.iter().any(active))
    {
        let what = if !reality.network.namespaces.contains(&network.namespace) {
            format!("its namespace {} is missing and guests run in it", network.namespace)
        } else if servers.clone().filter(|name| **name == network.namespace).count() < network.servers {
            "a DHCP server is missing and guests run in it".to_owned()
        } else {
            continue;
        };
        found.push(Finding::new(
            "network",
            &network.name,
            what,
            Remedy::Repair(Repair::Mend(network.id)),
        ));
    }
}

fn strange_file(path: &Path) -> Finding {
    Finding::new("file", path.display(), "not ours, or not known", Remedy::Nothing)
}

fn look(id: InstanceId) -> Remedy {
    Remedy::Repair(Repair::Look(id))
}

#[cfg(test)]
mod tests;
