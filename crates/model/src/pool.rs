//! Pools of public addresses, as the operator names them.
//!
//! ```text
//!   the network around the host ──┬── interface (the host answers for the pool's addresses there) ── host ── VPCs
//!   a router in front of it ──────┴── no interface (it sends the pool's addresses to the host)
//! ```

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

/// Public addresses that instances may be given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicIpPool {
    /// Its name.
    pub name: String,
    /// The interface of the host on whose network neighbours ask for the addresses; none if a router sends them here.
    #[serde(default)]
    pub interface: Option<String>,
    /// The addresses: networks, ranges and single ones. Every address of them is given away.
    pub ranges: Vec<AddressRange>,
}

/// Addresses in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AddressRange {
    first: Ipv4Addr,
    last: Ipv4Addr,
}

/// What was given is no range of addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not a range of addresses such as 203.0.113.16/28, 203.0.113.20-203.0.113.30 or 203.0.113.7, of at most a /16"
)]
pub struct ParseAddressRangeError(pub String);

impl AddressRange {
    /// The most addresses of one range: a /16.
    const MOST: u32 = 1 << 16;

    /// From the first address to the last one.
    pub fn new(first: Ipv4Addr, last: Ipv4Addr) -> Option<Self> {
        let length = last.to_bits().checked_sub(first.to_bits())?;
        (length < Self::MOST).then_some(Self { first, last })
    }

    /// The first address.
    pub const fn first(self) -> Ipv4Addr {
        self.first
    }

    /// The last address.
    pub const fn last(self) -> Ipv4Addr {
        self.last
    }

    /// How many there are.
    pub fn count(self) -> u32 {
        self.last.to_bits() - self.first.to_bits() + 1
    }

    /// Whether that address is among them.
    pub fn contains(self, address: Ipv4Addr) -> bool {
        (self.first..=self.last).contains(&address)
    }

    /// Whether an address is in both.
    pub fn overlaps(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// The addresses, the lowest first.
    pub fn addresses(self) -> impl Iterator<Item = Ipv4Addr> {
        (self.first.to_bits()..=self.last.to_bits()).map(Ipv4Addr::from_bits)
    }
}

impl PublicIpPool {
    /// The addresses, in the order of the ranges.
    pub fn addresses(&self) -> impl Iterator<Item = Ipv4Addr> {
        self.ranges.iter().flat_map(|range| range.addresses())
    }

    /// Whether that address is of the pool.
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        self.ranges.iter().any(|range| range.contains(address))
    }

    /// How many addresses it has.
    pub fn count(&self) -> u32 {
        self.ranges.iter().map(|range| range.count()).sum()
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

impl FromStr for AddressRange {
    type Err = ParseAddressRangeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let net = text.parse::<Ipv4Net>().ok().filter(|net| net.trunc() == *net);
        let ends = match (net, text.split_once('-')) {
            (Some(net), _) => Some((net.network(), net.broadcast())),
            (None, Some((first, last))) => first.parse().ok().zip(last.parse().ok()),
            (None, None) => text.parse().ok().map(|address| (address, address)),
        };
        ends.and_then(|(first, last)| Self::new(first, last))
            .ok_or_else(|| ParseAddressRangeError(text.to_owned()))
    }
}

impl TryFrom<String> for AddressRange {
    type Error = ParseAddressRangeError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<AddressRange> for String {
    fn from(range: AddressRange) -> Self {
        range.to_string()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn range(text: &str) -> AddressRange {
        text.parse().unwrap()
    }

    #[test]
    fn ranges_are_read_in_each_form() {
        assert_eq!(range("203.0.113.16/30").addresses().count(), 4);
        assert_eq!(range("203.0.113.7").to_string(), "203.0.113.7");
        assert_eq!(range("203.0.113.7/32"), range("203.0.113.7"));
        let some = range("203.0.113.20-203.0.113.30");
        assert_eq!(some.to_string().parse(), Ok(some));
        assert_eq!(some.count(), 11);
        assert!(some.overlaps(range("203.0.113.30")) && !some.overlaps(range("203.0.113.31")));
        for bad in [
            "",
            "203.0.113.17/28",
            "203.0.113.9-203.0.113.8",
            "10.0.0.0/8",
            "0.0.0.0-255.255.255.255",
            "2001:db8::/64",
        ] {
            assert!(bad.parse::<AddressRange>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_pool_gives_its_addresses_in_order() {
        let pool: PublicIpPool = toml::from_str("name = 'public'\nranges = ['203.0.113.8', '203.0.113.0/31']").unwrap();
        let given: Vec<_> = pool.addresses().map(|address| address.octets()[3]).collect();
        assert_eq!(given, [8, 0, 1]);
        assert_eq!(pool.count(), 3);
        assert!(pool.contains([203, 0, 113, 1].into()) && !pool.contains([203, 0, 113, 2].into()));
    }
}
