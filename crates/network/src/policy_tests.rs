//! Policies to test with, and what they allow.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::net::Ipv4Addr;

use berth_model::{PortRange, SubnetId, VpcId};
use proptest::prelude::*;

use super::*;
use crate::flows::Tuple;
use crate::names::Names;
use crate::ruleset::Ruleset;

/// Ids that are the same at every call.
fn id<T: std::str::FromStr>(number: u32) -> T {
    let text = format!("0198f3c2-7a10-7e1b-9d0a-5c1f{number:08x}");
    text.parse().ok().unwrap()
}

pub(crate) fn rule(direction: &str, protocol: &str, ports: Option<&str>, remote: Remote) -> Rule {
    Rule {
        direction: direction.parse().unwrap(),
        protocol: protocol.parse().unwrap(),
        ports: ports.map(|ports| ports.parse().unwrap()),
        remote,
    }
}

fn cidr(text: &str) -> Remote {
    Remote::Cidr(text.parse().unwrap())
}

fn group(index: u32, rules: Vec<Rule>) -> Group {
    Group {
        id: id(index),
        index,
        rules,
    }
}

fn port(number: u32, address: &str, groups: &[u32], pairs: &[&str]) -> (PortId, Port) {
    let third = address.split('.').nth(2).unwrap();
    let port = Port {
        id: id(number),
        vpc: id::<VpcId>(1),
        subnet: id(third.parse().unwrap()),
        mac: format!("52:54:00:00:00:{number:02x}").parse().unwrap(),
        address: address.parse().unwrap(),
        hostname: format!("guest-{number}"),
        primary: true,
        groups: groups.iter().map(|index| id(*index)).collect(),
        pairs: pairs.iter().map(|pair| pair.parse().unwrap()).collect(),
        public: None,
        bandwidth: None,
    };
    (port.id, port)
}

/// Two subnets, of which one is natted; a group that lets web in and everything out, one that trusts the first, and
/// one that allows nothing; ports of which two share an address.
pub(crate) fn policy() -> Policy {
    let subnet = |index: u32, nat| Subnet {
        id: id::<SubnetId>(index),
        index: index + 7,
        cidr: format!("10.0.{index}.0/24").parse().unwrap(),
        gateway: Ipv4Addr::new(10, 0, u8::try_from(index).unwrap(), 1),
        dns: Vec::new(),
        ntp: Vec::new(),
        nat,
    };
    let groups = [
        group(
            1,
            vec![
                rule("egress", "any", None, Remote::ANYWHERE),
                rule("ingress", "tcp", Some("80"), Remote::ANYWHERE),
                rule("ingress", "tcp", Some("8000-8080"), cidr("10.0.0.0/24")),
                rule("ingress", "icmp", None, Remote::ANYWHERE),
            ],
        ),
        group(
            2,
            vec![
                rule("egress", "udp", Some("53"), cidr("192.0.2.0/24")),
                rule("ingress", "any", None, Remote::Group(id(1))),
                rule("ingress", "udp", None, cidr("10.0.1.0/24")),
            ],
        ),
        group(3, Vec::new()),
    ];
    let ports = [
        port(10, "10.0.0.10", &[1], &["10.0.0.99"]),
        port(11, "10.0.0.11", &[2, 3], &["10.0.0.99"]),
        port(12, "10.0.1.10", &[2], &[]),
        port(13, "10.0.1.11", &[], &[]),
    ];
    Policy {
        subnets: vec![subnet(0, true), subnet(1, false)],
        groups: groups.into_iter().map(|group| (group.id, group)).collect(),
        ports: ports.into_iter().collect(),
        transit: Ipv4Addr::new(100, 64, 0, 3),
        nat: true,
    }
}

/// A flow that nothing translates, from `source` to `target`.
fn flow(protocol: &str, source: &str, target: &str, port: u16) -> Flow {
    let (source, target) = (source.parse().unwrap(), target.parse().unwrap());
    let (protocol, ports) = match protocol {
        "tcp" => (6, true),
        "udp" => (17, true),
        "icmp" => (1, false),
        other => (other.parse().unwrap(), false),
    };
    let ports = |port: u16| ports.then_some(port);
    let asked = Tuple {
        source,
        target,
        source_port: ports(40000),
        target_port: ports(port),
        icmp: None,
    };
    let answered = Tuple {
        source: target,
        target: source,
        source_port: asked.target_port,
        target_port: asked.source_port,
        icmp: None,
    };
    Flow {
        protocol,
        asked,
        answered,
    }
}

fn allows(flow: &Flow) -> bool {
    policy().judge().allows(flow)
}

