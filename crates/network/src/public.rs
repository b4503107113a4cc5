//! Public addresses: given to a port, taken away, moved to another.
//!
//! Inside the VPC's namespace the address stands for the port's own ([`crate::edge`]); on the host it is led there
//! ([`crate::publish`]). An address is one port's at a time: who is given it takes it from whoever had it, in whichever
//! VPC. What the host routes says whose it is: a namespace that is given an address is given it before or after, but one
//! that loses it has lost it before the host does.

use std::net::Ipv4Addr;

use crate::edge::{self, Translations};
use crate::groups::Standing;
use crate::namespace::{self, inside};
use crate::{Network, NetworkError, Port, PublicAddress, Vpc};

impl Network {
    /// Makes sure that the port is reached at its public address, and reaches the outside by it; and that it has no
    /// other. Connections by an address that it no longer has are ended.
    pub fn ensure_public(&self, vpc: &Vpc, port: &Port) -> Result<(), NetworkError> {
        vpc.subnet_of(port)?;
        self.claim(vpc, std::slice::from_ref(port))?;
        self.holding(vpc.index, |standing| self.ensure_public_known(vpc, port, standing))
    }

    /// Makes sure that a port of a VPC that is held is reached at no public address.
    pub(crate) fn hide_port(
        &self,
        vpc: &Vpc,
        port: &Port,
        standing: &mut Option<Standing>,
    ) -> Result<(), NetworkError> {
        let private = Port {
            public: None,
            ..port.clone()
        };
        self.ensure_public_known(vpc, &private, standing)
    }

    fn ensure_public_known(&self, vpc: &Vpc, port: &Port, standing: &mut Option<Standing>) -> Result<(), NetworkError> {
        // Who judges flows knows by it that the port has a way out.
        let known = standing.as_mut().and_then(|known| known.policy.ports.get_mut(&port.id));
        if let Some(known) = known {
            known.public.clone_from(&port.public);
        }
        self.ensure_public_held(vpc, port)
    }

    /// Makes sure that nothing is left of a public address: neither on the host nor in any VPC.
    pub fn remove_public(&self, address: Ipv4Addr) -> Result<(), NetworkError> {
        let owner = self
            .routed()?
            .get(&address)
            .and_then(|transit| self.inner.settings.vpc_at(*transit));
        let vpcs = if let Some(index) = owner {
            vec![index]
        } else {
            let names = namespace::names()?;
            names
                .iter()
                .filter_map(|name| self.inner.names.vpc_index(name))
                .collect()
        };
        vpcs.into_iter().try_for_each(|index| self.release(index, address))?;
        self.unpublish(&[address])
    }

    /// Checks the public addresses of these ports, and takes them from other VPCs. To be called while no VPC is held.
    pub(crate) fn claim(&self, vpc: &Vpc, ports: &[Port]) -> Result<(), NetworkError> {
        let mut seen = Translations::new();
        for port in ports {
            let Some(public) = &port.public else { continue };
            self.check(vpc, port, public)?;
            if seen.insert(public.address, port.address).is_some() {
                let twice = format!(
                    "public address {} is given to two ports of VPC {}",
                    public.address, vpc.id
                );
                return Err(NetworkError::Invalid(twice));
            }
        }
        if seen.is_empty() {
            return Ok(());
        }
        for (address, transit) in self.routed()? {
            let owner = self.inner.settings.vpc_at(transit).filter(|index| *index != vpc.index);
            if let Some(index) = owner.filter(|_| seen.contains_key(&address)) {
                self.release(index, address)?;
            }
        }
        Ok(())
    }

