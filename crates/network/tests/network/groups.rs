//! Security groups on the real kernel: what they let through, within a subnet and across.

use std::net::Ipv4Addr;
use std::time::Instant;

use berth_model::{Direction, PortId, Protocol, Remote, Rule, SecurityGroupId};
use berth_network::{Group, Port, Vpc};

use crate::frame::{hears, listener};
use crate::guest::Guest;
use crate::lab::{Lab, anything, lab};
use crate::tcp::{Flow, reaches, serve};

fn rule(direction: Direction, protocol: Protocol, ports: Option<&str>, remote: Remote) -> Rule {
    Rule {
        direction,
        protocol,
        ports: ports.map(|ports| ports.parse().unwrap()),
        remote,
    }
}

pub(crate) fn inward(protocol: Protocol, ports: Option<&str>, remote: Remote) -> Rule {
    rule(Direction::Ingress, protocol, ports, remote)
}

fn cidr(text: &str) -> Remote {
    Remote::Cidr(text.parse().unwrap())
}

/// Adds a group to the VPC; gives back its id.
pub(crate) fn group(vpc: &mut Vpc, rules: &[Rule]) -> SecurityGroupId {
    let id = SecurityGroupId::new();
    let index = 10 + u32::try_from(vpc.groups.len()).unwrap();
    vpc.groups.push(Group {
        id,
        index,
        rules: rules.to_vec(),
    });
    id
}

pub(crate) fn port(vpc: &Vpc, subnet: u8, octet: u8, groups: &[SecurityGroupId]) -> Port {
    Port {
        groups: groups.to_vec(),
        ..Lab::port(vpc, subnet, octet)
    }
}

/// Says something over UDP from one guest to another's port; whether it arrives.
pub(crate) fn says(from: &Guest, to: &Guest, port: u16) -> bool {
    let (mouth, ear) = (listener(from, 0), listener(to, port));
    mouth.send_to(b"hello", (to.port.address, port)).unwrap();
    hears(&ear)
}

/// Changes one group's rules as the engine does it.
pub(crate) fn set(lab: &Lab, vpc: &mut Vpc, ports: &[&Guest], id: SecurityGroupId, rules: &[Rule]) {
    let changed = vpc.groups.iter_mut().find(|group| group.id == id).unwrap();
    changed.rules = rules.to_vec();
    let ports: Vec<Port> = ports.iter().map(|guest| guest.port.clone()).collect();
    lab.network.set_group(vpc, &ports, id).unwrap();
}

#[test]
fn what_is_not_allowed_reaches_nobody_on_the_same_subnet_or_another() {
    lab(|lab| {
        let mut vpc = Lab::vpc(1, 2);
        let client = group(&mut vpc, &[anything(Direction::Egress)]);
        let server = group(
            &mut vpc,
            &[
                inward(Protocol::Tcp, Some("8000-8002"), Remote::ANYWHERE),
                inward(Protocol::Tcp, Some("22"), cidr("10.0.9.0/24")),
                inward(Protocol::Udp, Some("5000"), cidr("10.0.0.10/32")),
                inward(Protocol::Icmp, None, cidr("10.0.0.0/28")),
            ],
        );
        lab.network.ensure_vpc(&vpc, &[]).unwrap();
        let asks = Guest::boot_static(lab, &vpc, port(&vpc, 0, 10, &[client]));
        let near = Guest::boot_static(lab, &vpc, port(&vpc, 0, 11, &[server]));
        let far = Guest::boot_static(lab, &vpc, port(&vpc, 1, 11, &[server]));
        for guest in [&near, &far] {
            let address = guest.port.address;
            let _served = [22, 7999, 8000, 8002, 8003].map(|port| serve(guest, port));
            for (port, expected) in [(22, false), (7999, false), (8000, true), (8002, true), (8003, false)] {
                assert_eq!(reaches(&asks, address, port), expected, "{address}, TCP {port}");
            }
            for (port, expected) in [(5000, true), (5001, false), (8000, false)] {
                assert_eq!(says(&asks, guest, port), expected, "{address}, UDP {port}");
            }
            assert!(asks.pings(&address.to_string()), "{address} doesn't answer");
            // Who only receives begins nothing, and who only sends receives nothing.
            assert!(
                !guest.pings("10.0.0.10") && !says(guest, &asks, 5000),
                "{address} reached the client"
            );
        }
        assert!(!near.pings("10.0.1.11") && !far.pings("10.0.0.11"));
    });
}

