//! The nft rulesets, as text that `nft -f -` takes and a person can read; pure.
//!
//! A namespace has two tables, replaced together in one transaction:
//!
//! - `bridge guard` pins each tap to its MAC and address, so that all that comes after may trust a source address;
//! - `inet vpc` says what reaches the router and what crosses it, and hides the VPC behind its transit address.
//!
//! The host has one table per installation, which keeps VPCs away from each other and from the host's services.
//!
//! What is written into the text are numbers, addresses and names made by `names`: nothing a user has typed. `fwd` and
//! `in` are reserved words of nft.

use std::fmt::Write;
use std::net::Ipv4Addr;

use berth_model::Mac;
use ipnet::Ipv4Net;

use crate::names;

/// A tap and what its guest may send from.
#[derive(Debug)]
pub(crate) struct Pin {
    pub(crate) tap: String,
    pub(crate) mac: Mac,
    pub(crate) address: Ipv4Addr,
}

impl Pin {
    fn mac_element(&self) -> String {
        format!("\"{}\" . {}", self.tap, self.mac)
    }

    fn address_element(&self) -> String {
        format!("{} . {}", self.mac_element(), self.address)
    }
}

/// The sets of the guard, in a form that may be said again when they exist.
const GUARD_SETS: &str = "\
add table bridge guard
add set bridge guard macs { type ifname . ether_addr; }
add set bridge guard addresses { type ifname . ether_addr . ipv4_addr; }
";

/// Only frames of a guest come by here: the bridges have no ports but taps. A tag of a VLAN hides nothing from a
/// guest's neighbours and a lot from rules. ARP from 0.0.0.0 asks whether an address is taken (RFC 5227), and a guest
/// may ask about its own.
const GUARD_CHAIN: &str = "\
\tchain prerouting {
\t\ttype filter hook prerouting priority -300; policy drop;
\t\tiifname . ether saddr != @macs drop
\t\tether type { 8021q, 8021ad } drop
\t\tiifname . arp saddr ether . arp saddr ip @addresses accept
\t\tarp operation request arp saddr ip 0.0.0.0 iifname . arp saddr ether . arp daddr ip @addresses accept
\t\tudp sport 67 drop
\t\tip saddr 0.0.0.0 ip daddr 255.255.255.255 udp sport 68 udp dport 67 accept
\t\tiifname . ether saddr . ip saddr @addresses accept
\t}
";

/// 169.254.0.0/16 never crosses a router (RFC 3927, 7), and on a rented host the metadata service of *its* cloud is
/// there, with the host's credentials.
const VPC_CHAINS: &str = "\
\tchain input {
\t\ttype filter hook input priority filter; policy drop;
\t\tct state established,related accept
\t\tiifname \"lo\" accept
\t\tiifname @subnets udp dport 67 accept
\t\tiifname @subnets meta l4proto { tcp, udp } th dport 53 accept
\t\tiifname @subnets icmp type echo-request accept
\t}

\tchain forward {
\t\ttype filter hook forward priority filter; policy drop;
\t\tct state established,related accept
\t\tip daddr 169.254.0.0/16 drop
\t\tiifname @subnets oifname @subnets accept
\t\tiifname @subnets oifname \"ext\" accept
\t}

\tchain postrouting {
\t\ttype nat hook postrouting priority srcnat; policy accept;
\t\toifname \"ext\" masquerade
\t}
";

/// The whole ruleset of a namespace, in place of whatever its tables hold.
pub(crate) fn vpc(subnet_indexes: &[u32], pins: &[Pin]) -> String {
    let mut text = replacing("bridge", "guard");
    text.push_str(&set("macs", "ifname . ether_addr", pins.iter().map(Pin::mac_element)));
    text.push_str(&set(
        "addresses",
        "ifname . ether_addr . ipv4_addr",
        pins.iter().map(Pin::address_element),
    ));
    text.push_str(GUARD_CHAIN);
    text.push_str("}\n\n");
    text.push_str(&replacing("inet", "vpc"));
    let bridges = subnet_indexes
        .iter()
        .map(|index| format!("\"{}\"", names::bridge(*index)));
    text.push_str(&set("subnets", "ifname", bridges));
    text.push_str(VPC_CHAINS);
    text.push_str("}\n");
    text
}

