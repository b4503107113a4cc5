//! The host's side: the provider bridge, one uplink per VPC, the table of rules, forwarding, the kernel's modules.
//!
//! The uplinks are *isolated* ports of the bridge, so that one VPC's frames never reach another's, and the table drops
//! what one would send another by way of the host's router. Everything here is made sure of at each call, for a
//! `systemctl restart nftables` or a network manager takes it away without telling anybody.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::PoisonError;

use crate::command::{find, run};
use crate::link::{self, Link};
use crate::names::{EXT, router_mac};
use crate::namespace::sysctl;
use crate::{Network, NetworkError, rules};

/// What decides, in each namespace, whether frames that a bridge carries come by the rules of `inet`.
const BRIDGED: [&str; 3] = [
    "bridge-nf-call-iptables",
    "bridge-nf-call-ip6tables",
    "bridge-nf-call-arptables",
];

/// Makes sure that the kernel can show rules what a bridge carries (`br_netfilter`). With the module it begins to do so
/// in all namespaces: for the host's own bridges nothing is to change.
pub(crate) fn ensure_bridge_filter() -> Result<(), NetworkError> {
    if Path::new("/proc/sys/net/bridge").exists() {
        return Ok(());
    }
    run(&find("modprobe", "kmod")?, ["br_netfilter"], "")?;
    BRIDGED
        .iter()
        .try_for_each(|name| sysctl(&format!("bridge/{name}"), "0"))
}

impl Network {
    /// Makes sure of the provider bridge, the rules, and the uplink of a VPC whose namespace is there.
    pub(crate) fn ensure_uplink(&self, vpc_index: u32, ext_exists: bool) -> Result<(), NetworkError> {
        let inner = &self.inner;
        let _held = inner.host.lock().unwrap_or_else(PoisonError::into_inner);
        let (bridge, uplink) = (inner.names.provider(), inner.names.uplink(vpc_index));
        let links = link::all(&inner.tools)?;
        let has = |name: &str| links.iter().any(|link| link.name == name);

        let mut commands = Vec::new();
        if !has(&bridge) {
            self.check_provider(&links)?;
            let mac = router_mac(0, 0);
            commands.push(format!(
                "link add dev {bridge} address {mac} type bridge stp_state 0 mcast_snooping 0"
            ));
        }
        let gateway = inner.settings.provider_gateway();
        commands.push(format!(
            "address replace {gateway}/{} dev {bridge}",
            inner.settings.provider.prefix_len()
        ));
        commands.push(format!("link set dev {bridge} up"));
        if has(&uplink) && !ext_exists {
            commands.push(format!("link del dev {uplink}"));
        }
        if !has(&uplink) || !ext_exists {
            let (namespace, mac) = (inner.names.namespace(vpc_index), router_mac(1, vpc_index));
            commands.push(format!(
                "link add dev {uplink} type veth peer name {EXT} address {mac} netns {namespace}"
            ));
        }
        commands.push(format!("link set dev {uplink} master {bridge} up"));
        commands.push(format!("link set dev {uplink} type bridge_slave isolated on"));

        // The rules stand before the first packet can come.
        self.ensure_host_rules()?;
        inner.tools.ip_batch(&commands)?;
        // VPCs take each other's transit addresses for neighbours, and can't hear each other: the host answers for all
        // of them (RFC 3069), and at once.
        sysctl(&format!("ipv4/conf/{bridge}/proxy_arp_pvlan"), "1")?;
        sysctl(&format!("ipv4/neigh/{bridge}/proxy_delay"), "0")?;
        if inner.settings.nat {
            sysctl("ipv4/ip_forward", "1")
        } else {
            Ok(())
        }
    }

    /// Makes sure of the host's table. It is replaced as a whole and in one go; the public addresses in it, of all
    /// VPCs, are those that are routed.
    pub(crate) fn ensure_host_rules(&self) -> Result<(), NetworkError> {
        let (inner, settings) = (&self.inner, &self.inner.settings);
        let public: Vec<_> = self.routed()?.into_keys().collect();
        inner.tools.nft(&rules::host(
            &inner.names.table(),
            &inner.names.provider(),
            settings.provider,
            settings.nat,
            &public,
        ))
    }

    /// Makes sure the uplink is gone, and with the last one the provider bridge and the rules. Forwarding stays on:
    /// somebody else may have come to rely on it.
    pub(crate) fn remove_uplink(&self, vpc_index: u32) -> Result<(), NetworkError> {
        let inner = &self.inner;
        let _held = inner.host.lock().unwrap_or_else(PoisonError::into_inner);
        link::remove(&inner.tools, &inner.names.uplink(vpc_index))?;
        self.remove_unused()
    }

    /// Makes sure that the provider bridge and the rules are gone if no VPC has an uplink. For who holds the host.
    fn remove_unused(&self) -> Result<(), NetworkError> {
        let inner = &self.inner;
        if link::names()?.iter().any(|name| inner.names.is_uplink(name)) {
            return Ok(());
        }
        link::remove(&inner.tools, &inner.names.provider())?;
        inner.tools.nft(&rules::without("inet", &inner.names.table()))
    }

    /// Makes sure that nothing of this installation is left on the host where no VPC is: public addresses, the provider
    /// bridge, the rules.
    pub fn remove_host(&self) -> Result<(), NetworkError> {
        let led: Vec<Ipv4Addr> = self.routed()?.into_keys().collect();
        self.unpublish(&led)?;
        let _held = self.inner.host.lock().unwrap_or_else(PoisonError::into_inner);
        self.remove_unused()
    }

    /// Two links of a host with the same network would take each other's packets.
    fn check_provider(&self, links: &[Link]) -> Result<(), NetworkError> {
        let provider = self.inner.settings.provider;
        let taken = links.iter().find_map(|link| {
            let found = link
                .addresses()
                .find(|net| net.contains(&provider) || provider.contains(net));
            found.map(|net| (link.name.clone(), net.addr()))
        });
        match taken {
            Some((link, address)) => Err(NetworkError::ProviderTaken {
                link,
                address,
                provider,
            }),
            None => Ok(()),
        }
    }
}