#[test]
fn a_port_without_groups_has_its_router_and_nothing_else() {
    lab(|lab| {
        let vpc = Lab::vpc(1, 1);
        lab.network.ensure_vpc(&vpc, &[]).unwrap();
        let lone = Guest::boot(lab, &vpc, port(&vpc, 0, 10, &[]));
        assert!(lone.dhcp().is_some(), "no lease");
        lone.run(&["ip", "address", "add", "10.0.0.10/24", "dev", "eth0"]);
        let other = Guest::boot_static(lab, &vpc, Lab::port(&vpc, 0, 11));
        assert!(lone.pings("10.0.0.1"), "its router doesn't answer");
        let asked = lone.run(&["busybox", "nslookup", "guest-0-11.berth.internal", "10.0.0.1"]);
        assert!(asked.contains("10.0.0.11"), "{asked}");
        assert!(!lone.pings("10.0.0.11") && !other.pings("10.0.0.10"));
        assert!(!says(&lone, &other, 4000) && !says(&other, &lone, 4000));
        // Nor by way of everybody: what is for all on the link reaches the router and no guest.
        let (mouth, ear) = (listener(&other, 0), listener(&lone, 4000));
        mouth.set_broadcast(true).unwrap();
        mouth.send_to(b"hello", (Ipv4Addr::new(10, 0, 0, 255), 4000)).unwrap();
        assert!(!hears(&ear), "a broadcast passed");
    });
}

#[test]
fn a_group_as_the_far_end_is_who_is_in_it_now() {
    lab(|lab| {
        let mut vpc = Lab::vpc(1, 2);
        let app = group(&mut vpc, &[anything(Direction::Egress)]);
        let out = group(&mut vpc, &[anything(Direction::Egress)]);
        let base = group(&mut vpc, &[inward(Protocol::Tcp, Some("5432"), Remote::Group(app))]);
        lab.network.ensure_vpc(&vpc, &[]).unwrap();
        let server = Guest::boot_static(lab, &vpc, port(&vpc, 0, 11, &[base]));
        let near = Guest::boot_static(lab, &vpc, port(&vpc, 0, 10, &[out]));
        let far = Guest::boot_static(lab, &vpc, port(&vpc, 1, 10, &[out, app]));
        let _served = serve(&server, 5432);
        let address = server.port.address;
        assert!(!reaches(&near, address, 5432) && reaches(&far, address, 5432));
        for guest in [near, far] {
            for (groups, expected) in [
                (vec![out], false),
                (vec![out, app], true),
                (vec![app], true),
                (vec![], false),
            ] {
                let changed = Port {
                    groups: groups.clone(),
                    ..guest.port.clone()
                };
                lab.network.set_port(&vpc, &changed).unwrap();
                assert_eq!(reaches(&guest, address, 5432), expected, "{groups:?}");
            }
            lab.network.set_port(&vpc, &guest.port).unwrap();
        }
    });
}

#[test]
fn a_port_has_what_any_of_its_groups_allows() {
    lab(|lab| {
        let mut vpc = Lab::vpc(1, 1);
        let ssh = group(&mut vpc, &[inward(Protocol::Tcp, Some("22"), Remote::ANYWHERE)]);
        let web = group(&mut vpc, &[inward(Protocol::Tcp, Some("80"), Remote::ANYWHERE)]);
        lab.network.ensure_vpc(&vpc, &[]).unwrap();
        let asks = Guest::boot_static(lab, &vpc, Lab::port(&vpc, 0, 10));
        let server = Guest::boot_static(lab, &vpc, port(&vpc, 0, 11, &[ssh, web]));
        let _served = [22, 80, 443].map(|port| serve(&server, port));
        let open = || [22, 80, 443].map(|port| reaches(&asks, server.port.address, port));
        assert_eq!(open(), [true, true, false]);
        lab.network.remove_group(&vpc, vpc.groups[1].index).unwrap();
        lab.network.remove_group(&vpc, vpc.groups[1].index).unwrap();
        assert_eq!(open(), [false, true, false]);
        let listed = lab.inside(&vpc, &["nft", "list", "ruleset"]);
        assert!(!listed.contains("g11"), "{listed}");
        // A group that comes later, by a port that is in it.
        let tls = group(&mut vpc, &[inward(Protocol::Tcp, Some("443"), Remote::ANYWHERE)]);
        let changed = Port {
            groups: vec![web, tls],
            ..server.port.clone()
        };
        lab.network.set_port(&vpc, &changed).unwrap();
        assert_eq!(open(), [false, true, true]);
    });
}

