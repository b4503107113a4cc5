//! From records to what the network is told, and how a change of the records reaches it.
//!
//! ```text
//!   a record changes ─▶ apply ─▶ the VPC's lock ─▶ nobody is served there yet? nothing to do: the first guest makes all
//!                                                  ├─ the VPC is known to be whole? only what changed
//!                                                  └─ else all of it
//! ```
//!
//! The store says what is to be; what fails here is in force a little later: the reconciler makes every VPC whole.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use berth_model::{InstanceId, InstanceType, Name, PortId, PublicIpPool, SecurityGroupId, VpcId, gateway_of};
use berth_network::{Group, Network, NetworkError, Port, PublicAddress, Subnet, Vpc};
use berth_store::{GroupRecord, NetworkTemplate, PortRecord, PublicIpRecord, StoreError, SubnetRecord, VpcRecord};

use crate::world::{World, lock};
use crate::{EngineError, Settings, blocking};

/// What a project has without asking is called: its VPC, that one's subnet, and every VPC's security group.
pub(crate) const DEFAULT: &str = "default";

/// The default VPC of a project, made if it isn't there.
pub(crate) async fn default_vpc(world: &World, project: &str) -> Result<VpcRecord, StoreError> {
    let cidr = world.settings().subnet;
    let template = NetworkTemplate {
        cidr,
        gateway: gateway_of(cidr),
    };
    world.store.ensure_default_network(project, &template).await
}

/// A VPC as the network knows it.
pub(crate) fn vpc_of(record: &VpcRecord) -> Vpc {
    let subnet = |subnet: &SubnetRecord| Subnet {
        id: subnet.id,
        index: subnet.index,
        cidr: subnet.cidr,
        gateway: subnet.gateway,
        dns: subnet.dns.clone(),
        ntp: subnet.ntp.clone(),
        nat: subnet.nat,
    };
    let group = |group: &GroupRecord| Group {
        id: group.id,
        index: group.index,
        rules: group.rules.iter().map(|known| known.rule).collect(),
    };
    Vpc {
        id: record.id,
        index: record.index,
        subnets: record.subnets.iter().map(subnet).collect(),
        groups: record.groups.iter().map(group).collect(),
    }
}

/// Whose a port is: the instance's name and type.
pub(crate) type Owner<'a> = (&'a Name, &'a InstanceType);

/// A port as the network knows it.
fn port(settings: &Settings, record: &PortRecord, owner: Owner<'_>, public: Option<&PublicIpRecord>) -> Port {
    Port {
        id: record.id,
        vpc: record.vpc,
        subnet: record.subnet,
        mac: record.mac,
        address: record.address,
        hostname: hostname(record, Some(owner.0)),
        primary: record.slot == 0,
        groups: record.groups.clone(),
        pairs: record.pairs.clone(),
        public: public.and_then(|public| public_address(&settings.pools, public)),
        bandwidth: Some(owner.1.bandwidth),
    }
}

/// A public IP as the network knows it; none if the operator has taken it from its pool.
fn public_address(pools: &[PublicIpPool], record: &PublicIpRecord) -> Option<PublicAddress> {
    let holds = |pool: &&PublicIpPool| pool.name == record.pool && pool.contains(record.address);
    let Some(pool) = pools.iter().find(holds) else {
        tracing::warn!(address = %record.address, pool = %record.pool, "a public IP is in no pool any more: not served");
        return None;
    };
    Some(PublicAddress {
        address: record.address,
        interface: pool.interface.clone(),
    })
}

/// A port's name in its VPC's DNS: the primary one's is its instance's, every other's is made from its address.
pub(crate) fn hostname(record: &PortRecord, instance: Option<&Name>) -> String {
    match instance {
        Some(name) if record.slot == 0 => name.hostname(),
        _ => {
            let [a, b, c, d] = record.address.octets();
            format!("ip-{a}-{b}-{c}-{d}")
        }
    }
}

/// The ports that a VPC's namespace is to have. Blocking, and only for who holds the VPC's lock: a delete that begins
/// later then takes away what was made of this, and one that began before isn't undone by it.
pub(crate) fn served_ports(world: &World, vpc: VpcId) -> Result<Vec<Port>, StoreError> {
    world.wait(async {
        let records = world.store.served_ports_of_vpc(vpc).await?;
        ports_of(world, &records).await
    })
}

/// Those of these ports that an instance has, as the network knows them.
pub(crate) async fn ports_of(world: &World, records: &[PortRecord]) -> Result<Vec<Port>, StoreError> {
    let owners: Vec<InstanceId> = records.iter().filter_map(|port| port.instance).collect();
    let owners = world.store.types_of_instances(&owners).await?;
    let owner = |record: &PortRecord| owners.get(&record.instance?).map(|(name, kind)| (name, kind));
    ports_as(world, records, owner).await
}

