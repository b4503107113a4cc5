//! What should be: a VPC, its subnets and ports, as the caller has journaled them.
//!
//! They are checked here once, at the border. What is left to write into rules and arguments after that are numbers,
//! addresses and names of our own making.

use std::net::Ipv4Addr;

use berth_model::{Mac, PortId, Remote, Rule, SecurityGroupId, SubnetId, VpcId};
use ipnet::Ipv4Net;

use crate::{NetworkError, Settings, bandwidth};

/// A VPC: networks that see each other and nobody else.
#[derive(Debug, Clone)]
pub struct Vpc {
    /// Which one it is.
    pub id: VpcId,
    /// A small number that no other VPC of this installation has: names and the transit address follow from it.
    pub index: u32,
    /// All its subnets: one that isn't here any more is removed by [`crate::Network::ensure_vpc`].
    pub subnets: Vec<Subnet>,
    /// All its security groups.
    pub groups: Vec<Group>,
}

/// A subnet: one bridge, one range of addresses.
#[derive(Debug, Clone)]
pub struct Subnet {
    /// Which one it is.
    pub id: SubnetId,
    /// A small number that no other subnet of its VPC has.
    pub index: u32,
    /// Its addresses, a /30 or wider.
    pub cidr: Ipv4Net,
    /// The address of its router.
    pub gateway: Ipv4Addr,
    /// The resolvers its guests are told to ask. None: the gateway, which also knows the names of the other guests.
    pub dns: Vec<Ipv4Addr>,
    /// The time servers its guests are told of.
    pub ntp: Vec<Ipv4Addr>,
    /// Whether its guests reach the outside by the host's address, where [`Settings::nat`] lets any.
    pub nat: bool,
}

/// A security group: what may reach the ports that are in it, and what they may reach. What no rule of any group of a
/// port allows is dropped.
#[derive(Debug, Clone)]
pub struct Group {
    /// Which one it is.
    pub id: SecurityGroupId,
    /// A small number that no other group of its VPC has.
    pub index: u32,
    /// What it allows.
    pub rules: Vec<Rule>,
}

/// A port: one NIC of one guest.
#[derive(Debug, Clone)]
pub struct Port {
    /// Which one it is; the tap's name follows from it.
    pub id: PortId,
    /// The VPC it is in.
    pub vpc: VpcId,
    /// The subnet it is on.
    pub subnet: SubnetId,
    /// The only MAC it may send from.
    pub mac: Mac,
    /// The address DHCP gives it, which it may send from.
    pub address: Ipv4Addr,
    /// The guest's name: a DNS label (RFC 1123) of `a-z0-9-`.
    pub hostname: String,
    /// Whether DHCP gives it a default route: of the ports of one guest only one can.
    pub primary: bool,
    /// The security groups it is in. None: nothing reaches it, and it reaches nothing but its router.
    pub groups: Vec<SecurityGroupId>,
    /// Addresses of its subnet, besides its own, that it may send from and be reached at (VRRP); several ports may
    /// have the same.
    pub pairs: Vec<Ipv4Addr>,
    /// The public address it is reached at.
    pub public: Option<PublicAddress>,
    /// How much it may send and receive, in Mbit/s each way. None: as much as it can.
    pub bandwidth: Option<u32>,
}

/// An address of the outside that stands for a port's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicAddress {
    /// The address.
    pub address: Ipv4Addr,
    /// The host's link on which neighbours ask for the address. None: it is routed to this host.
    pub interface: Option<String>,
}

impl Vpc {
    pub(crate) fn check(&self, settings: &Settings) -> Result<(), NetworkError> {
        settings.transit(self.index)?;
        self.check_subnets(settings)?;
        self.check_groups()
    }