#[test]
fn the_groups_of_vpcs_with_the_same_addresses_stay_apart() {
    lab(|lab| {
        let (mut open, mut shut) = (Lab::vpc(1, 1), Lab::vpc(2, 1));
        let allowing = group(&mut open, &[inward(Protocol::Tcp, Some("80"), Remote::ANYWHERE)]);
        let denying = group(&mut shut, &[]);
        let pairs = [(&open, allowing), (&shut, denying)].map(|(vpc, id)| {
            lab.network.ensure_vpc(vpc, &[]).unwrap();
            let asks = Guest::boot_static(lab, vpc, Lab::port(vpc, 0, 10));
            (asks, Guest::boot_static(lab, vpc, port(vpc, 0, 11, &[id])))
        });
        let served = pairs.each_ref().map(|(_, server)| serve(server, 80));
        let reached = pairs
            .each_ref()
            .map(|(asks, server)| reaches(asks, server.port.address, 80));
        assert_eq!(reached, [true, false]);
        drop(served);
        let mut flow = Flow::begin(&pairs[0].0, &pairs[0].1, 80);
        let (near, far) = &pairs[1];
        set(lab, &mut shut, &[near, far], denying, &[]);
        assert!(flow.lives(), "a change in one VPC ended a flow in another");
    });
}

#[test]
fn an_address_that_two_ports_share_goes_from_one_to_the_other() {
    lab(|lab| {
        let mut vpc = Lab::vpc(1, 1);
        let pinged = group(&mut vpc, &[inward(Protocol::Icmp, None, Remote::ANYWHERE)]);
        let web = group(&mut vpc, &[inward(Protocol::Tcp, Some("80"), Remote::ANYWHERE)]);
        let shared = Ipv4Addr::new(10, 0, 0, 99);
        lab.network.ensure_vpc(&vpc, &[]).unwrap();
        let asks = Guest::boot_static(lab, &vpc, Lab::port(&vpc, 0, 10));
        let both = [(11, pinged), (12, web)].map(|(octet, id)| {
            let port = Port {
                pairs: vec![shared],
                ..port(&vpc, 0, octet, &[id])
            };
            Guest::boot_static(lab, &vpc, port)
        });
        let stranger = Guest::boot_static(lab, &vpc, Lab::port(&vpc, 0, 13));
        let answers = |guest: &Guest| {
            guest.run(&["ip", "address", "add", "10.0.0.99/32", "dev", "eth0"]);
            let _served = serve(guest, 80);
            guest.can(&["busybox", "arping", "-q", "-U", "-c", "1", "-I", "eth0", "10.0.0.99"]);
            asks.can(&["ip", "neighbour", "flush", "all"]);
            let answers = asks.pings("10.0.0.99") && reaches(&asks, shared, 80);
            guest.run(&["ip", "address", "del", "10.0.0.99/32", "dev", "eth0"]);
            answers
        };
        // What either's groups allow is allowed to the address, whoever has it just now.
        assert!(both.iter().all(&answers), "a port doesn't answer at its pair");
        assert!(!answers(&stranger), "a stranger answers at others' pair");
        let alone = Port {
            pairs: Vec::new(),
            ..both[0].port.clone()
        };
        lab.network.set_port(&vpc, &alone).unwrap();
        assert!(!answers(&both[0]), "it lost the address and answers");
        assert!(
            !answers(&both[1]),
            "what the first one's group allowed is allowed still"
        );
    });
}

/// What a change costs, however many ports there are; told, and bounded loosely.
#[test]
fn a_change_takes_milliseconds() {
    lab(|lab| {
        let mut vpc = Lab::vpc(1, 1);
        vpc.subnets[0].cidr = "10.0.0.0/16".parse().unwrap();
        let id = vpc.groups[0].id;
        for count in [10_u32, 100, 1000] {
            let ports: Vec<Port> = (0..count)
                .map(|number| Port {
                    id: PortId::new(),
                    address: Ipv4Addr::from_bits(Ipv4Addr::new(10, 0, 1, 0).to_bits() + number),
                    hostname: format!("guest-{number}"),
                    ..Lab::port(&vpc, 0, 10)
                })
                .collect();
            let timed = |what: &str, work: &mut dyn FnMut()| {
                let started = Instant::now();
                work();
                eprintln!("{count} ports, {what}: {:?}", started.elapsed());
                started.elapsed()
            };
            timed("ensure_vpc", &mut || lab.network.ensure_vpc(&vpc, &ports).unwrap());
            vpc.groups[0]
                .rules
                .push(inward(Protocol::Tcp, Some("443"), Remote::Group(id)));
            let took = timed("set_group", &mut || lab.network.set_group(&vpc, &ports, id).unwrap());
            assert!(took.as_millis() < 1000, "{took:?}");
            let mut changed = ports[0].clone();
            changed.groups.clear();
            let took = timed("set_port", &mut || lab.network.set_port(&vpc, &changed).unwrap());
            assert!(took.as_millis() < 1000, "{took:?}");
        }
    });
}