#[test]
fn what_is_allowed_and_what_is_not() {
    for (protocol, source, target, port, expected) in [
        // Both ends have to agree.
        ("tcp", "10.0.0.10", "10.0.0.11", 22, true),
        ("tcp", "10.0.0.11", "10.0.0.10", 80, false),
        ("tcp", "10.0.0.10", "10.0.1.10", 5432, true),
        ("tcp", "10.0.0.10", "10.0.1.11", 80, false),
        ("112", "10.0.0.10", "10.0.1.10", 0, true),
        // An address that two ports share has the groups of both.
        ("tcp", "10.0.0.99", "10.0.1.10", 22, true),
        ("icmp", "10.0.0.10", "10.0.0.99", 0, true),
        // Where the subnet is natted.
        ("tcp", "10.0.0.10", "198.51.100.1", 443, true),
        ("udp", "10.0.0.11", "192.0.2.7", 53, true),
        ("udp", "10.0.0.11", "192.0.2.7", 54, false),
        ("tcp", "10.0.0.11", "192.0.2.7", 53, false),
        ("udp", "10.0.1.10", "192.0.2.7", 53, false),
        // Addresses that no port has.
        ("tcp", "10.0.0.200", "198.51.100.1", 443, false),
        ("icmp", "10.0.0.10", "10.0.0.200", 0, false),
        // The router's own affairs.
        ("udp", "10.0.1.11", "10.0.1.1", 53, true),
        ("udp", "0.0.0.0", "255.255.255.255", 67, true),
        ("tcp", "10.0.0.1", "10.0.1.11", 22, true),
        ("tcp", "10.0.1.11", "169.254.169.254", 80, true),
        ("udp", "100.64.0.3", "192.0.2.7", 53, true),
        // From the outside nobody is reached by his own address.
        ("tcp", "198.51.100.1", "10.0.0.10", 80, false),
    ] {
        let flow = flow(protocol, source, target, port);
        assert_eq!(allows(&flow), expected, "{protocol} {source} -> {target}:{port}");
    }
}

#[test]
fn a_translated_flow_is_judged_by_who_really_sends_and_answers() {
    let mut outward = flow("udp", "10.0.0.11", "192.0.2.7", 53);
    outward.answered.target = Ipv4Addr::new(100, 64, 0, 3);
    assert!(allows(&outward));
    let mut inward = flow("tcp", "198.51.100.1", "203.0.113.9", 8888);
    inward.answered.source = Ipv4Addr::new(10, 0, 0, 10);
    inward.answered.source_port = Some(80);
    assert!(allows(&inward));
    inward.answered.source_port = Some(81);
    assert!(!allows(&inward));
}

#[test]
fn a_group_that_is_removed_is_named_nowhere() {
    let policy = policy().without_group(1);
    let judge = policy.judge();
    assert!(!judge.allows(&flow("tcp", "10.0.0.10", "198.51.100.1", 443)));
    assert!(
        policy
            .groups
            .values()
            .flat_map(|group| &group.rules)
            .all(|rule| rule.remote != Remote::Group(id(1)))
    );
    assert!(policy.ports.values().all(|port| !port.groups.contains(&id(1))));
}

fn arbitrary_rule() -> impl Strategy<Value = Rule> {
    let remote = prop_oneof![
        Just(Remote::ANYWHERE),
        (1..4_u32).prop_map(|index| Remote::Group(id(index))),
        Just(cidr("10.0.0.8/30")),
        Just(cidr("10.0.1.0/24")),
    ];
    let ports = proptest::option::of(
        (1..4_u16, 0..3_u16).prop_map(|(first, more)| PortRange::new(first, first + more).unwrap()),
    );
    let words = (0..Direction::ALL.len(), 0..Protocol::ALL.len());
    (words, ports, remote).prop_map(|((direction, protocol), ports, remote)| {
        let protocol = Protocol::ALL[protocol];
        Rule {
            direction: Direction::ALL[direction],
            protocol,
            ports: ports.filter(|_| matches!(protocol, Protocol::Tcp | Protocol::Udp)),
            remote,
        }
    })
}

proptest! {
    /// Rules only ever allow: taking one away allows nothing new, and with all of them gone nothing crosses.
    #[test]
    fn fewer_rules_allow_no_more(
        rules in proptest::collection::vec((1..4_u32, arbitrary_rule()), 0..12),
        ends in (10..13_u32, 10..13_u32), protocol in 0..4_usize, port in 1..6_u16,
    ) {
        let protocol = ["tcp", "udp", "icmp", "47"][protocol];
        let mut policy = policy();
        for group in policy.groups.values_mut() {
            group.rules = rules.iter().filter(|(index, _)| *index == group.index).map(|(_, rule)| *rule).collect();
        }
        let address = |number: u32| policy.ports[&id(number)].address.to_string();
        let flow = flow(protocol, &address(ends.0), &address(ends.1), port);
        let allowed = policy.judge().allows(&flow);
        for (index, gone) in &rules {
            let mut less = policy.clone();
            let group = less.groups.values_mut().find(|group| group.index == *index).unwrap();
            let place = group.rules.iter().position(|rule| rule == gone).unwrap();
            group.rules.remove(place);
            let still = less.judge().allows(&flow);
            prop_assert!(allowed || !still);
            // Flows are looked through unless nothing was taken away.
            let [before, after] = [&policy, &less].map(|policy| Ruleset::new(policy, &Names::new("ab")));
            prop_assert!(before.only_adds_to(&after));
            prop_assert!(still == allowed || !after.only_adds_to(&before));
        }
        for group in policy.groups.values_mut() {
            group.rules.clear();
        }
        prop_assert!(!policy.judge().allows(&flow));
    }
}