/// Those of these ports that have an owner, as the network knows them.
pub(crate) async fn ports_as<'a>(
    world: &World,
    records: &[PortRecord],
    owner: impl Fn(&PortRecord) -> Option<Owner<'a>>,
) -> Result<Vec<Port>, StoreError> {
    let publics = publics_of(world, records).await?;
    let settings = world.settings();
    let one = |record: &PortRecord| Some(port(&settings, record, owner(record)?, publics.get(&record.id)));
    Ok(records.iter().filter_map(one).collect())
}

/// The public IPs of ports, by port.
pub(crate) async fn publics_of(
    world: &World,
    ports: &[PortRecord],
) -> Result<HashMap<PortId, PublicIpRecord>, StoreError> {
    let ids: Vec<_> = ports.iter().map(|port| port.id).collect();
    let found = world.store.public_ips_of_ports(&ids).await?;
    Ok(found
        .into_iter()
        .filter_map(|public| Some((public.port?, public)))
        .collect())
}

/// What changed of a VPC.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Change {
    /// Its subnets, or more than one can tell.
    Whole,
    /// The rules of a group, or that there is one.
    Group(SecurityGroupId),
    /// A group of that number is gone.
    NoGroup(u32),
    /// The groups, addresses or public IP of a port.
    Port(PortId),
}

/// Has the network take over a change of a VPC's records.
pub(crate) async fn apply(world: &Arc<World>, vpc: VpcId, change: Change) -> Result<(), EngineError> {
    let world = Arc::clone(world);
    blocking(move || apply_now(&world, vpc, change)).await
}

fn apply_now(world: &World, vpc: VpcId, change: Change) -> Result<(), EngineError> {
    let known = world.vpcs.of(vpc);
    let mut state = lock(&known);
    let Some(record) = world.wait(world.store.vpc(vpc))? else {
        return Ok(());
    };
    let ports = served_ports(world, vpc)?;
    if ports.is_empty() {
        state.whole = false;
        return Ok(());
    }
    let (network, spec) = (&world.network, vpc_of(&record));
    let done = match change {
        Change::Group(id) if state.whole => network.set_group(&spec, &ports, id),
        Change::NoGroup(index) if state.whole => network.remove_group(&spec, index),
        Change::Port(id) if state.whole => match ports.iter().find(|port| port.id == id) {
            Some(port) => network.set_port(&spec, port),
            None => Ok(()),
        },
        _ => make_whole(network, &spec, &ports),
    };
    state.whole = done.is_ok();
    done.map_err(EngineError::NotInForce)?;
    world.guests.listen(network, &spec);
    world.servers.watch(network, &spec);
    Ok(())
}

/// Makes a VPC whole. A public IP that can't be led there, for its link is gone or somebody else has it, is told and
/// keeps nothing else from its ports.
pub(crate) fn make_whole(network: &Network, vpc: &Vpc, ports: &[Port]) -> Result<(), NetworkError> {
    match network.ensure_vpc(vpc, ports) {
        Err(error @ (NetworkError::NoInterface { .. } | NetworkError::PublicTaken { .. })) => {
            tracing::warn!(vpc = %vpc.id, %error, "a public IP is not served");
            Ok(())
        }
        done => done,
    }
}

/// Makes sure that a VPC whose guests run is whole, public IPs and the metadata service included.
pub(crate) async fn mend(world: &Arc<World>, vpc: VpcId) -> Result<(), EngineError> {
    apply(world, vpc, Change::Whole).await
}

/// Makes a VPC whole whose DHCP server has ended, unless another one serves it by now.
pub(crate) async fn serve_again(world: &Arc<World>, vpc: VpcId) -> Result<(), EngineError> {
    let world = Arc::clone(world);
    blocking(move || {
        let known = world.vpcs.of(vpc);
        let state = lock(&known);
        let Some(record) = world.wait(world.store.vpc(vpc))? else {
            return Ok(());
        };
        let spec = vpc_of(&record);
        if world.network.server(&spec).is_some() {
            world.servers.watch(&world.network, &spec);
            return Ok(());
        }
        drop(state);
        apply_now(&world, vpc, Change::Whole)
    })
    .await
}

/// The addresses that no port of a subnet can have beyond those that ports have: its own, its gateway's, its last.
pub(crate) const RESERVED: u32 = 3;

/// How many ports a subnet has room for.
pub(crate) fn room_of(subnet: &SubnetRecord) -> u32 {
    let all = 1_u32 << (32 - u32::from(subnet.cidr.prefix_len()));
    all.saturating_sub(RESERVED)
}

/// Checks lists of servers that a subnet tells its guests of.
pub(crate) fn check_servers(field: &'static str, servers: &[Ipv4Addr]) -> Result<(), EngineError> {
    let most = berth_model::limits::SERVERS_MAX;
    if servers.len() > most as usize {
        return Err(EngineError::invalid(
            field,
            format!("there are {} and may be {most}", servers.len()),
        ));
    }
    let useless = |server: &&Ipv4Addr| {
        server.is_unspecified() || server.is_loopback() || server.is_multicast() || server.is_broadcast()
    };
    match servers.iter().find(useless) {
        Some(server) => Err(EngineError::invalid(
            field,
            format!("{server} is no server that a guest could reach"),
        )),
        None => Ok(()),
    }
}
