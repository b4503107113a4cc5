//! What is there under our names, for whoever compares it with what should be; and how a leftover is removed.
//!
//! Looking removes nothing. What the caller doesn't know it reports; it removes only what it knows to be its own.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::Path;

use crate::link;
use crate::namespace::{self, inside};
use crate::{Network, NetworkError, process};

/// What there is on this host under this installation's prefix and state directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inventory {
    /// The namespaces, by name.
    pub namespaces: Vec<String>,
    /// The taps on the host and in those namespaces.
    pub taps: Vec<Tap>,
    /// The dnsmasq processes.
    pub dnsmasq: Vec<Dnsmasq>,
    /// The public addresses that this host leads to VPCs: see [`Network::remove_public`].
    pub public: Vec<Ipv4Addr>,
}

/// A tap.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tap {
    /// Its name: see [`Network::tap_name`].
    pub name: String,
    /// The namespace it is in, or none if it is on the host.
    pub namespace: Option<String>,
}

/// A dnsmasq process.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Dnsmasq {
    /// Its process id.
    pub pid: i32,
    /// The namespace it was started for. [`Network::remove_namespace`] ends it even if that is gone.
    pub namespace: String,
}

impl Network {
    /// Lists what there is.
    pub fn inventory(&self) -> Result<Inventory, NetworkError> {
        let names = &self.inner.names;
        let mut namespaces = namespace::names()?;
        namespaces.retain(|name| names.vpc_index(name).is_some());
        namespaces.sort_unstable();

        let mut taps = self.taps(None)?;
        for name in namespaces.iter().filter(|name| namespace::exists(name)) {
            taps.extend(inside(name, || self.taps(Some(name)))?);
        }
        let dir = self.dhcp_dir(None);
        let vpc_of = |file: &Path| {
            let vpc = file.strip_prefix(&dir).ok()?.iter().next()?.to_str()?;
            vpc.parse().ok()
        };
        let found = process::below(&dir)?.into_iter();
        let dnsmasq = found.filter_map(|(pid, file)| {
            vpc_of(&file).map(|index| Dnsmasq {
                pid: pid.as_raw(),
                namespace: names.namespace(index),
            })
        });
        let dnsmasq = dnsmasq.collect();
        Ok(Inventory {
            namespaces,
            taps,
            dnsmasq,
            public: self.routed()?.into_keys().collect(),
        })
    }

    fn taps(&self, namespace: Option<&str>) -> Result<Vec<Tap>, NetworkError> {
        let (links, names) = (link::names()?, &self.inner.names);
        let taps = links.iter().filter(|link| names.is_tap(link)).cloned();
        // An ifb whose tap is gone already is what a crash leaves of a tap.
        let found: BTreeSet<String> = taps
            .chain(links.iter().filter_map(|link| names.tap_of_ifb(link)))
            .collect();
        Ok(found
            .into_iter()
            .map(|name| Tap {
                name,
                namespace: namespace.map(str::to_owned),
            })
            .collect())
    }

    /// Makes sure that a namespace of ours is gone, and what belongs to it: its uplink, its taps, its dnsmasq
    /// processes and their files.
    pub fn remove_namespace(&self, name: &str) -> Result<(), NetworkError> {
        let index = self.inner.names.vpc_index(name);
        let index =
            index.ok_or_else(|| NetworkError::Invalid(format!("{name} is not a namespace of this installation")))?;
        self.remove_vpc_number(index)
    }

    /// Makes sure that a tap of ours is gone.
    pub fn remove_tap(&self, tap: &Tap) -> Result<(), NetworkError> {
        if !self.inner.names.is_tap(&tap.name) {
            return Err(NetworkError::Invalid(format!(
                "{} is not a tap of this installation",
                tap.name
            )));
        }
        match &tap.namespace {
            None => link::remove(&self.inner.tools, &tap.name),
            Some(namespace) if namespace::exists(namespace) => inside(namespace, || self.remove_tap_here(&tap.name)),
            Some(_) => Ok(()),
        }
    }

    /// Makes sure that the DHCP service of a VPC is gone with all its files.
    pub(crate) fn remove_dhcp(&self, vpc_index: u32) -> Result<(), NetworkError> {
        let dir = self.dhcp_dir(Some(vpc_index));
        process::end_below(&dir)?;
        match std::fs::remove_dir_all(&dir) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            done => done.map_err(NetworkError::io(format!("remove {}", dir.display()))),
        }
    }
}
