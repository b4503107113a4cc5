//! The rules of one namespace as nft is told them: what always is, and what follows from the [`Policy`]; pure.
//!
//! ```text
//!  frame of a guest                                     router, bridge
//!  ──▶ bridge guard: prerouting ──▶ inet vpc: egress ──▶ inet vpc: ingress ──▶ bridge guard: forward ──▶ guest
//!      is it who it says it is?     may it send this?    may the other get it?  does that one have the address?
//! ```
//!
//! `egress` sends what begins a flow to the chain of its source address (`out_10.0.0.10`), `ingress` to the one of its
//! target (`in_10.0.0.10`), through maps of verdicts; that chain jumps to the ones of its groups (`g3_out`, `g3_in`),
//! which accept, and then drops. A group that a rule names is a set of addresses (`g3`). So a rule that is changed is one chain
//! written anew, however many ports are in the group. That the address may be trusted is the guard's doing, and that
//! frames within a subnet come by `inet vpc` too is `bridge-nf-call-iptables`'s.
//!
//! What a guest sends to everybody on its link (broadcast, multicast) reaches the router and no other guest.
//!
//! The whole is nothing but the change from an empty one: there is one way to write each thing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::Ipv4Addr;

use berth_model::{Direction, Protocol, Remote, Rule};

use crate::names::{self, Names};
use crate::policy::{Members, Policy};
use crate::rules::{SKELETON, without};
use crate::{Group, Port};

const MACS: &str = "bridge guard macs";
const ADDRESSES: &str = "bridge guard addresses";
const SUBNETS: &str = "inet vpc subnets";

/// All of a namespace's rules that aren't always there.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Ruleset {
    /// The sets that aren't always there, all of them of addresses.
    sets: BTreeSet<String>,
    /// What is in which set or map: the key, and what a map has for it.
    elements: BTreeMap<String, BTreeMap<String, Option<String>>>,
    /// The chains that aren't always there, with their rules.
    chains: BTreeMap<String, Vec<String>>,
}

impl Ruleset {
    pub(crate) fn new(policy: &Policy, names: &Names) -> Self {
        let mut ruleset = Self::default();
        for subnet in &policy.subnets {
            let bridge = format!("\"{}\"", names::bridge(subnet.index));
            ruleset.element(SUBNETS, bridge);
        }
        for port in policy.ports.values() {
            for (set, element) in pins(port, names) {
                ruleset.element(set, element);
            }
        }
        let members = policy.members();
        for group in policy.groups.values() {
            ruleset.group(group, policy);
        }
        ruleset.members(&members, policy);
        ruleset
    }

    fn element(&mut self, set: &str, key: String) {
        self.elements.entry(set.to_owned()).or_default().insert(key, None);
    }

    fn group(&mut self, group: &Group, policy: &Policy) {
        self.sets.insert(group_set(group));
        for direction in Direction::ALL {
            let mine = group.rules.iter().filter(|rule| rule.direction == *direction);
            let mut rules: Vec<String> = Vec::new();
            for rule in mine.filter_map(|rule| rule_text(rule, policy)) {
                if !rules.contains(&rule) {
                    rules.push(rule);
                }
            }
            self.chains.insert(group_chain(group, *direction), rules);
        }
    }

    fn members(&mut self, members: &Members, policy: &Policy) {
        for (address, ids) in members {
            let groups = || ids.iter().filter_map(|id| policy.groups.get(id));
            for group in groups() {
                self.element(&format!("inet vpc {}", group_set(group)), address.to_string());
            }
            for direction in Direction::ALL {
                let (map, chain) = (map_of(*direction), address_chain(*address, *direction));
                let mut rules: Vec<String> = groups()
                    .map(|group| format!("jump {}", group_chain(group, *direction)))
                    .collect();
                rules.push("drop".to_owned());
                let map = self.elements.entry(map.to_owned()).or_default();
                map.insert(address.to_string(), Some(format!("goto {chain}")));
                self.chains.insert(chain, rules);
            }
        }
    }

    /// The whole, in place of whatever the tables hold.
    pub(crate) fn whole(&self) -> String {
        let tables = without("bridge", "guard") + &without("inet", "vpc");
        tables + SKELETON + &self.since(&Self::default())
    }

    /// All of it to be compared by a person: a line for each set, element, chain and rule.
    pub(crate) fn lines(&self) -> String {
        let mut text = String::new();
        for set in &self.sets {
            let _ = writeln!(text, "add set inet vpc {set} {{ type ipv4_addr; }}");
        }
        for (name, all) in &self.elements {
            for (key, value) in all {
                let value = value.as_ref().map(|value| format!(" : {value}")).unwrap_or_default();
                let _ = writeln!(text, "add element {name} {{ {key}{value} }}");
            }
        }
        for (chain, rules) in &self.chains {
            let _ = writeln!(text, "add chain inet vpc {chain}");
            for rule in rules {
                let _ = writeln!(text, "add rule inet vpc {chain} {rule}");
            }
        }
        text
    }

