//! The kernel's names of our things, each made from the prefix and a journaled number or id, and recognised again.
//!
//! An interface's name has at most 15 bytes (`IFNAMSIZ`), which decides their shapes. Inside a namespace only taps
//! carry the prefix: everything else there is ours anyway.

use berth_model::PortId;

/// The VPC's end of its uplink, inside the namespace: the outside.
pub(crate) const EXT: &str = "ext";

/// How many characters of a port's id are in its tap's name.
const TAP_ID: usize = 10;

/// RFC 4648, 6, in lower case: 5 bits a character.
const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

#[derive(Debug)]
pub(crate) struct Names {
    prefix: String,
}

impl Names {
    pub(crate) fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
        }
    }

    pub(crate) fn namespace(&self, vpc_index: u32) -> String {
        format!("berth-{}-{vpc_index}", self.prefix)
    }

    /// The VPC's number, if that is the name of one of our namespaces.
    pub(crate) fn vpc_index(&self, namespace: &str) -> Option<u32> {
        let index = namespace
            .strip_prefix("berth-")?
            .strip_prefix(&self.prefix)?
            .strip_prefix('-')?
            .parse()
            .ok()?;
        (self.namespace(index) == namespace).then_some(index)
    }

    /// The last 50 bits of the id, which are random in a UUIDv7: of 1,000 ports on a host, two would have the same
    /// name once in two thousand million installations.
    pub(crate) fn tap(&self, port: PortId) -> String {
        let bits = port.as_uuid().as_u128();
        let digits = (0..TAP_ID)
            .rev()
            .map(|place| char::from(BASE32[((bits >> (5 * place)) & 31) as usize]));
        format!("{}t{}", self.prefix, digits.collect::<String>())
    }

    pub(crate) fn is_tap(&self, link: &str) -> bool {
        self.port_digits(link, 't').is_some()
    }

    /// The ifb of a tap, if it has one.
    pub(crate) fn ifb(&self, tap: &str) -> String {
        format!("{}i{}", self.prefix, self.port_digits(tap, 't').unwrap_or_default())
    }

    /// The tap of that ifb, if that is the name of one of ours.
    pub(crate) fn tap_of_ifb(&self, link: &str) -> Option<String> {
        let digits = self.port_digits(link, 'i')?;
        Some(format!("{}t{digits}", self.prefix))
    }

    fn port_digits<'a>(&self, link: &'a str, kind: char) -> Option<&'a str> {
        let digits = link.strip_prefix(&self.prefix)?.strip_prefix(kind)?;
        (digits.len() == TAP_ID && digits.bytes().all(|byte| BASE32.contains(&byte))).then_some(digits)
    }

    /// The host's end of a VPC's uplink.
    pub(crate) fn uplink(&self, vpc_index: u32) -> String {
        format!("{}v{vpc_index}", self.prefix)
    }

    pub(crate) fn is_uplink(&self, link: &str) -> bool {
        let index = link.strip_prefix(&self.prefix).and_then(|rest| rest.strip_prefix('v'));
        index
            .and_then(|index| index.parse().ok())
            .is_some_and(|index| self.uplink(index) == link)
    }

    /// The provider bridge.
    pub(crate) fn provider(&self) -> String {
        format!("{}-ext", self.prefix)
    }

    /// The host's table of rules.
    pub(crate) fn table(&self) -> String {
        format!("berth-{}", self.prefix)
    }
}

/// The bridge of a subnet, inside the namespace.
pub(crate) fn bridge(subnet_index: u32) -> String {
    format!("br{subnet_index}")
}

/// The subnet's number, if that is the name of a subnet's bridge.
pub(crate) fn bridge_index(link: &str) -> Option<u32> {
    let index = link.strip_prefix("br")?.parse().ok()?;
    (bridge(index) == link).then_some(index)
}

/// The MAC of a router's interface. It stays the same when the interface is made again, so that nobody's ARP cache
/// goes stale. `family` keeps bridges, uplinks and the provider bridge apart; guests are in 52:54:00.
pub(crate) fn router_mac(family: u8, index: u32) -> String {
    let [a, b, c, d] = index.to_be_bytes();
    format!("02:b{:x}:{a:02x}:{b:02x}:{c:02x}:{d:02x}", family & 0xf)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn names_fit_the_kernel_and_are_known_again() {
        let names = Names::new("ab12");
        for port in std::iter::repeat_with(PortId::new).take(100) {
            let tap = names.tap(port);
            assert!(tap.len() == 15 && names.is_tap(&tap) && !names.is_uplink(&tap), "{tap}");
            assert!(!Names::new("ab1").is_tap(&tap) && bridge_index(&tap).is_none());
            let ifb = names.ifb(&tap);
            assert!(
                ifb.len() == 15 && !names.is_tap(&ifb) && !names.is_uplink(&ifb),
                "{ifb}"
            );
            assert_eq!(names.tap_of_ifb(&ifb), Some(tap));
        }
        assert_eq!(names.uplink(u32::MAX).len(), 15);
        assert!(names.is_uplink(&names.uplink(7)) && !names.is_tap(&names.uplink(7)));
        assert_eq!(names.vpc_index(&names.namespace(7)), Some(7));
        for foreign in [
            "berth-ab1-7",
            "berth-ab12-07",
            "berth-ab12-",
            "berth-ab12-+7",
            "berth-ab12-x",
        ] {
            assert_eq!(names.vpc_index(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn a_taps_name_never_changes() {
        let port: PortId = "0198f3c2-7a10-7e1b-9d0a-5c1f6f4e2b11".parse().unwrap();
        assert_eq!(Names::new("b").tap(port), "bts4d5xu4kyr");
    }
}
