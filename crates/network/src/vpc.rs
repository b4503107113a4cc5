//! A VPC: its namespace and all that is in it.
//!
//! [`Network::ensure_vpc`] looks at what is there and adds what is missing, in an order in which nothing is ever open
//! that should be shut: rules before links, dnsmasq's end before the bridge it was bound to is made again.

use crate::dhcp::Dhcp;
use crate::edge;
use crate::groups::Standing;
use crate::link::{self, Link};
use crate::names::{self, EXT, router_mac};
use crate::namespace::{self, inside, sysctl};
use crate::policy::Policy;
use crate::{GUEST_MTU, METADATA, Network, NetworkError, Port, Subnet, Vpc, dhcp, host};

impl Network {
    /// Makes sure that the VPC is there and whole: namespace, bridges, uplink, rules, DHCP. `ports` are all ports of
    /// it: guests may send from those and no others, and DHCP knows those and no others. The caller sees to it that
    /// no port is added between reading `ports` and the end of this call, for it would be forgotten. Taps that are
    /// already in the namespace are put on their bridge again; subnets that aren't in `vpc` any more are removed.
    pub fn ensure_vpc(&self, vpc: &Vpc, ports: &[Port]) -> Result<(), NetworkError> {
        let policy = self.policy(vpc, ports)?;
        self.claim(vpc, ports)?;
        self.holding(vpc.index, |standing| self.ensure_vpc_held(vpc, ports, policy, standing))
    }

    fn ensure_vpc_held(
        &self,
        vpc: &Vpc,
        ports: &[Port],
        policy: Policy,
        standing: &mut Option<Standing>,
    ) -> Result<(), NetworkError> {
        let inner = &self.inner;
        let namespace = inner.names.namespace(vpc.index);
        host::ensure_bridge_filter()?;
        let made = namespace::ensure(&inner.tools, &namespace)?;
        // Whatever stands there now, and whoever has changed it.
        *standing = None;
        let edge = edge::table(&vpc.subnets, inner.settings.nat, &edge::translations(ports));
        let (links, translated) = inside(&namespace, || {
            router_sysctls()?;
            let translated = edge::read(&inner.tools)?;
            inner.tools.nft(&edge)?;
            self.stand(standing, policy, "")?;
            tracking_sysctls()?;
            let links = if made { Vec::new() } else { link::all(&inner.tools)? };
            Ok((links, translated))
        })?;
        self.ensure_uplink(vpc.index, links.iter().any(|link| link.name == EXT))?;
        let dhcp = self.dhcp(vpc);
        if stale_bridges(vpc, &links).next().is_some() || missing_bridges(vpc, &links).next().is_some() {
            dhcp.stop()?;
        }
        inside(&namespace, || {
            inner.tools.ip_batch(&self.inner_links(vpc, ports, &links)?)?;
            let entries = ports
                .iter()
                .flat_map(|port| dhcp::entries(port, &inner.names.tap(port.id)));
            dhcp.set(&entries.collect())?;
            dhcp.ensure_running()
        })?;
        self.ensure_all_public(vpc, ports, &translated)
    }

    /// The commands that make the inside of a namespace as it should be.
    fn inner_links(&self, vpc: &Vpc, ports: &[Port], links: &[Link]) -> Result<Vec<String>, NetworkError> {
        let settings = &self.inner.settings;
        let mut commands = vec!["link set dev lo up".to_owned()];
        commands.extend(stale_bridges(vpc, links).map(|index| format!("link del dev {}", names::bridge(index))));
        for subnet in missing_bridges(vpc, links) {
            let (bridge, mac) = (names::bridge(subnet.index), router_mac(2, subnet.index));
            commands.push(format!(
                "link add dev {bridge} address {mac} type bridge stp_state 0 mcast_snooping 0"
            ));
        }
        commands.extend(foreign_addresses(vpc, links));
        for subnet in &vpc.subnets {
            let bridge = names::bridge(subnet.index);
            commands.push(format!(
                "address replace {}/{} dev {bridge}",
                subnet.gateway,
                subnet.cidr.prefix_len()
            ));
            commands.push(format!("link set dev {bridge} mtu {GUEST_MTU} up"));
        }
        for port in ports {
            let (tap, bridge) = (self.inner.names.tap(port.id), names::bridge(vpc.subnet_of(port)?.index));
            if links.iter().any(|link| link.name == tap) {
                commands.extend(plug_commands(&tap, &bridge));
            }
        }
        let (transit, prefix) = (settings.transit(vpc.index)?, settings.provider.prefix_len());
        commands.push(format!("address replace {}/32 dev lo", METADATA.ip()));
        commands.push(format!("address replace {transit}/{prefix} dev {EXT}"));
        commands.push(format!("link set dev {EXT} up"));
        commands.push(format!(
            "route replace default via {} dev {EXT}",
            settings.provider_gateway()
        ));
        Ok(commands)
    }