    fn check_subnets(&self, settings: &Settings) -> Result<(), NetworkError> {
        for (place, subnet) in self.subnets.iter().enumerate() {
            let cidr = subnet.cidr;
            if cidr.trunc() != cidr || cidr.prefix_len() > 30 || !is_host(cidr, subnet.gateway) {
                return Err(NetworkError::Invalid(format!(
                    "subnet {} is a network of /30 or wider with a gateway inside, and {cidr} with {} is not",
                    subnet.id, subnet.gateway
                )));
            }
            if overlap(cidr, settings.provider) {
                return Err(NetworkError::Invalid(format!(
                    "subnet {cidr} overlaps the provider network {}: choose another range",
                    settings.provider
                )));
            }
            let twin = self
                .subnets
                .iter()
                .take(place)
                .find(|other| overlap(other.cidr, cidr) || other.index == subnet.index);
            if let Some(other) = twin {
                return Err(NetworkError::Invalid(format!(
                    "subnets {cidr} and {} of a VPC collide",
                    other.cidr
                )));
            }
        }
        Ok(())
    }

    /// A chain and a set are made of each group, so what a rule names has to be there.
    fn check_groups(&self) -> Result<(), NetworkError> {
        for (place, group) in self.groups.iter().enumerate() {
            let mut before = self.groups.iter().take(place);
            if before.any(|other| other.index == group.index || other.id == group.id) {
                return Err(NetworkError::Invalid(format!(
                    "security group {} of VPC {} is there twice, or its number {} is",
                    group.id, self.id, group.index
                )));
            }
            for rule in &group.rules {
                rule.check().map_err(|error| NetworkError::Invalid(error.to_string()))?;
                if let Remote::Group(id) = rule.remote {
                    self.group(id)?;
                }
            }
        }
        Ok(())
    }

    pub(crate) fn group(&self, id: SecurityGroupId) -> Result<&Group, NetworkError> {
        let found = self.groups.iter().find(|group| group.id == id);
        found.ok_or_else(|| NetworkError::Invalid(format!("security group {id} is not in VPC {}", self.id)))
    }

    /// The subnet that a port is on, once the port has been checked against it.
    pub(crate) fn subnet_of(&self, port: &Port) -> Result<&Subnet, NetworkError> {
        let subnet = self
            .subnets
            .iter()
            .find(|subnet| port.vpc == self.id && subnet.id == port.subnet);
        let subnet = subnet.ok_or_else(|| {
            NetworkError::Invalid(format!(
                "port {} is on subnet {}, which is not in VPC {}",
                port.id, port.subnet, self.id
            ))
        })?;
        if !is_host(subnet.cidr, port.address) || port.address == subnet.gateway {
            return Err(NetworkError::Invalid(format!(
                "port {} can't have {}: an address of {} is wanted, and not the gateway's",
                port.id, port.address, subnet.cidr
            )));
        }
        if !is_label(&port.hostname) {
            return Err(NetworkError::Invalid(format!(
                "a hostname has 1 to 63 of a-z, 0-9 and '-', with no '-' at an end, and '{}' has not",
                port.hostname
            )));
        }
        for pair in &port.pairs {
            if !is_host(subnet.cidr, *pair) || self.subnets.iter().any(|other| other.gateway == *pair) {
                return Err(NetworkError::Invalid(format!(
                    "port {} can't have {pair} besides its own address: an address of {} is wanted, and no gateway's",
                    port.id, subnet.cidr
                )));
            }
        }
        port.groups.iter().try_for_each(|id| self.group(*id).map(drop))?;
        bandwidth::check(port)?;
        Ok(subnet)
    }
}

impl Port {
    /// Its own address and those besides.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = Ipv4Addr> {
        std::iter::once(self.address).chain(self.pairs.iter().copied())
    }
}

fn is_host(cidr: Ipv4Net, address: Ipv4Addr) -> bool {
    cidr.contains(&address) && address != cidr.network() && address != cidr.broadcast()
}

fn overlap(one: Ipv4Net, other: Ipv4Net) -> bool {
    one.contains(&other) || other.contains(&one)
}

fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}
