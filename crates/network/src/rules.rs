//! The nft rules that are always there, as text that `nft -f -` takes and a person can read; pure.
//!
//! A namespace has two tables, replaced together in one transaction; [`crate::ruleset`] fills them:
//!
//! - `bridge guard` pins each tap to its MAC and addresses, so that all that comes after may trust a source address,
//!   and counts what it drops by the reason (since the tables were made: `ensure_vpc` makes them anew);
//! - `inet vpc` says what reaches the router and what crosses it, by the groups of who sends and who receives.
//!
//! A third, [`crate::edge`], says who crosses the edge of the VPC, and under which address.
//!
//! The host has one table per installation, which keeps VPCs away from each other and from the host's services.
//!
//! What is written into the text are numbers, addresses and names made by `names`: nothing a user has typed. `fwd` and
//! `in` are reserved words of nft.

use std::fmt::Write;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

/// What is always there in a namespace.
///
/// Only frames of guests come by the guard: the bridges have no ports but taps. A tag of a VLAN hides nothing from a
/// guest's neighbours and a lot from rules. ARP from 0.0.0.0 asks whether an address is taken (RFC 5227), and a guest
/// may ask about its own. What a bridge would deliver to a tap whose guest doesn't have the address is dropped too: two
/// guests can't meet by writing one address on the packet and another on the frame, and none overhears. So is what would
/// go back to who sent it, unless it has been led there: a guest that speaks to its own public address does so by its
/// own MAC.
///
/// 169.254.0.0/16 never crosses a router (RFC 3927, 7), and on a rented host the metadata service of *its* cloud is
/// there, with the host's credentials. Here it is the router's own, for one service alone.
///
/// What an `accept` ends is its own chain: what begins a flow needs that of `egress` and of `ingress`.
pub(crate) const SKELETON: &str = "\
table bridge guard {
\tset macs {
\t\ttype ifname . ether_addr
\t}

\tset addresses {
\t\ttype ifname . ether_addr . ipv4_addr
\t}

\tcounter spoofed_mac { }
\tcounter spoofed_address { }
\tcounter forged_arp { }
\tcounter dhcp_server { }
\tcounter vlan_tag { }
\tcounter ipv6 { }
\tcounter other_protocol { }
\tcounter misdelivered { }

\tchain prerouting {
\t\ttype filter hook prerouting priority -300; policy drop;
\t\tiifname . ether saddr != @macs counter name spoofed_mac drop
\t\tether type { 8021q, 8021ad } counter name vlan_tag drop
\t\tether type arp goto from_arp
\t\tether type ip goto from_ip
\t\tether type ip6 counter name ipv6 drop
\t\tcounter name other_protocol drop
\t}

\tchain from_arp {
\t\tiifname . arp saddr ether . arp saddr ip @addresses accept
\t\tarp operation request arp saddr ip 0.0.0.0 iifname . arp saddr ether . arp daddr ip @addresses accept
\t\tcounter name forged_arp drop
\t}

\tchain from_ip {
\t\tudp sport 67 counter name dhcp_server drop
\t\tip saddr 0.0.0.0 ip daddr 255.255.255.255 udp sport 68 udp dport 67 accept
\t\tiifname . ether saddr . ip saddr @addresses accept
\t\tcounter name spoofed_address drop
\t}

\tchain forward {
\t\ttype filter hook forward priority -200; policy accept;
\t\toifname . ether saddr @macs oifname . ether daddr != @macs drop
\t\tether type ip oifname . ether daddr . ip daddr != @addresses counter name misdelivered drop
\t}
}

table inet vpc {
\tset subnets {
\t\ttype ifname
\t}

\tmap egress_of {
\t\ttype ipv4_addr : verdict
\t}

\tmap ingress_of {
\t\ttype ipv4_addr : verdict
\t}

\tchain input {
\t\ttype filter hook input priority filter; policy drop;
\t\tct state established,related accept
\t\tiifname \"lo\" accept
\t\tiifname @subnets ip daddr 169.254.169.254 tcp dport 80 accept
\t\tip daddr 169.254.0.0/16 drop
\t\tiifname @subnets udp dport 67 accept
\t\tiifname @subnets meta l4proto { tcp, udp } th dport 53 accept
\t\tiifname @subnets icmp type echo-request accept
\t}

\tchain egress {
\t\ttype filter hook forward priority filter - 10; policy accept;
\t\tip daddr 169.254.0.0/16 drop
\t\tct state established,related accept
\t\tiifname @subnets ct state new ip saddr vmap @egress_of
\t\tiifname @subnets drop
\t}

\tchain ingress {
\t\ttype filter hook forward priority filter; policy drop;
\t\tct state established,related accept
\t\tct state new ip daddr vmap @ingress_of
\t\tiifname @subnets oifname \"ext\" ct state new accept
\t}
}
";

/// The host's whole table. Without `nat` nothing is forwarded between the provider bridge and the rest, but what goes
/// to and comes from a public address: that is nobody's but one port's, and is left as it is.
pub(crate) fn host(table: &str, bridge: &str, provider: Ipv4Net, nat: bool, public: &[Ipv4Addr]) -> String {
    let mut text = replacing("inet", table);
    text.push_str(&set("set public", "ipv4_addr", public.iter().map(Ipv4Addr::to_string)));
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
\t\tiifname \"{bridge}\" ip saddr != {provider} ip saddr != @public drop
\t\toifname \"{bridge}\" ct state established,related accept
\t\toifname \"{bridge}\" ip daddr @public accept
\t\tiifname \"{bridge}\" oifname \"{bridge}\" drop
\t\tiifname \"{bridge}\" ip saddr @public accept
\t\tiifname \"{bridge}\" {outward}
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

pub(crate) fn replacing(family: &str, table: &str) -> String {
    format!("{}table {family} {table} {{\n", without(family, table))
}

/// A set or a map with its elements: nft doesn't take an empty list of them.
pub(crate) fn set(name: &str, kind: &str, elements: impl Iterator<Item = String>) -> String {
    let elements: Vec<String> = elements.collect();
    let listed = if elements.is_empty() {
        String::new()
    } else {
        format!("\t\telements = {{\n\t\t\t{}\n\t\t}}\n", elements.join(",\n\t\t\t"))
    };
    format!("\t{name} {{\n\t\ttype {kind}\n{listed}\t}}\n\n")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn the_ruleset_of_a_host() {
        let net = "100.64.0.0/20".parse().unwrap();
        let public = [10, 11].map(|n| Ipv4Addr::new(198, 51, 100, n));
        insta::assert_snapshot!("host_with_nat", host("berth-ab", "ab-ext", net, true, &public));
        insta::assert_snapshot!("host_without_nat", host("berth-ab", "ab-ext", net, false, &[]));
    }
}