    /// Makes sure that nothing of the VPC is left; with the last VPC the provider bridge goes too.
    pub fn remove_vpc(&self, vpc: &Vpc) -> Result<(), NetworkError> {
        self.remove_vpc_number(vpc.index)
    }

    pub(crate) fn remove_vpc_number(&self, vpc_index: u32) -> Result<(), NetworkError> {
        self.holding(vpc_index, |standing| {
            *standing = None;
            self.remove_dhcp(vpc_index)?;
            self.unpublish_all(vpc_index)?;
            // The uplink by name, though it would go with the namespace: that goes later, and by itself.
            self.remove_uplink(vpc_index)?;
            namespace::remove(&self.inner.tools, &self.inner.names.namespace(vpc_index))
        })
    }

    pub(crate) fn dhcp<'a>(&'a self, vpc: &'a Vpc) -> Dhcp<'a> {
        let dir = self.dhcp_dir(Some(vpc.index));
        Dhcp::new(&self.inner.tools.dnsmasq, dir, &vpc.subnets, self.inner.settings.nat)
    }
}

/// The commands that put a tap on its bridge; a link that has moved to another namespace is down. *Hairpin* lets a
/// frame out where it came in, which a guest needs that speaks to its own public address; the guard drops what else
/// would come back that way.
pub(crate) fn plug_commands(tap: &str, bridge: &str) -> [String; 2] {
    [
        format!("link set dev {tap} mtu {GUEST_MTU} master {bridge} up"),
        format!("link set dev {tap} type bridge_slave hairpin on"),
    ]
}

/// IPv4 is routed, IPv6 is not spoken, and what a bridge carries comes by the rules of `inet vpc` too. A router with
/// several networks answers ARP only on the right one, and says nothing of shorter ways: a bridge's guests reach each
/// other without it.
fn router_sysctls() -> Result<(), NetworkError> {
    sysctl("ipv4/ip_forward", "1")?;
    sysctl("bridge/bridge-nf-call-iptables", "1")?;
    for which in ["all", "default"] {
        sysctl(&format!("ipv6/conf/{which}/disable_ipv6"), "1")?;
        sysctl(&format!("ipv4/conf/{which}/arp_ignore"), "1")?;
        sysctl(&format!("ipv4/conf/{which}/send_redirects"), "0")?;
        sysctl(&format!("ipv4/conf/{which}/accept_redirects"), "0")?;
    }
    Ok(())
}

/// A packet of TCP begins a flow only if it is the first: else the answers to one that was ended would begin it again
/// the other way round. The kernel has the value once rules track flows.
fn tracking_sysctls() -> Result<(), NetworkError> {
    sysctl("netfilter/nf_conntrack_tcp_loose", "0")
}

fn missing_bridges<'a>(vpc: &'a Vpc, links: &'a [Link]) -> impl Iterator<Item = &'a Subnet> {
    vpc.subnets
        .iter()
        .filter(|subnet| links.iter().all(|link| link.name != names::bridge(subnet.index)))
}

/// The commands that take from bridges what isn't their gateway's: the number of a subnet that is gone is another's.
fn foreign_addresses<'a>(vpc: &'a Vpc, links: &'a [Link]) -> impl Iterator<Item = String> + 'a {
    vpc.subnets.iter().flat_map(|subnet| {
        let (bridge, own) = (names::bridge(subnet.index), (subnet.gateway, subnet.cidr.prefix_len()));
        let there = links
            .iter()
            .filter(move |link| link.name == names::bridge(subnet.index));
        let foreign = there
            .flat_map(Link::addresses)
            .filter(move |net| (net.addr(), net.prefix_len()) != own);
        foreign.map(move |net| format!("address del {net} dev {bridge}"))
    })
}

fn stale_bridges<'a>(vpc: &'a Vpc, links: &'a [Link]) -> impl Iterator<Item = u32> + 'a {
    let found = links.iter().filter_map(|link| names::bridge_index(&link.name));
    found.filter(|index| vpc.subnets.iter().all(|subnet| subnet.index != *index))
}