    /// What makes the old one this one, in one transaction; nothing if nothing is to be done.
    pub(crate) fn since(&self, old: &Self) -> String {
        let mut text = String::new();
        for set in self.sets.difference(&old.sets) {
            let _ = writeln!(text, "add set inet vpc {set} {{ type ipv4_addr; }}");
        }
        for chain in self.chains.keys().filter(|chain| !old.chains.contains_key(*chain)) {
            let _ = writeln!(text, "add chain inet vpc {chain}");
        }
        self.elements_since(old, &mut text);
        for (chain, rules) in &self.chains {
            let before = old.chains.get(chain);
            if before == Some(rules) {
                continue;
            }
            if before.is_some_and(|rules| !rules.is_empty()) {
                let _ = writeln!(text, "flush chain inet vpc {chain}");
            }
            for rule in rules {
                let _ = writeln!(text, "add rule inet vpc {chain} {rule}");
            }
        }
        // Nothing that is deleted may be named by what still stands.
        let gone = || old.chains.keys().filter(|chain| !self.chains.contains_key(*chain));
        for verb in ["flush", "delete"] {
            for chain in gone() {
                let _ = writeln!(text, "{verb} chain inet vpc {chain}");
            }
        }
        for set in old.sets.difference(&self.sets) {
            let _ = writeln!(text, "delete set inet vpc {set}");
        }
        text
    }

    /// Whether this one allows whatever the old one does: then no flow is to be ended. That it is so if nothing is taken
    /// away holds because rules accept and members are who is accepted; only what is a subnet says whom rules bind.
    pub(crate) fn only_adds_to(&self, old: &Self) -> bool {
        let none = BTreeMap::new();
        let elements = |name: &String| self.elements.get(name).unwrap_or(&none);
        let mut sets = old.elements.iter();
        let mut chains = old.chains.iter();
        self.elements.get(SUBNETS) == old.elements.get(SUBNETS)
            && sets.all(|(name, before)| before.iter().all(|(key, value)| elements(name).get(key) == Some(value)))
            && chains.all(|(name, before)| {
                let rules = self.chains.get(name);
                rules.is_some_and(|rules| before.iter().all(|rule| rules.contains(rule)))
            })
    }

    fn elements_since(&self, old: &Self, text: &mut String) {
        let none = BTreeMap::new();
        let names: BTreeSet<&String> = self.elements.keys().chain(old.elements.keys()).collect();
        for name in names {
            let (now, before) = (
                self.elements.get(name).unwrap_or(&none),
                old.elements.get(name).unwrap_or(&none),
            );
            let gone = before.iter().filter(|(key, value)| now.get(*key) != Some(*value));
            elements(text, "delete", name, gone.map(|(key, _)| key.clone()));
            let come = now.iter().filter(|(key, value)| before.get(*key) != Some(*value));
            let come = come.map(|(key, value)| match value {
                Some(value) => format!("{key} : {value}"),
                None => key.clone(),
            });
            elements(text, "add", name, come);
        }
    }
}

/// What lets a port's guest send. It fails where the guard isn't: a guest must not be let in unguarded.
pub(crate) fn pin(port: &Port, names: &Names) -> String {
    let mut text = String::new();
    for (set, element) in pins(port, names) {
        elements(&mut text, "add", set, std::iter::once(element));
    }
    text
}

/// Takes that back, whether it was so or not: `nft destroy` is too new for Debian 12 and Ubuntu 22.04.
pub(crate) fn unpin(port: &Port, names: &Names) -> String {
    let mut text = format!(
        "\
add table bridge guard
add set {MACS} {{ type ifname . ether_addr; }}
add set {ADDRESSES} {{ type ifname . ether_addr . ipv4_addr; }}
"
    );
    text.push_str(&pin(port, names));
    for (set, element) in pins(port, names) {
        elements(&mut text, "delete", set, std::iter::once(element));
    }
    text
}

/// What a port's guest may send from, and is found at.
fn pins(port: &Port, names: &Names) -> Vec<(&'static str, String)> {
    let mac = format!("\"{}\" . {}", names.tap(port.id), port.mac);
    let addresses = port
        .addresses()
        .map(|address| (ADDRESSES, format!("{mac} . {address}")));
    std::iter::once((MACS, mac.clone())).chain(addresses).collect()
}

