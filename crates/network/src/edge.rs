//! The edge of a VPC: who crosses it, and under which address. The third table of a namespace, as text; pure but for
//! reading it back.
//!
//! `public_in` says which guest a public address stands for, `public_out` and `public` the same from the guest's side.
//! All three follow from the first and are changed together, element by element, so that no other port notices.
//!
//! What arrives from the outside keeps its source. What a guest sends to a public address of its own VPC gets the
//! router's address as its source: the other guest would answer past the router, by which the answer would come from
//! an address nobody has asked. The rules of `inet vpc` come after, and judge by the guests' own addresses.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::Ipv4Addr;

use serde_json::Value;

use crate::command::{Tools, run};
use crate::rules::replacing;
use crate::{NetworkError, Port, Subnet, flows, names, rules};

/// Which guest each public address stands for. No guest has two: whoever changes them sees to it.
pub(crate) type Translations = BTreeMap<Ipv4Addr, Ipv4Addr>;

/// `public` before the subnet's own way out: a port that has an address needs no other.
const CHAINS: &str = "\
\tchain prerouting {
\t\ttype nat hook prerouting priority dstnat; policy accept;
\t\tdnat ip to ip daddr map @public_in
\t}

\tchain forward {
\t\ttype filter hook forward priority filter - 1; policy drop;
\t\tct state established,related accept
\t\tiifname \"ext\" ct status dnat accept
\t\tiifname \"ext\" drop
\t\toifname != \"ext\" accept
\t\tip saddr @public accept
\t\tiifname @natted accept
\t}

\tchain postrouting {
\t\ttype nat hook postrouting priority srcnat; policy accept;
\t\toifname \"ext\" snat ip to ip saddr map @public_out
\t\toifname \"ext\" masquerade
\t\tip saddr @guests ct status dnat masquerade
\t}
";

/// The translations that these ports ask for.
pub(crate) fn translations(ports: &[Port]) -> Translations {
    let translation = |port: &Port| Some((port.public.as_ref()?.address, port.address));
    ports.iter().filter_map(translation).collect()
}

/// The whole table, in place of whatever it holds. Without `nat` no subnet's guests get out by their router's address.
pub(crate) fn table(subnets: &[Subnet], nat: bool, translations: &Translations) -> String {
    let natted = subnets.iter().filter(|subnet| nat && subnet.nat);
    let natted = natted.map(|subnet| format!("\"{}\"", names::bridge(subnet.index)));
    let guests = subnets.iter().map(|subnet| subnet.cidr.to_string());
    let inward = translations.iter().map(|(public, own)| format!("{public} : {own}"));
    let outward = translations.iter().map(|(public, own)| format!("{own} : {public}"));
    let mapped = "ipv4_addr : ipv4_addr";
    [
        replacing("inet", "edge"),
        rules::set("set natted", "ifname", natted),
        rules::set("set guests", "ipv4_addr; flags interval", guests),
        rules::set(
            "set public",
            "ipv4_addr",
            translations.values().map(Ipv4Addr::to_string),
        ),
        rules::set("map public_in", mapped, inward),
        rules::set("map public_out", mapped, outward),
        CHAINS.to_owned(),
        "}\n".to_owned(),
    ]
    .concat()
}

/// What the table has of a VPC's own, to be compared by a person: a line for each element.
pub(crate) fn lines(subnets: &[Subnet], nat: bool, translations: &Translations) -> String {
    let mut text = String::new();
    for subnet in subnets {
        let _ = writeln!(text, "add element inet edge guests {{ {} }}", subnet.cidr);
        if nat && subnet.nat {
            let bridge = names::bridge(subnet.index);
            let _ = writeln!(text, "add element inet edge natted {{ \"{bridge}\" }}");
        }
    }
    for (public, own) in translations {
        let _ = writeln!(text, "add element inet edge public {{ {own} }}");
        let _ = writeln!(text, "add element inet edge public_in {{ {public} : {own} }}");
        let _ = writeln!(text, "add element inet edge public_out {{ {own} : {public} }}");
    }
    text
}

