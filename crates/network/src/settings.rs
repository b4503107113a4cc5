//! What an installation says about its network, once.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use ipnet::Ipv4Net;

use crate::NetworkError;

/// The network settings of one installation on this host.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The state directory. `network/` below it holds what dnsmasq reads and writes, and dnsmasq runs as a user of its
    /// own: every directory above it must let others pass (`chmod o+x`).
    pub state_dir: PathBuf,
    /// One to four of `a-z0-9`: the beginning of all kernel names this installation makes, different for each
    /// installation on a host.
    pub prefix: String,
    /// The transit network between the host and its VPCs, different for each installation on a host. Best within
    /// 100.64.0.0/10 (RFC 6598), where no guest's network is expected. It limits the VPCs: a /20 has room for 4,093.
    pub provider: Ipv4Net,
    /// Whether guests reach what the host reaches. It switches on forwarding of IPv4 for the whole host.
    pub nat: bool,
}

impl Settings {
    /// The usual transit network.
    pub const PROVIDER: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(100, 64, 0, 0), 20);

    pub(crate) fn check(&self) -> Result<(), NetworkError> {
        let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        if !(1..=4).contains(&self.prefix.len()) || !self.prefix.chars().all(good) {
            return Err(NetworkError::Invalid(format!(
                "the prefix of kernel names is one to four of a-z and 0-9, and '{}' is not",
                self.prefix
            )));
        }
        if self.provider.trunc() != self.provider || self.provider.prefix_len() > 29 {
            return Err(NetworkError::Invalid(format!(
                "the provider network is a network of /29 or wider, such as {}, and {} is not",
                Self::PROVIDER,
                self.provider
            )));
        }
        Ok(())
    }

    /// The host's own address in the transit network: the first.
    pub(crate) fn provider_gateway(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.provider.network().to_bits() + 1)
    }

    /// The number of the VPC that has that address in the transit network.
    pub(crate) fn vpc_at(&self, transit: Ipv4Addr) -> Option<u32> {
        let index = transit
            .to_bits()
            .checked_sub(self.provider.network().to_bits())?
            .checked_sub(2)?;
        (self.transit(index).ok()? == transit).then_some(index)
    }

    /// A VPC's address in the transit network: the second for number 0, and so on.
    pub(crate) fn transit(&self, vpc_index: u32) -> Result<Ipv4Addr, NetworkError> {
        vpc_index
            .checked_add(2)
            .and_then(|offset| self.provider.network().to_bits().checked_add(offset))
            .map(Ipv4Addr::from_bits)
            .filter(|address| self.provider.contains(address) && *address != self.provider.broadcast())
            .ok_or(NetworkError::Full {
                vpc_index,
                provider: self.provider,
            })
    }
}
