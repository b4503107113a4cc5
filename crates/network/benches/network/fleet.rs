//! A VPC with that many ports, all on one subnet and in one group. Two have guests, the others a tap nobody holds.

use std::net::Ipv4Addr;

use berth_model::{Direction, PortRange, Protocol, Remote, Rule, SecurityGroupId};
use berth_network::{Group, Port, Vpc};

use crate::guest::Guest;
use crate::lab::{Lab, anything};
use crate::{bare, row, timed};

/// The TCP port that the group lets in.
pub(crate) const OPEN: u16 = 81;

/// The bridge of the subnet, inside the VPC's namespace.
pub(crate) const BRIDGE: &str = "br7";

pub(crate) struct Fleet<'a> {
    pub(crate) lab: &'a Lab,
    pub(crate) vpc: Vpc,
    pub(crate) ports: Vec<Port>,
    /// Of the first two ports.
    pub(crate) guests: [Guest; 2],
    pub(crate) namespace: String,
}

impl<'a> Fleet<'a> {
    pub(crate) fn new(lab: &'a Lab, size: u16) -> Self {
        let mut vpc = Lab::vpc(1, 1);
        vpc.subnets[0].cidr = "10.0.0.0/20".parse().unwrap();
        vpc.groups = vec![Group {
            id: SecurityGroupId::new(),
            index: 1,
            rules: vec![anything(Direction::Egress), lets_in(OPEN)],
        }];
        lab.network.ensure_vpc(&vpc, &[]).unwrap();
        let namespace = lab.network.namespace_name(&vpc);
        let ports: Vec<_> = (0..size).map(|number| port(&vpc, number)).collect();
        let taps = ports[2..].iter().map(|port| lab.network.tap_name(port.id));
        let commands: Vec<_> = taps
            .map(|tap| format!("tuntap add dev {tap} mode tap vnet_hdr"))
            .collect();
        let floor = timed(|| bare::inside(&namespace, || bare::ip(&commands)));
        let berth = timed(|| lab.network.ensure_vpc(&vpc, &ports).unwrap());
        row(
            &format!("VPC with {size} new ports"),
            berth,
            floor,
            "ip -batch: tuntap add",
        );
        let berth = timed(|| lab.network.ensure_vpc(&vpc, &ports).unwrap());
        row(&format!("the same {size} again"), berth, floor, "the same");
        let guests = [0, 1].map(|number: usize| Guest::boot_static(lab, &vpc, ports[number].clone()));
        Self {
            lab,
            vpc,
            ports,
            guests,
            namespace,
        }
    }

    pub(crate) fn group(&self) -> SecurityGroupId {
        self.vpc.groups[0].id
    }

    /// One port more than there are.
    pub(crate) fn another_port(&self) -> Port {
        port(&self.vpc, u16::try_from(self.ports.len()).unwrap())
    }

    pub(crate) fn size(&self) -> usize {
        self.ports.len()
    }
}

fn port(vpc: &Vpc, number: u16) -> Port {
    Port {
        address: nth(Ipv4Addr::new(10, 0, 0, 10), number),
        hostname: format!("guest-{number}"),
        ..Lab::port(vpc, 0, 10)
    }
}

/// The nth address after that one.
pub(crate) fn nth(first: Ipv4Addr, number: u16) -> Ipv4Addr {
    Ipv4Addr::from_bits(first.to_bits() + u32::from(number))
}

pub(crate) fn lets_in(port: u16) -> Rule {
    Rule {
        direction: Direction::Ingress,
        protocol: Protocol::Tcp,
        ports: Some(PortRange::new(port, port).unwrap()),
        remote: Remote::ANYWHERE,
    }
}