/// Lets a tap's guest send. It fails where the guard isn't: a guest must not be let in unguarded.
pub(crate) fn pin(pin: &Pin) -> String {
    elements("add", pin)
}

/// Takes that back, whether it was so or not: `nft destroy` is too new for Debian 12 and Ubuntu 22.04.
pub(crate) fn unpin(pin: &Pin) -> String {
    format!("{GUARD_SETS}{}{}", elements("add", pin), elements("delete", pin))
}

/// The host's whole table. Without `nat` nothing is forwarded between the provider bridge and the rest.
pub(crate) fn host(table: &str, bridge: &str, provider: Ipv4Net, nat: bool) -> String {
    let mut text = replacing("inet", table);
    let outward = if nat { "accept" } else { "drop" };
    let _ = write!(
        text,
        "\
\tchain input {{
\t\ttype filter hook input priority filter; policy accept;
\t\tiifname \"{bridge}\" ct state established,related accept
\t\tiifname \"{bridge}\" icmp type echo-request accept
\t\tiifname \"{bridge}\" drop
\t}}

\tchain forward {{
\t\ttype filter hook forward priority filter; policy accept;
\t\tiifname \"{bridge}\" oifname \"{bridge}\" drop
\t\tiifname \"{bridge}\" {outward}
\t\toifname \"{bridge}\" ct state established,related accept
\t\toifname \"{bridge}\" drop
\t}}
"
    );
    if nat {
        let _ = write!(
            text,
            "
\tchain postrouting {{
\t\ttype nat hook postrouting priority srcnat; policy accept;
\t\tip saddr {provider} oifname != \"{bridge}\" masquerade
\t}}
"
        );
    }
    text.push_str("}\n");
    text
}

/// Takes a table away, whether it is there or not.
pub(crate) fn without(family: &str, table: &str) -> String {
    format!("add table {family} {table}\ndelete table {family} {table}\n")
}

fn replacing(family: &str, table: &str) -> String {
    format!("{}table {family} {table} {{\n", without(family, table))
}

fn set(name: &str, kind: &str, elements: impl Iterator<Item = String>) -> String {
    let elements: Vec<String> = elements.collect();
    let listed = if elements.is_empty() {
        String::new()
    } else {
        format!("\t\telements = {{\n\t\t\t{}\n\t\t}}\n", elements.join(",\n\t\t\t"))
    };
    format!("\tset {name} {{\n\t\ttype {kind}\n{listed}\t}}\n\n")
}

fn elements(verb: &str, pin: &Pin) -> String {
    format!(
        "{verb} element bridge guard macs {{ {} }}\n{verb} element bridge guard addresses {{ {} }}\n",
        pin.mac_element(),
        pin.address_element()
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn pins() -> [Pin; 2] {
        ["52:54:00:00:00:01", "52:54:00:00:00:02"].map(|mac| Pin {
            tap: format!("abt{}", &mac[15..]),
            mac: mac.parse().unwrap(),
            address: format!("10.0.0.{}", &mac[16..]).parse().unwrap(),
        })
    }

    #[test]
    fn the_ruleset_of_a_vpc() {
        insta::assert_snapshot!(vpc(&[7, 8], &pins()));
    }

    #[test]
    fn the_ruleset_of_an_empty_vpc_names_no_elements() {
        assert!(!vpc(&[], &[]).contains("elements"));
    }

    #[test]
    fn the_changes_of_one_port() {
        insta::assert_snapshot!(format!("{}\n{}", pin(&pins()[0]), unpin(&pins()[0])));
    }

    #[test]
    fn the_ruleset_of_a_host() {
        let net = "100.64.0.0/20".parse().unwrap();
        insta::assert_snapshot!("host_with_nat", host("berth-ab", "ab-ext", net, true));
        insta::assert_snapshot!("host_without_nat", host("berth-ab", "ab-ext", net, false));
    }
}
