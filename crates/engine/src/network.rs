//! Networks: for now each project has one VPC with one subnet, made by itself.

use std::collections::{BTreeSet, HashSet};
use std::net::Ipv4Addr;
use std::sync::Arc;

use berth_model::VpcId;
use berth_network::{Inventory, Port};
use berth_store::{NetworkTemplate, PortRecord, StoreError, VpcRecord};
use ipnet::Ipv4Net;

use crate::guest::vpc_of;
use crate::world::World;
use crate::{EngineError, blocking};

/// The default VPC of a project, made if it isn't there.
pub(crate) async fn default_vpc(world: &World, project: &str) -> Result<VpcRecord, StoreError> {
    let cidr = world.settings.subnet;
    world
        .store
        .ensure_default_network(
            project,
            &NetworkTemplate {
                cidr,
                gateway: gateway(cidr),
            },
        )
        .await
}

/// The first address of a subnet is its gateway.
fn gateway(cidr: Ipv4Net) -> Ipv4Addr {
    cidr.hosts().next().unwrap_or(cidr.addr())
}

/// A port as the network knows it.
pub(crate) fn port(record: &PortRecord) -> Port {
    Port {
        id: record.id,
        vpc: record.vpc,
        subnet: record.subnet,
        mac: record.mac,
        address: record.address,
        hostname: hostname(record.address),
    }
}

/// The ports that a VPC's namespace is to have. Blocking, and only for who holds the VPC's lock: a delete that begins
/// later then takes away what was made of this, and one that began before isn't undone by it.
pub(crate) fn served_ports(world: &World, vpc: VpcId) -> Result<Vec<Port>, StoreError> {
    let ports = world.wait(world.store.served_ports_of_vpc(vpc))?;
    Ok(ports.iter().map(port).collect())
}

/// A port's name in its VPC's DNS: from its address, which is unique there, as a name is only in its project.
fn hostname(address: Ipv4Addr) -> String {
    let [a, b, c, d] = address.octets();
    format!("ip-{a}-{b}-{c}-{d}")
}

/// Removes what has our prefix and belongs to no record.
pub(crate) async fn tidy(world: &Arc<World>, found: Inventory) -> Result<(), EngineError> {
    let mut namespaces = HashSet::new();
    let mut taps = HashSet::new();
    for vpc in world.store.vpcs().await? {
        namespaces.insert(world.network.namespace_name(&vpc_of(&vpc)));
        let ports = world.store.ports_of_vpc(vpc.id).await?;
        taps.extend(ports.into_iter().map(|port| world.network.tap_name(port.id)));
    }
    let network = world.network.clone();
    blocking(move || {
        for tap in found.taps.iter().filter(|tap| !taps.contains(&tap.name)) {
            tracing::warn!(tap = %tap.name, "removing a tap of ours that belongs to no port");
            network.remove_tap(tap)?;
        }
        for name in leftovers(&found, &namespaces) {
            tracing::warn!(namespace = %name, "removing a namespace of ours that belongs to no VPC");
            network.remove_namespace(name)?;
        }
        Ok(())
    })
    .await
}

/// The namespaces that belong to no VPC: those that are there, and those that only a DHCP server is left of.
fn leftovers<'a>(found: &'a Inventory, known: &HashSet<String>) -> BTreeSet<&'a str> {
    let there = found
        .namespaces
        .iter()
        .chain(found.dnsmasq.iter().map(|process| &process.namespace));
    there
        .filter(|name| !known.contains(*name))
        .map(String::as_str)
        .collect()
}
