//! Public addresses on the host: a route to the VPC, a place in the rules, and an answer to neighbours that ask.
//!
//! The route (`A via <transit address> dev P-ext`) is the memory of it all: it says that the address is ours and whose
//! it is, the rules list what is routed, and it is made first and deleted last. It leads to a router that keeps its
//! MAC, so that moving an address to another VPC is one change of a route, and no neighbour's entry goes stale.
//!
//! Where the address belongs to a network that the host has a leg in, the host answers for it there: proxy ARP for just
//! this address on just this link, which takes forwarding and nothing else (not `proxy_arp`, which answers for all).

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::PoisonError;

use serde::Deserialize;

use crate::announce::announce;
use crate::command::run;
use crate::link::{self, Link};
use crate::namespace::sysctl;
use crate::{Network, NetworkError, PublicAddress};

/// What `ip -json route` says of a route, and `ip -json neighbour` of an entry.
#[derive(Debug, Deserialize)]
struct Entry {
    dst: String,
    gateway: Option<Ipv4Addr>,
    dev: Option<String>,
}

impl Network {
    /// The public addresses that are routed to VPCs, each with the transit address it is routed to.
    pub(crate) fn routed(&self) -> Result<BTreeMap<Ipv4Addr, Ipv4Addr>, NetworkError> {
        let bridge = self.inner.names.provider();
        if !link::exists(&bridge) {
            return Ok(BTreeMap::new());
        }
        let routes = self.entries(&["-4", "-json", "route", "show", "dev", &bridge])?;
        let ours = |route: Entry| Some((route.dst.parse().ok()?, route.gateway?));
        Ok(routes.into_iter().filter_map(ours).collect())
    }

    /// Makes sure that the host leads these addresses to that VPC, whose uplink is there. One that can't be led there
    /// keeps none of the others from it.
    pub(crate) fn publish(&self, vpc_index: u32, addresses: &[&PublicAddress]) -> Result<(), NetworkError> {
        if addresses.is_empty() {
            return Ok(());
        }
        let inner = &self.inner;
        let _held = inner.host.lock().unwrap_or_else(PoisonError::into_inner);
        let (transit, bridge) = (inner.settings.transit(vpc_index)?, inner.names.provider());
        let links = link::all(&inner.tools)?;
        let (mut good, mut first) = (Vec::new(), Ok(()));
        for public in addresses {
            match check_public(&links, public) {
                Ok(()) => good.push(*public),
                bad => first = first.and(bad),
            }
        }
        let routes = good
            .iter()
            .map(|public| format!("route replace {}/32 via {transit} dev {bridge}", public.address));
        inner.tools.ip_batch(&routes.collect::<Vec<_>>())?;
        self.ensure_host_rules()?;
        if !good.is_empty() {
            sysctl("ipv4/ip_forward", "1")?;
        }
        self.answer_for(&good)?;
        first
    }

    /// Makes sure that the host answers for these addresses each on its link, and on no other; and says so there.
    fn answer_for(&self, addresses: &[&PublicAddress]) -> Result<(), NetworkError> {
        for (address, link) in self.proxied()? {
            let public = addresses.iter().find(|public| public.address == address);
            if public.is_some_and(|public| public.interface.as_ref() != Some(&link)) {
                self.stop_answering(address, &link)?;
            }
        }
        let mut commands = Vec::new();
        let mut links: BTreeMap<&str, Vec<Ipv4Addr>> = BTreeMap::new();
        for public in addresses {
            if let Some(link) = &public.interface {
                commands.push(format!("neighbour replace proxy {} dev {link}", public.address));
                links.entry(link).or_default().push(public.address);
            }
        }
        self.inner.tools.ip_batch(&commands)?;
        for (link, addresses) in links {
            // Who isn't told asks again by itself, later.
            if let Err(error) = announce(link, &addresses) {
                tracing::warn!("can't announce public addresses on {link}: {error}");
            }
        }
        Ok(())
    }

    /// Makes sure that the host leads these addresses nowhere.
    pub(crate) fn unpublish(&self, addresses: &[Ipv4Addr]) -> Result<(), NetworkError> {
        if addresses.is_empty() {
            return Ok(());
        }
        let inner = &self.inner;
        let _held = inner.host.lock().unwrap_or_else(PoisonError::into_inner);
        for (address, link) in self.proxied()? {
            if addresses.contains(&address) {
                self.stop_answering(address, &link)?;
            }
        }
        let (routed, bridge) = (self.routed()?, inner.names.provider());
        let gone = routed.keys().filter(|address| addresses.contains(address));
        let commands: Vec<String> = gone
            .map(|address| format!("route del {address}/32 dev {bridge}"))
            .collect();
        if commands.is_empty() {
            return Ok(());
        }
        inner.tools.ip_batch(&commands)?;
        self.ensure_host_rules()
    }

    /// The entry goes with its link, too.
    fn stop_answering(&self, address: Ipv4Addr, link: &str) -> Result<(), NetworkError> {
        let command = format!("neighbour del proxy {address} dev {link}");
        match self.inner.tools.ip_batch(&[command]) {
            Err(_) if !link::exists(link) => Ok(()),
            done => done,
        }
    }

    /// What the host answers neighbours for, and where. Others' entries are among them.
    fn proxied(&self) -> Result<Vec<(Ipv4Addr, String)>, NetworkError> {
        let entries = self.entries(&["-4", "-json", "neighbour", "show", "proxy"])?;
        let proxied = |entry: Entry| Some((entry.dst.parse().ok()?, entry.dev?));
        Ok(entries.into_iter().filter_map(proxied).collect())
    }

    fn entries(&self, words: &[&str]) -> Result<Vec<Entry>, NetworkError> {
        let text = run(&self.inner.tools.ip, words, "")?;
        // Where there is none, some versions print nothing, and others an empty list.
        let text = if text.trim().is_empty() { "[]" } else { &text };
        serde_json::from_str(text).map_err(|error| NetworkError::Command {
            command: format!("ip {}", words.join(" ")),
            stderr: format!("it printed what can't be read: {error}"),
        })
    }
}

/// An address of the host's own would never leave it, and without its link nobody would ask for it.
fn check_public(links: &[Link], public: &PublicAddress) -> Result<(), NetworkError> {
    let address = public.address;
    let own = |link: &&Link| link.addresses().any(|net| net.addr() == address);
    if let Some(link) = links.iter().find(own) {
        let link = link.name.clone();
        return Err(NetworkError::PublicTaken { link, address });
    }
    let missing = |name: &&String| links.iter().all(|link| link.name != **name);
    match public.interface.as_ref().filter(missing) {
        Some(link) => Err(NetworkError::NoInterface {
            link: link.clone(),
            address,
        }),
        None => Ok(()),
    }
}
