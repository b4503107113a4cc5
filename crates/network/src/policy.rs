//! What a VPC lets its guests do: which flow may begin, by its groups, its ports and its subnets.
//!
//! The rules are read here once, for two uses: [`crate::ruleset`] writes them down for nft, which judges what begins;
//! [`Judge::allows`] judges the flows that have begun before, of which [`crate::flows`] ends those that may no more.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use berth_model::{Direction, PortId, Protocol, Remote, Rule, SecurityGroupId};

use crate::flows::Flow;
use crate::{Group, Network, NetworkError, Port, Subnet, Vpc};

/// What has been said of one VPC.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    pub(crate) subnets: Vec<Subnet>,
    pub(crate) groups: BTreeMap<SecurityGroupId, Group>,
    pub(crate) ports: BTreeMap<PortId, Port>,
    /// The address of the router on the outside.
    transit: Ipv4Addr,
    /// Whether the installation lets any guest out.
    nat: bool,
}

/// Each address of a port, with all groups of all ports that have it.
pub(crate) type Members = BTreeMap<Ipv4Addr, BTreeSet<SecurityGroupId>>;

/// A policy, and who is in which group by it.
#[derive(Debug)]
pub(crate) struct Judge<'a> {
    policy: &'a Policy,
    members: Members,
}

/// Where an end of a flow is.
enum Place<'a> {
    /// The router itself, or everybody on a link.
    Router,
    /// In a subnet.
    Subnet(&'a Subnet),
    Outside,
}

impl Network {
    /// What is said of a VPC; it has been checked.
    pub(crate) fn policy(&self, vpc: &Vpc, ports: &[Port]) -> Result<Policy, NetworkError> {
        let settings = &self.inner.settings;
        vpc.check(settings)?;
        for port in ports {
            vpc.subnet_of(port)?;
        }
        Ok(Policy {
            subnets: vpc.subnets.clone(),
            groups: vpc.groups.iter().map(|group| (group.id, group.clone())).collect(),
            ports: ports.iter().map(|port| (port.id, port.clone())).collect(),
            transit: settings.transit(vpc.index)?,
            nat: settings.nat,
        })
    }
}

impl Policy {
    /// The same with that port as it is said now. Groups that are known stay as they are, for whoever changes one may
    /// have been faster; others are added.
    pub(crate) fn with(mut self, vpc: &Vpc, port: &Port) -> Self {
        for group in &vpc.groups {
            self.groups.entry(group.id).or_insert_with(|| group.clone());
        }
        self.ports.insert(port.id, port.clone());
        self
    }

    /// The same without that group, wherever it is named.
    pub(crate) fn without_group(mut self, index: u32) -> Self {
        let gone = self.groups.values().find(|group| group.index == index);
        let Some(gone) = gone.map(|group| group.id) else {
            return self;
        };
        self.groups.remove(&gone);
        for group in self.groups.values_mut() {
            group.rules.retain(|rule| rule.remote != Remote::Group(gone));
        }
        for port in self.ports.values_mut() {
            port.groups.retain(|group| *group != gone);
        }
        self
    }

    pub(crate) fn members(&self) -> Members {
        let mut members = Members::new();
        for port in self.ports.values() {
            for address in port.addresses() {
                members.entry(address).or_default().extend(&port.groups);
            }
        }
        members
    }

    /// Whether that subnet's guests reach the outside by the host's address.
    fn is_natted(&self, subnet: &Subnet) -> bool {
        self.nat && subnet.nat
    }

    fn has_public(&self, address: Ipv4Addr) -> bool {
        let mut ports = self.ports.values();
        ports.any(|port| port.address == address && port.public.is_some())
    }

    pub(crate) fn judge(&self) -> Judge<'_> {
        Judge {
            policy: self,
            members: self.members(),
        }
    }

    fn place(&self, address: Ipv4Addr) -> Place<'_> {
        let is_own = |subnet: &Subnet| subnet.gateway == address || subnet.cidr.broadcast() == address;
        let everybody = address.is_broadcast() || address.is_multicast() || address.is_unspecified();
        if everybody || address.is_link_local() || address == self.transit || self.subnets.iter().any(is_own) {
            return Place::Router;
        }
        let found = self.subnets.iter().find(|subnet| subnet.cidr.contains(&address));
        found.map_or(Place::Outside, Place::Subnet)
    }
}

impl Judge<'_> {
    /// Whether that flow might begin now. What has the router at an end isn't judged here: groups have no say in it.
    pub(crate) fn allows(&self, flow: &Flow) -> bool {
        // The ends as they are behind all translation: the asking one as it asks, the asked one as it answers.
        let (source, target) = (flow.asked.source, flow.answered.source);
        match (self.policy.place(source), self.policy.place(target)) {
            (Place::Router, _) | (_, Place::Router) | (Place::Outside, Place::Outside) => true,
            (Place::Subnet(_), Place::Subnet(_)) => self.may_send(flow) && self.may_receive(flow),
            (Place::Subnet(subnet), Place::Outside) => {
                (self.policy.is_natted(subnet) || self.policy.has_public(source)) && self.may_send(flow)
            }
            // From the outside only public addresses are reached, which are translated.
            (Place::Outside, Place::Subnet(_)) => flow.asked.target != target && self.may_receive(flow),
        }
    }

    fn may_send(&self, flow: &Flow) -> bool {
        self.any_rule(Direction::Egress, flow, flow.asked.source, flow.answered.source)
    }

    fn may_receive(&self, flow: &Flow) -> bool {
        self.any_rule(Direction::Ingress, flow, flow.answered.source, flow.asked.source)
    }

    fn any_rule(&self, direction: Direction, flow: &Flow, own: Ipv4Addr, far: Ipv4Addr) -> bool {
        let groups = self.members.get(&own).into_iter().flatten();
        let mut rules = groups
            .filter_map(|id| self.policy.groups.get(id))
            .flat_map(|group| &group.rules);
        rules.any(|rule| rule.direction == direction && speaks(rule, flow) && self.is_remote(rule.remote, far))
    }

    fn is_remote(&self, remote: Remote, far: Ipv4Addr) -> bool {
        match remote {
            Remote::Cidr(cidr) => cidr.contains(&far),
            Remote::Group(id) => self.members.get(&far).is_some_and(|groups| groups.contains(&id)),
        }
    }
}

fn speaks(rule: &Rule, flow: &Flow) -> bool {
    let number = match rule.protocol {
        Protocol::Any => return true,
        Protocol::Tcp => 6,
        Protocol::Udp => 17,
        Protocol::Icmp => 1,
    };
    let port = |ports: berth_model::PortRange| flow.answered.source_port.is_some_and(|port| ports.contains(port));
    flow.protocol == number && rule.ports.is_none_or(port)
}

#[cfg(test)]
#[path = "policy_tests.rs"]
pub(crate) mod testing;
