//! The addresses of a subnet: which ranges may be one, and which of its addresses no port is given.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

/// The widest subnet, by its prefix.
pub const SUBNET_PREFIX_MIN: u8 = 16;
/// The narrowest one.
pub const SUBNET_PREFIX_MAX: u8 = 28;

/// What was given can't be a subnet, or not an address of a port of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SubnetError {
    /// It is too wide or too narrow.
    #[error("a subnet is a /{SUBNET_PREFIX_MIN} to a /{SUBNET_PREFIX_MAX}, and {0} is not")]
    Prefix(Ipv4Net),
    /// It has bits beyond its prefix.
    #[error("{0} is not a network: its first address is {first}", first = .0.network())]
    HostBits(Ipv4Net),
    /// Addresses there have another meaning (RFC 6890).
    #[error("{0} can't be a subnet: {1} is reserved for {2}")]
    Special(Ipv4Net, Ipv4Net, &'static str),
    /// No port has that address.
    #[error("{0} can't be a port's address: {1}'s ports have {2} to {3}")]
    Reserved(Ipv4Addr, Ipv4Net, Ipv4Addr, Ipv4Addr),
}

const fn net(a: u8, b: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, 0, 0), prefix)
}

/// Ranges that mean something else to a guest, or to a router (RFC 6890).
const SPECIAL: [(Ipv4Net, &str); 5] = [
    (net(0, 0, 8), "this host on this network"),
    (net(127, 0, 8), "the loopback"),
    (
        net(169, 254, 16),
        "link-local addresses, the metadata service among them",
    ),
    (net(224, 0, 4), "multicast"),
    (net(240, 0, 4), "later use"),
];

/// Checks that a range may be a subnet.
pub fn check_subnet(cidr: Ipv4Net) -> Result<(), SubnetError> {
    if !(SUBNET_PREFIX_MIN..=SUBNET_PREFIX_MAX).contains(&cidr.prefix_len()) {
        return Err(SubnetError::Prefix(cidr));
    }
    if cidr.trunc() != cidr {
        return Err(SubnetError::HostBits(cidr));
    }
    match SPECIAL.iter().find(|(range, _)| range.contains(&cidr)) {
        Some((range, what)) => Err(SubnetError::Special(cidr, *range, what)),
        None => Ok(()),
    }
}

/// The address of a subnet's gateway: its first.
pub fn gateway_of(cidr: Ipv4Net) -> Ipv4Addr {
    cidr.hosts().next().unwrap_or(cidr.addr())
}

/// Checks that a port of the subnet may have the address: not the subnet's own, the gateway's or the broadcast address.
pub fn check_address(cidr: Ipv4Net, address: Ipv4Addr) -> Result<(), SubnetError> {
    let (first, last) = (gateway_of(cidr).to_bits() + 1, cidr.broadcast().to_bits() - 1);
    if (first..=last).contains(&address.to_bits()) {
        return Ok(());
    }
    let (first, last) = (Ipv4Addr::from_bits(first), Ipv4Addr::from_bits(last));
    Err(SubnetError::Reserved(address, cidr, first, last))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    fn check(text: &str) -> Result<(), SubnetError> {
        check_subnet(text.parse().unwrap())
    }

    #[test]
    fn ranges_that_can_be_no_subnet_are_refused() {
        for good in ["10.0.0.0/16", "192.168.7.16/28", "100.100.0.0/20", "203.0.113.0/24"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in [
            "10.0.0.0/15",
            "10.0.0.0/29",
            "10.0.0.1/24",
            "127.0.0.0/24",
            "169.254.0.0/16",
            "224.0.0.0/24",
            "0.0.0.0/24",
            "255.255.255.0/24",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
        assert_eq!(
            check("10.0.0.1/24").unwrap_err().to_string(),
            "10.0.0.1/24 is not a network: its first address is 10.0.0.0"
        );
    }

    proptest! {
        #[test]
        fn every_address_is_a_ports_but_three(bits: u32, prefix in SUBNET_PREFIX_MIN..=SUBNET_PREFIX_MAX) {
            let cidr = Ipv4Net::new(Ipv4Addr::from_bits(bits), prefix).unwrap().trunc();
            let outside = [cidr.network(), cidr.broadcast(), gateway_of(cidr)];
            let expected = !outside.contains(&Ipv4Addr::from_bits(bits));
            prop_assert_eq!(check_address(cidr, Ipv4Addr::from_bits(bits)).is_ok(), expected);
            prop_assert!(outside.iter().all(|address| check_address(cidr, *address).is_err()));
        }
    }
}
