//! The pools of public IPs: what an operator has to get right before anybody is given an address.

use berth_model::{AddressRange, PublicIpPool};
use ipnet::Ipv4Net;

use crate::failure::{Failure, wrong};

/// The longest name of an interface in bytes (`IFNAMSIZ`).
const INTERFACE_MAX: usize = 15;

/// The pools, if each has a name of its own, addresses of its own and an interface that could be one.
pub(crate) fn checked(pools: Vec<PublicIpPool>) -> Result<Vec<PublicIpPool>, Failure> {
    for (place, pool) in pools.iter().enumerate() {
        if pool.name.is_empty() || pool.ranges.is_empty() {
            return Err(refuse(pool, "a pool has a name and ranges of addresses"));
        }
        if pool.interface.as_deref().is_some_and(|name| !is_interface(name)) {
            return Err(refuse(
                pool,
                "its interface is the name of a link of this host, such as eth0",
            ));
        }
        if let Some(twin) = pools[..place].iter().find(|other| other.name == pool.name) {
            return Err(refuse(twin, "there are two of that name"));
        }
        let ranges = || pools[..=place].iter().flat_map(|pool| &pool.ranges);
        for (number, range) in ranges().enumerate() {
            if let Some(other) = ranges().skip(number + 1).find(|other| other.overlaps(*range)) {
                return Err(refuse(pool, &format!("{range} and {other} have addresses in common")));
            }
        }
    }
    Ok(pools)
}

/// Refuses ranges that have addresses in common: the default subnet, the network between the host and its VPCs, pools.
pub(crate) fn apart(subnet: Ipv4Net, transit: Ipv4Net, pools: &[PublicIpPool]) -> Result<(), Failure> {
    if subnet.contains(&transit) || transit.contains(&subnet) {
        let message = format!("{transit} and the default subnet {subnet} have addresses in common: change one of them");
        return Err(wrong("transit", &message));
    }
    for (key, net) in [("subnet", subnet), ("transit", transit)] {
        let shares = |range: &AddressRange| range.first() <= net.broadcast() && net.network() <= range.last();
        if let Some(pool) = pools.iter().find(|pool| pool.ranges.iter().any(shares)) {
            return Err(refuse(pool, &format!("it has addresses of {key} = {net}")));
        }
    }
    Ok(())
}

fn is_interface(name: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_graphic() && byte != b'/' && byte != b':';
    (1..=INTERFACE_MAX).contains(&name.len()) && name.bytes().all(good) && name != "." && name != ".."
}

fn refuse(pool: &PublicIpPool, why: &str) -> Failure {
    wrong("public_ip_pools", &format!("'{}': {why}", pool.name))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn check(toml: &str) -> Result<(), String> {
        #[derive(serde::Deserialize)]
        struct File {
            pools: Vec<PublicIpPool>,
        }
        let file: File = toml::from_str(toml).map_err(|error| error.to_string())?;
        checked(file.pools).map(drop).map_err(|failure| format!("{failure:?}"))
    }

    #[test]
    fn the_operators_networks_are_apart() {
        let pool = PublicIpPool {
            name: "a".to_owned(),
            interface: None,
            ranges: vec!["10.0.0.200".parse().unwrap()],
        };
        let check = |subnet: &str, transit: &str, pools: &[PublicIpPool]| {
            apart(subnet.parse().unwrap(), transit.parse().unwrap(), pools)
        };
        assert!(check("10.0.0.0/20", "100.64.0.0/20", &[]).is_ok());
        assert!(check("10.1.0.0/20", "100.64.0.0/20", std::slice::from_ref(&pool)).is_ok());
        assert!(check("10.0.0.0/20", "10.0.4.0/22", &[]).is_err());
        assert!(check("10.0.0.0/20", "100.64.0.0/20", &[pool]).is_err());
    }

    #[test]
    fn pools_that_would_give_an_address_twice_are_refused() {
        let pool = |name: &str, ranges: &str| format!("[[pools]]\nname = '{name}'\nranges = [{ranges}]\n");
        let apart = pool("a", "'203.0.113.0/30'") + &pool("b", "'203.0.113.4', '203.0.113.5'");
        assert_eq!(check(&apart), Ok(()));
        for bad in [
            pool("a", "'203.0.113.0/30', '203.0.113.1'"),
            pool("a", "'203.0.113.0/30'") + &pool("b", "'203.0.113.3'"),
            pool("a", "'203.0.113.0'") + &pool("a", "'203.0.113.1'"),
            pool("a", ""),
            pool("", "'203.0.113.0'"),
            pool("a", "'203.0.113.0'") + "interface = 'eth0; reboot'",
            pool("a", "'here'"),
        ] {
            assert!(check(&bad).is_err(), "{bad}");
        }
    }
}