/// What leads from the translations as they are to those in which this guest has this public address, or none; and
/// the public addresses that stand for somebody else or for nobody after that.
pub(crate) fn change(now: &Translations, own: Ipv4Addr, public: Option<Ipv4Addr>) -> (String, Vec<Ipv4Addr>) {
    let wanted = public.map(|public| (public, own));
    let touched = |(address, guest): &(Ipv4Addr, Ipv4Addr)| *guest == own || Some(*address) == public;
    let now = now.iter().map(|(address, guest)| (*address, *guest));
    let gone: Vec<_> = now.filter(touched).collect();
    if gone == Vec::from_iter(wanted) {
        return (String::new(), Vec::new());
    }
    let mut lines = Vec::new();
    for (address, guest) in &gone {
        lines.push(format!("delete element inet edge public_in {{ {address} }}"));
        lines.push(format!("delete element inet edge public_out {{ {guest} }}"));
        lines.push(format!("delete element inet edge public {{ {guest} }}"));
    }
    if let Some((address, guest)) = wanted {
        lines.push(format!("add element inet edge public_in {{ {address} : {guest} }}"));
        lines.push(format!("add element inet edge public_out {{ {guest} : {address} }}"));
        lines.push(format!("add element inet edge public {{ {guest} }}"));
    }
    let gone = gone.into_iter().map(|(address, _)| address).collect();
    (lines.join("\n") + "\n", gone)
}

/// The translations as the kernel has them, in the calling thread's namespace; none where the table isn't.
pub(crate) fn read(tools: &Tools) -> Result<Translations, NetworkError> {
    let words = ["-j", "list", "map", "inet", "edge", "public_in"];
    match run(&tools.nft, words, "") {
        Err(NetworkError::Command { stderr, .. }) if stderr.contains("No such file") => Ok(Translations::new()),
        text => parse(&text?).ok_or_else(|| NetworkError::Command {
            command: format!("nft {}", words.join(" ")),
            stderr: "it printed what can't be read".to_owned(),
        }),
    }
}

fn parse(text: &str) -> Option<Translations> {
    let found: Value = serde_json::from_str(text).ok()?;
    let map = found
        .get("nftables")?
        .as_array()?
        .iter()
        .find_map(|object| object.get("map"))?;
    let Some(elements) = map.get("elem") else {
        return Some(Translations::new());
    };
    let address = |value: &Value| value.as_str()?.parse().ok();
    let pair = |element: &Value| Some((address(element.get(0)?)?, address(element.get(1)?)?));
    elements.as_array()?.iter().map(pair).collect()
}

/// Ends the flows by these public addresses in the calling thread's namespace: what has begun goes on as it began.
pub(crate) fn end_flows(tools: &Tools, public: &[Ipv4Addr]) -> Result<(), NetworkError> {
    if public.is_empty() {
        return Ok(());
    }
    flows::end_unless(tools, |flow| {
        ![flow.asked.target, flow.answered.target]
            .iter()
            .any(|one| public.contains(one))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use berth_model::SubnetId;

    use super::*;

    fn now() -> Translations {
        let pair = |n: u8| (Ipv4Addr::new(198, 51, 100, n), Ipv4Addr::new(10, 0, 0, n));
        [10, 11].map(pair).into()
    }

    #[test]
    fn the_table_of_the_edge() {
        let subnet = |number: u8| Subnet {
            id: SubnetId::new(),
            index: 7 + u32::from(number),
            cidr: format!("10.0.{number}.0/24").parse().unwrap(),
            gateway: Ipv4Addr::new(10, 0, number, 1),
            dns: Vec::new(),
            ntp: Vec::new(),
            nat: number == 0,
        };
        insta::assert_snapshot!(table(&[subnet(0), subnet(1)], true, &now()));
        assert!(!table(&[], true, &Translations::new()).contains("elements"));
    }

    #[test]
    fn the_changes_of_one_address() {
        let [ten, eleven, twelve] = [10, 11, 12].map(|n| Ipv4Addr::new(10, 0, 0, n));
        let public = |n| Some(Ipv4Addr::new(198, 51, 100, n));
        assert_eq!(change(&now(), ten, public(10)), (String::new(), Vec::new()));
        assert_eq!(change(&now(), twelve, None), (String::new(), Vec::new()));
        let cases = [
            ("given", change(&now(), twelve, public(12))),
            ("taken away", change(&now(), ten, None)),
            ("moved to another port", change(&now(), twelve, public(10))),
            ("exchanged for a new one", change(&now(), ten, public(12))),
            (
                "exchanged for another port's",
                change(&now(), ten, eleven.octets().last().and_then(|n| public(*n))),
            ),
        ];
        let text = cases.map(|(name, (text, gone))| format!("# {name}; ends {gone:?}\n{text}"));
        insta::assert_snapshot!(text.join("\n"));
    }

    #[test]
    fn what_nft_lists_is_read() {
        let text = |elements: &str| {
            format!(
                r#"{{"nftables": [{{"metainfo": {{"version": "1"}}}}, {{"map": {{"name": "public_in"{elements}}}}}]}}"#
            )
        };
        let elements = r#", "elem": [["198.51.100.10", "10.0.0.10"], ["198.51.100.11", "10.0.0.11"]]"#;
        assert_eq!(parse(&text(elements)), Some(now()));
        assert_eq!(parse(&text("")), Some(Translations::new()));
        assert_eq!(parse("{}"), None);
    }
}
