//! Where the daemon may connect to on a stranger's behalf: public addresses, and nothing of the operator's networks.
//!
//! A name is resolved once, every address it has is looked at, and the connection is made to one of just these: a name
//! that means something else a moment later (DNS rebinding) gains nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;
use url::Url;

const fn v4(a: u8, b: u8, c: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, 0), prefix)
}

/// What is not public (IANA's registry of special-purpose addresses, RFC 6890 and after it).
const NOT_PUBLIC: [(Ipv4Net, &str); 16] = [
    (v4(0, 0, 0, 8), "unspecified"),
    (v4(10, 0, 0, 8), "private"),
    (v4(100, 64, 0, 10), "of a carrier's NAT"),
    (v4(127, 0, 0, 8), "loopback"),
    (v4(169, 254, 0, 16), "link-local"),
    (v4(172, 16, 0, 12), "private"),
    (v4(192, 0, 0, 24), "reserved"),
    (v4(192, 0, 2, 24), "for documentation"),
    (v4(192, 88, 99, 24), "reserved"),
    (v4(192, 168, 0, 16), "private"),
    (v4(198, 18, 0, 15), "for benchmarks"),
    (v4(198, 51, 100, 24), "for documentation"),
    (v4(203, 0, 113, 24), "for documentation"),
    (v4(224, 0, 0, 4), "multicast"),
    (v4(240, 0, 0, 4), "reserved"),
    (v4(255, 255, 255, 24), "broadcast"),
];

const fn v6(a: u16, b: u16, c: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), prefix)
}

/// The only part of IPv6 that is public, and what in it is not: Teredo and 6to4 have a v4 address in them.
const PUBLIC_V6: Ipv6Net = v6(0x2000, 0, 0, 3);
const NOT_PUBLIC_V6: [(Ipv6Net, &str); 4] = [
    (v6(0x2001, 0, 0, 23), "reserved"),
    (v6(0x2001, 0xdb8, 0, 32), "for documentation"),
    (v6(0x2002, 0, 0, 16), "a v4 address in disguise (6to4)"),
    (v6(0x3fff, 0, 0, 20), "for documentation"),
];

/// A v4 address behind a NAT64 (RFC 6052): the only way to v4 that a host without it has.
const NAT64: Ipv6Net = v6(0x64, 0xff9b, 0, 96);

/// Why an address is not public, if it isn't.
pub(super) fn not_public(address: IpAddr) -> Option<&'static str> {
    let v6 = match address {
        IpAddr::V4(address) => return not_public_v4(address),
        IpAddr::V6(address) => address,
    };
    if NAT64.contains(&v6) {
        let [.., a, b, c, d] = v6.octets();
        return not_public_v4(Ipv4Addr::new(a, b, c, d));
    }
    if v6.to_ipv4_mapped().is_some() {
        return Some("a v4 address in disguise (mapped)");
    }
    if !PUBLIC_V6.contains(&v6) {
        return Some("unspecified, loopback, link-local, private, multicast or reserved");
    }
    named(NOT_PUBLIC_V6.iter().find(|(net, _)| net.contains(&v6)))
}

fn not_public_v4(address: Ipv4Addr) -> Option<&'static str> {
    named(NOT_PUBLIC.iter().find(|(net, _)| net.contains(&address)))
}

fn named<N>(found: Option<&(N, &'static str)>) -> Option<&'static str> {
    found.map(|(_, why)| *why)
}

/// Resolves names, and refuses those that have an address which isn't public.
#[derive(Debug)]
pub(super) struct Vetting {
    pub(super) allow_private: bool,
}

/// Why a name was refused, on its way through ureq.
#[derive(Debug, thiserror::Error)]
#[error("its address {address} is {why}, and the operator doesn't allow that")]
pub(super) struct NotPublic {
    address: IpAddr,
    why: &'static str,
}

impl Resolver for Vetting {
    fn resolve(
        &self,
        uri: &Uri,
        config: &ureq::config::Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = DefaultResolver::default().resolve(uri, config, timeout)?;
        let addresses = found.iter().map(std::net::SocketAddr::ip);
        let refused = addresses
            .filter(|_| !self.allow_private)
            .find_map(|address| not_public(address).map(|why| NotPublic { address, why }));
        match refused {
            Some(refused) => Err(ureq::Error::Other(Box::new(refused))),
            None => Ok(found),
        }
    }
}

/// Why nothing is fetched from there whatever its address is, if so.
pub(super) fn not_fetched(url: &Url) -> Option<&'static str> {
    if !matches!(url.scheme(), "http" | "https") {
        return Some("only http and https are fetched");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Some("it has a user name or password in it, which would be logged and stored");
    }
    None
}

/// The address as it may be told and logged: without a password, and without a query, which may be one.
pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // What can't have them has none.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_not_public_is_refused() {
        let refused = [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:8.8.8.8",
            "::ffff:127.0.0.1",
            "fe80::1",
            "fec0::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2001::1",
            "2001:db8::1",
        ];
        for address in refused {
            assert!(not_public(address.parse().unwrap()).is_some(), "{address}");
        }
        for address in [
            "1.1.1.1",
            "100.63.0.1",
            "172.32.0.1",
            "2606:4700::1111",
            "64:ff9b::101:101",
        ] {
            assert_eq!(not_public(address.parse().unwrap()), None, "{address}");
        }
    }

    proptest! {
        #[test]
        fn no_v4_address_is_more_public_in_another_dress(address in any::<u32>()) {
            let v4 = Ipv4Addr::from(address);
            let [a, b, c, d] = v4.octets().map(u16::from);
            let nat64 = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, a << 8 | b, c << 8 | d);
            prop_assert_eq!(not_public(v4.into()), not_public(nat64.into()));
            prop_assert!(not_public(v4.to_ipv6_mapped().into()).is_some());
            // The standard library's opinion, as far as it has one.
            if v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_multicast() || v4.is_broadcast() {
                prop_assert!(not_public(v4.into()).is_some());
            }
        }
    }

    #[test]
    fn no_secret_is_shown() {
        let url: Url = "https://me:word@host/a/b?token=x#y".parse().unwrap();
        assert_eq!(shown(&url), "https://host/a/b");
        assert!(not_fetched(&url).is_some());
        assert!(not_fetched(&"ftp://host/".parse().unwrap()).is_some());
    }
}
