//! What more than one recipe does with the ports of an instance: connect them, plug their taps, take them away.
//!
//! ```text
//!   connect (network knows them, taps on the host) ─▶ QEMU opens the taps ─▶ plug (into the namespace, onto the bridge)
//!   unplug (taps and public IPs gone, addresses kept) ─▶ disconnect (nothing left)
//! ```
//!
//! Everything of one VPC is done by who holds its lock.

use berth_model::InstanceType;
use berth_network::{Network, NetworkError, Port, Vpc};
use berth_ops::Failure;

use crate::context::{Context, OrFail};
use crate::network::{served_ports, vpc_of};
use crate::world::lock;

/// Makes sure the VPC is whole, and the ports have their taps, addresses and rules, for a guest of that type.
pub(crate) fn connect(cx: &Context, kind: &InstanceType) -> Result<(), Failure> {
    let Some(record) = &cx.subject.vpc else { return Ok(()) };
    let known = cx.world.vpcs.of(record.id);
    let mut state = lock(&known);
    // As it is now: whoever changed it since the operation began has changed what is in force.
    let Some(record) = cx.world.wait(cx.world.store.vpc(record.id)).or_fail()? else {
        return Ok(());
    };
    let vpc = vpc_of(&record);
    if !state.whole {
        let ports = served_ports(&cx.world, record.id).or_fail()?;
        cx.world.network.ensure_vpc(&vpc, &ports).or_fail()?;
        state.whole = true;
    }
    cx.world.guests.listen(&cx.world.network, &vpc);
    for port in ports(cx, kind)? {
        let ensured = cx.world.network.ensure_port(&vpc, &port);
        // What fails may have been broken from outside: the next attempt makes sure of the whole.
        state.whole = ensured.is_ok();
        ensured.or_fail()?;
    }
    Ok(())
}

/// The instance's ports as they are now, for a guest of that type.
fn ports(cx: &Context, kind: &InstanceType) -> Result<Vec<Port>, Failure> {
    let subject = &cx.subject;
    cx.world
        .wait(async {
            let records = cx.world.store.ports_of_instance(subject.instance.id).await?;
            let publics = crate::network::publics_of(&cx.world, &records).await?;
            let owner = (&subject.instance.name, kind);
            let one = |record| crate::network::port(&cx.world.settings, record, owner, publics.get(&record.id));
            Ok(records.iter().map(one).collect())
        })
        .map_err(|error: berth_store::StoreError| Failure::transient(error.code(), error))
}

/// Makes sure the taps of a started guest are in the VPC's namespace, on their bridges, with their rates.
pub(crate) fn plug(cx: &Context, kind: &InstanceType) -> Result<(), Failure> {
    each(cx, kind, Network::plug_port)
}

/// Makes sure the instance has no taps, and is reached at no public IP; its addresses stay its own.
pub(crate) fn unplug(cx: &Context) -> Result<(), Failure> {
    each(cx, &cx.subject.instance.instance_type, unplug_port)
}

/// Makes sure that a port has no tap, and is reached at no public IP.
pub(crate) fn unplug_port(network: &Network, vpc: &Vpc, port: &Port) -> Result<(), NetworkError> {
    network.unplug_port(vpc, port)?;
    // Where nothing of the VPC is left, nothing leads there.
    if port.public.is_none() || network.namespace_inode(vpc).is_none() {
        return Ok(());
    }
    let hidden = Port {
        public: None,
        ..port.clone()
    };
    network.ensure_public(vpc, &hidden)
}

/// Makes sure the instance has no taps, leases and rules.
pub(crate) fn disconnect(cx: &Context) -> Result<(), Failure> {
    each(cx, &cx.subject.instance.instance_type, Network::remove_port)
}

fn each(
    cx: &Context,
    kind: &InstanceType,
    change: impl Fn(&Network, &Vpc, &Port) -> Result<(), NetworkError>,
) -> Result<(), Failure> {
    let Some(record) = &cx.subject.vpc else { return Ok(()) };
    let known = cx.world.vpcs.of(record.id);
    let mut state = lock(&known);
    let Some(record) = cx.world.wait(cx.world.store.vpc(record.id)).or_fail()? else {
        return Ok(());
    };
    let vpc = vpc_of(&record);
    for port in ports(cx, kind)? {
        let changed = change(&cx.world.network, &vpc, &port);
        state.whole &= changed.is_ok();
        changed.or_fail()?;
    }
    Ok(())
}