fn elements(text: &mut String, verb: &str, set: &str, elements: impl Iterator<Item = String>) {
    let elements: Vec<String> = elements.collect();
    if !elements.is_empty() {
        let _ = writeln!(text, "{verb} element {set} {{ {} }}", elements.join(", "));
    }
}

fn group_set(group: &Group) -> String {
    format!("g{}", group.index)
}

fn group_chain(group: &Group, direction: Direction) -> String {
    format!("g{}_{}", group.index, word(direction))
}

fn address_chain(address: Ipv4Addr, direction: Direction) -> String {
    format!("{}_{address}", word(direction))
}

fn word(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "in",
        Direction::Egress => "out",
    }
}

fn map_of(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "inet vpc ingress_of",
        Direction::Egress => "inet vpc egress_of",
    }
}

/// A rule as nft takes it; none if it names a group that isn't there.
fn rule_text(rule: &Rule, policy: &Policy) -> Option<String> {
    let far = match rule.direction {
        Direction::Ingress => "ip saddr",
        Direction::Egress => "ip daddr",
    };
    let remote = match rule.remote {
        Remote::Cidr(cidr) if cidr.prefix_len() == 0 => String::new(),
        Remote::Cidr(cidr) => format!("{far} {cidr} "),
        Remote::Group(id) => format!("{far} @{} ", group_set(policy.groups.get(&id)?)),
    };
    let spoken = match (rule.protocol, rule.ports) {
        (Protocol::Any, _) => String::new(),
        (protocol, Some(ports)) => format!("{protocol} dport {ports} "),
        (protocol, None) => format!("meta l4proto {protocol} "),
    };
    Some(format!("{remote}{spoken}accept"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use berth_model::PortId;

    use super::*;
    use crate::policy::testing::{policy, rule};

    fn ruleset(policy: &Policy) -> Ruleset {
        Ruleset::new(policy, &Names::new("ab"))
    }

    #[test]
    fn the_whole() {
        insta::assert_snapshot!(ruleset(&policy()).whole());
    }

    #[test]
    fn an_empty_one_names_no_elements() {
        let mut empty = policy();
        empty.subnets.clear();
        empty.groups.clear();
        empty.ports.clear();
        assert_eq!(ruleset(&empty), Ruleset::default());
        assert_eq!(ruleset(&policy()).since(&ruleset(&policy())), "");
    }

    #[test]
    fn a_rule_more_is_one_chain_anew() {
        let mut changed = policy();
        let group = changed.groups.values_mut().find(|group| group.index == 1).unwrap();
        group.rules.push(rule("ingress", "tcp", Some("443"), Remote::ANYWHERE));
        insta::assert_snapshot!(ruleset(&changed).since(&ruleset(&policy())));
    }

    #[test]
    fn a_port_that_changes_its_groups_and_pairs() {
        let mut changed = policy();
        let id = *changed.ports.keys().next().unwrap();
        let other = changed.groups.values().find(|group| group.index == 2).unwrap().id;
        let port = changed.ports.get_mut(&id).unwrap();
        port.groups = vec![other];
        port.pairs.clear();
        insta::assert_snapshot!(ruleset(&changed).since(&ruleset(&policy())));
    }

    #[test]
    fn a_group_that_is_gone() {
        insta::assert_snapshot!(ruleset(&policy().without_group(1)).since(&ruleset(&policy())));
    }

    #[test]
    fn what_takes_something_away_does_not_only_add() {
        let (now, id) = (ruleset(&policy()), *policy().ports.keys().next().unwrap());
        let changed = |change: fn(&mut Policy, PortId)| {
            let mut changed = policy();
            change(&mut changed, id);
            ruleset(&changed)
        };
        let fewer = [
            changed(|policy, id| policy.ports.get_mut(&id).unwrap().groups.clear()),
            changed(|policy, id| policy.ports.get_mut(&id).unwrap().pairs.clear()),
            changed(|policy, id| drop(policy.ports.remove(&id))),
            ruleset(&policy().without_group(1)),
            ruleset(&policy().without_group(3)),
        ];
        for fewer in fewer {
            assert!(now.only_adds_to(&fewer) && !fewer.only_adds_to(&now));
        }
        let other = [
            changed(|policy, id| policy.ports.get_mut(&id).unwrap().mac = "52:54:00:00:00:ff".parse().unwrap()),
            changed(|policy, _| drop(policy.subnets.pop())),
        ];
        for other in other {
            assert!(!now.only_adds_to(&other) && !other.only_adds_to(&now));
        }
        assert!(now.only_adds_to(&now));
    }

    #[test]
    fn a_pin_and_its_end() {
        let policy = policy();
        let port = policy.ports.values().next().unwrap();
        let names = Names::new("ab");
        insta::assert_snapshot!(format!("{}\n{}", pin(port, &names), unpin(port, &names)));
    }
}
