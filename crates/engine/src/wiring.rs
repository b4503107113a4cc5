//! What more than one recipe does with the ports of an instance: connect them, plug their taps, take them away.
//!
//! ```text
//!   connect (network knows them, taps on the host) ─▶ QEMU opens the taps ─▶ plug (into the namespace, onto the bridge)
//!   unplug (taps and public IPs gone, addresses kept) ─▶ disconnect (nothing left)
//! ```
//!
//! Everything of one VPC is done by who holds its lock.

use berth_model::{InstanceId, InstanceType, Name, VpcId};
use berth_network::{Network, NetworkError, Port, Vpc};
use berth_ops::Failure;

use crate::context::{Context, OrFail};
use crate::network::{make_whole, ports_as, served_ports, vpc_of};
use crate::world::{VpcState, World, lock};

/// An instance's ports and their VPC, as they are while nothing else changes them.
pub(crate) struct Held<'a> {
    pub(crate) world: &'a World,
    pub(crate) vpc: Vpc,
    pub(crate) ports: Vec<Port>,
    state: &'a mut VpcState,
}

/// Whose ports they are: the instance, its name, and the type its guest is of.
pub(crate) type Whose<'a> = (InstanceId, &'a Name, &'a InstanceType);

/// Does `work` while nothing else changes the VPC, with what the records say now: whoever changed them since the
/// caller read them has changed what is in force. Nothing is done for a VPC that is gone.
pub(crate) fn holding(
    world: &World,
    vpc: VpcId,
    (instance, name, kind): Whose<'_>,
    work: impl FnOnce(&mut Held<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let known = world.vpcs.of(vpc);
    let mut state = lock(&known);
    let Some(record) = world.wait(world.store.vpc(vpc)).or_fail()? else {
        return Ok(());
    };
    let read = world.wait(async {
        let records = world.store.ports_of_instance(instance).await?;
        ports_as(world, &records, |_| Some((name, kind))).await
    });
    let mut held = Held {
        world,
        vpc: vpc_of(&record),
        ports: read.or_fail()?,
        state: &mut state,
    };
    let done = work(&mut held);
    // What fails may have been broken from outside: the next attempt makes sure of the whole.
    held.state.whole &= done.is_ok();
    world.servers.watch(&world.network, &held.vpc);
    done
}

impl Held<'_> {
    /// Makes sure that the VPC is whole, with its metadata service.
    pub(crate) fn whole(&mut self) -> Result<(), Failure> {
        if !self.state.whole {
            let ports = served_ports(self.world, self.vpc.id).or_fail()?;
            make_whole(&self.world.network, &self.vpc, &ports).or_fail()?;
            self.state.whole = true;
        }
        self.world.guests.listen(&self.world.network, &self.vpc);
        Ok(())
    }

    /// Does that to each of the ports.
    pub(crate) fn each(
        &self,
        change: impl Fn(&Network, &Vpc, &Port) -> Result<(), NetworkError>,
    ) -> Result<(), Failure> {
        let network = &self.world.network;
        self.ports
            .iter()
            .try_for_each(|port| change(network, &self.vpc, port).or_fail())
    }
}

/// Makes sure the VPC is whole, and the ports have their taps, addresses and rules, for a guest of that type.
pub(crate) fn connect(cx: &Context, kind: &InstanceType) -> Result<(), Failure> {
    of_instance(cx, kind, |held| {
        held.whole()?;
        held.each(Network::ensure_port)
    })
}

/// Makes sure the taps of a started guest are in the VPC's namespace, on their bridges, with their rates.
pub(crate) fn plug(cx: &Context, kind: &InstanceType) -> Result<(), Failure> {
    of_instance(cx, kind, |held| held.each(Network::plug_port))
}

/// Makes sure the instance has no taps, and is reached at no public IP; its addresses stay its own.
pub(crate) fn unplug(cx: &Context) -> Result<(), Failure> {
    of_instance(cx, &cx.subject.instance.instance_type, |held| {
        held.each(Network::unplug_port)
    })
}

/// Makes sure the instance has no taps, leases and rules.
pub(crate) fn disconnect(cx: &Context) -> Result<(), Failure> {
    of_instance(cx, &cx.subject.instance.instance_type, |held| {
        held.each(Network::remove_port)
    })
}

fn of_instance(
    cx: &Context,
    kind: &InstanceType,
    work: impl FnOnce(&mut Held<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let Some(vpc) = &cx.subject.vpc else { return Ok(()) };
    let whose = (cx.id(), &cx.subject.instance.name, kind);
    holding(&cx.world, vpc.id, whose, work)
}