    /// What [`Self::ensure_public`] does, of a VPC that is held and addresses that are claimed.
    pub(crate) fn ensure_public_held(&self, vpc: &Vpc, port: &Port) -> Result<(), NetworkError> {
        let (tools, namespace) = (&self.inner.tools, self.namespace_name(vpc));
        let wanted = port.public.as_ref().map(|public| public.address);
        let now = inside(&namespace, || edge::read(tools))?;
        let (text, gone) = edge::change(&now, port.address, wanted);
        self.publish(vpc.index, &port.public.iter().collect::<Vec<_>>())?;
        if !text.is_empty() {
            inside(&namespace, || {
                tools.nft(&text)?;
                edge::end_flows(tools, &gone)
            })?;
        }
        let lost: Vec<Ipv4Addr> = gone.into_iter().filter(|address| Some(*address) != wanted).collect();
        if lost.is_empty() {
            return Ok(());
        }
        self.unpublish(&self.routed_to(vpc.index, |address| lost.contains(address))?)
    }

    /// Makes sure that the host leads to that VPC, whose edge is as it should be, what these ports have and no more;
    /// and ends what goes on by addresses that stood for somebody else before.
    pub(crate) fn ensure_all_public(
        &self,
        vpc: &Vpc,
        ports: &[Port],
        before: &Translations,
    ) -> Result<(), NetworkError> {
        let now = edge::translations(ports);
        let changed = before.iter().filter(|(address, own)| now.get(address) != Some(own));
        let changed: Vec<Ipv4Addr> = changed.map(|(address, _)| *address).collect();
        let tools = &self.inner.tools;
        inside(&self.namespace_name(vpc), || edge::end_flows(tools, &changed))?;
        self.unpublish(&self.routed_to(vpc.index, |address| !now.contains_key(address))?)?;
        let wanted: Vec<&PublicAddress> = ports.iter().filter_map(|port| port.public.as_ref()).collect();
        self.publish(vpc.index, &wanted)
    }

    /// Makes sure that the host leads nothing to that VPC.
    pub(crate) fn unpublish_all(&self, vpc_index: u32) -> Result<(), NetworkError> {
        self.unpublish(&self.routed_to(vpc_index, |_| true)?)
    }

    /// The addresses that the host leads to that VPC, if they are of those asked for.
    fn routed_to(&self, vpc_index: u32, asked: impl Fn(&Ipv4Addr) -> bool) -> Result<Vec<Ipv4Addr>, NetworkError> {
        let settings = &self.inner.settings;
        let ours = |transit: Ipv4Addr| settings.vpc_at(transit) == Some(vpc_index);
        let routed = self
            .routed()?
            .into_iter()
            .filter(|(address, transit)| ours(*transit) && asked(address));
        Ok(routed.map(|(address, _)| address).collect())
    }

    /// Makes sure that a VPC doesn't translate an address.
    fn release(&self, vpc_index: u32, address: Ipv4Addr) -> Result<(), NetworkError> {
        let (tools, namespace) = (&self.inner.tools, self.inner.names.namespace(vpc_index));
        self.holding(vpc_index, |_| {
            if !namespace::exists(&namespace) {
                return Ok(());
            }
            inside(&namespace, || {
                let now = edge::read(tools)?;
                let Some(own) = now.get(&address) else { return Ok(()) };
                tools.nft(&edge::change(&now, *own, None).0)?;
                edge::end_flows(tools, &[address])
            })
        })
    }

    /// The name of the link is what an administrator has typed, and becomes a word of a command.
    fn check(&self, vpc: &Vpc, port: &Port, public: &PublicAddress) -> Result<(), NetworkError> {
        let address = public.address;
        let special = address.is_loopback() || address.is_link_local() || address.is_multicast();
        let nobodys = special || address.is_unspecified() || address.is_broadcast();
        let inner = self.inner.settings.provider.contains(&address)
            || vpc.subnets.iter().any(|subnet| subnet.cidr.contains(&address));
        if nobodys || inner {
            return Err(NetworkError::Invalid(format!(
                "port {} can't have {address} as its public address: an address of the outside is wanted",
                port.id
            )));
        }
        let good = |c: char| c.is_ascii_alphanumeric() || "._-@".contains(c);
        let link = public.interface.as_deref().unwrap_or("eth0");
        if link.is_empty() || link.len() > 15 || link.starts_with('-') || !link.chars().all(good) {
            return Err(NetworkError::Invalid(format!(
                "'{link}' is no name of a network interface"
            )));
        }
        Ok(())
    }
}
