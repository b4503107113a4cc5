//! Networks: for now each project has one VPC with one subnet, made by itself.

use std::net::Ipv4Addr;

use berth_model::{Direction, Protocol, Remote, Rule, SecurityGroupId, VpcId};
use berth_network::{Group, Port};
use berth_store::{NetworkTemplate, PortRecord, StoreError, VpcRecord};
use ipnet::Ipv4Net;

use crate::world::World;

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
        primary: true,
        groups: vec![group_id(record.vpc)],
        pairs: Vec::new(),
        public: None,
        bandwidth: None,
    }
}

/// The security group that all ports of a VPC are in: out goes everything, in comes what another port of it sends.
pub(crate) fn group(vpc: VpcId) -> Group {
    let id = group_id(vpc);
    let rule = |direction, remote| Rule {
        direction,
        protocol: Protocol::Any,
        ports: None,
        remote,
    };
    Group {
        id,
        index: 0,
        rules: vec![
            rule(Direction::Egress, Remote::ANYWHERE),
            rule(Direction::Ingress, Remote::Group(id)),
        ],
    }
}

/// It goes by the id of its VPC.
fn group_id(vpc: VpcId) -> SecurityGroupId {
    SecurityGroupId::from(vpc.as_uuid())
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
