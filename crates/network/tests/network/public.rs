//! A public address: who is reached by it, and who is seen by it.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

use berth_model::{Direction, Protocol, Remote, Rule};
use berth_network::{Port, PublicAddress};

use crate::guest::Guest;
use crate::lab::{Lab, anything, lab, lab_of, run};
use crate::outside::World;
use crate::world::{WORLD, public, with_public};

#[test]
fn a_guest_is_reached_and_seen_by_its_public_address_alone() {
    lab(|lab| {
        let world = World::new(lab);
        world.serve();
        let vpc = Lab::vpc(1, 1);
        lab.network.ensure_vpc(&vpc, &[]).unwrap();
        let guest = Guest::boot_static(lab, &vpc, with_public(&Lab::port(&vpc, 0, 10), 50));
        let other = Guest::boot_static(lab, &vpc, Lab::port(&vpc, 0, 11));
        guest.serve();
        other.serve();
        assert_eq!(world.asks(public(50)).as_deref(), Some("guest-0-10 sees 198.51.100.2"));
        assert_eq!(guest.asks(WORLD).as_deref(), Some("world sees 198.51.100.50"));
        assert_eq!(other.asks(WORLD).as_deref(), Some("world sees 198.51.100.1"));
        assert!(world.pings(public(50)) && !world.pings(public(51)));

        // Neighbours are answered for this address, and for no other: not for those routed elsewhere either.
        let answers = |octet: u8| {
            world.can(&[
                "busybox",
                "arping",
                "-c",
                "2",
                "-f",
                "-w",
                "2",
                "-I",
                "eth0",
                &public(octet).to_string(),
            ])
        };
        assert!(answers(50) && !answers(51));
        lab.network.ensure_public(&vpc, &with_public(&other.port, 51)).unwrap();
        assert_eq!(world.asks(public(51)).as_deref(), Some("guest-0-11 sees 198.51.100.2"));
        assert_eq!(other.asks(WORLD).as_deref(), Some("world sees 198.51.100.51"));
        assert_eq!(lab.network.inventory().unwrap().public, [public(50), public(51)]);
    });
}

#[test]
fn an_address_routed_to_the_host_needs_neither_neighbours_nor_a_way_out() {
    // Neither the installation nor the subnet lets anybody out by the host's address.
    lab_of(false, |lab| {
        let world = World::new(lab);
        world.serve();
        world.run(&["ip", "route", "add", "203.0.113.0/24", "via", "198.51.100.1"]);
        let mut vpc = Lab::vpc(1, 1);
        vpc.subnets[0].nat = false;
        std::fs::write("/proc/sys/net/ipv4/ip_forward", "0").unwrap();
        lab.network.ensure_vpc(&vpc, &[]).unwrap();
        let guest = Guest::boot_static(lab, &vpc, Lab::port(&vpc, 0, 10));
        guest.serve();
        assert_eq!(guest.asks(WORLD), None);
        let address = Ipv4Addr::new(203, 0, 113, 7);
        let interface = None;
        let port = Port {
            public: Some(PublicAddress { address, interface }),
            ..guest.port.clone()
        };
        lab.network.ensure_vpc(&vpc, std::slice::from_ref(&port)).unwrap();
        assert_eq!(world.asks(address).as_deref(), Some("guest-0-10 sees 198.51.100.2"));
        assert_eq!(guest.asks(WORLD).as_deref(), Some("world sees 203.0.113.7"));
        assert_eq!(run(&["ip", "neighbour", "show", "proxy"]), "");

        // What goes on by it is left alone by whatever else is made sure of.
        let listener = world.inside(|| TcpListener::bind("0.0.0.0:81").unwrap());
        let mut near = guest.inside(|| TcpStream::connect((WORLD, 81)).unwrap());
        let (mut far, _) = listener.accept().unwrap();
        lab.network.set_port(&vpc, &port).unwrap();
        lab.network.ensure_vpc(&vpc, std::slice::from_ref(&port)).unwrap();
        near.write_all(b"still here").unwrap();
        far.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        assert_eq!(far.read(&mut [0; 16]).unwrap(), 10);
    });
}

#[test]
fn groups_judge_what_comes_by_a_public_address() {
    lab(|lab| {
        let world = World::new(lab);
        let mut vpc = Lab::vpc(1, 1);
        vpc.groups[0].rules = vec![anything(Direction::Egress)];
        let port = with_public(&Lab::port(&vpc, 0, 10), 50);
        lab.network.ensure_vpc(&vpc, std::slice::from_ref(&port)).unwrap();
        let guest = Guest::boot_static(lab, &vpc, port.clone());
        guest.serve();
        assert_eq!(world.asks(public(50)), None);
        let web = |remote: &str| Rule {
            direction: Direction::Ingress,
            protocol: Protocol::Tcp,
            ports: Some("80".parse().unwrap()),
            remote: Remote::Cidr(remote.parse().unwrap()),
        };
        let group = vpc.groups[0].id;
        for (remote, passes) in [
            ("198.51.100.1/32", false),
            ("198.51.100.2/32", true),
            ("100.64.0.0/10", false),
        ] {
            vpc.groups[0].rules = vec![anything(Direction::Egress), web(remote)];
            lab.network.set_group(&vpc, std::slice::from_ref(&port), group).unwrap();
            assert_eq!(world.asks(public(50)).is_some(), passes, "{remote}");
        }
    });
}

#[test]
fn guests_of_the_same_vpc_reach_public_addresses_their_own_too() {
    lab(|lab| {
        let vpc = Lab::vpc(1, 2);
        let _world = World::new(lab);
        lab.network.ensure_vpc(&vpc, &[]).unwrap();
        let one = Guest::boot_static(lab, &vpc, with_public(&Lab::port(&vpc, 0, 10), 50));
        let near = Guest::boot_static(lab, &vpc, with_public(&Lab::port(&vpc, 0, 11), 51));
        let far = Guest::boot_static(lab, &vpc, Lab::port(&vpc, 1, 10));
        one.serve();
        near.serve();
        // Bridged packets are shown to the router's rules on one host, and aren't on another.
        for shown in ["1", "0"] {
            lab.inside(
                &vpc,
                &[
                    "sh",
                    "-c",
                    &format!("echo {shown} >/proc/sys/net/bridge/bridge-nf-call-iptables"),
                ],
            );
            assert_eq!(one.asks(public(51)).as_deref(), Some("guest-0-11 sees 10.0.0.1"));
            assert_eq!(far.asks(public(51)).as_deref(), Some("guest-0-11 sees 10.0.0.1"));
            assert_eq!(
                one.asks(public(50)).as_deref(),
                Some("guest-0-10 sees 10.0.0.1"),
                "{shown}"
            );
            assert!(one.pings("198.51.100.50") && one.pings("198.51.100.51"));
        }
        // What a guest says to everybody doesn't come back to it.
        let received = || one.run(&["cat", "/sys/class/net/eth0/statistics/rx_packets"]);
        let before = received();
        assert!(!one.can(&["busybox", "arping", "-c", "1", "-w", "1", "-I", "eth0", "10.0.0.77"]));
        assert_eq!(received(), before);
    });
}

#[test]
fn guests_of_another_vpc_reach_a_public_address_by_the_host() {
    lab(|lab| {
        let _world = World::new(lab);
        let (one, other) = (Lab::vpc(1, 1), Lab::vpc(2, 1));
        lab.network.ensure_vpc(&one, &[]).unwrap();
        lab.network.ensure_vpc(&other, &[]).unwrap();
        let asking = Guest::boot_static(lab, &one, Lab::port(&one, 0, 10));
        let asked = Guest::boot_static(lab, &other, with_public(&Lab::port(&other, 0, 10), 50));
        asking.serve();
        asked.serve();
        assert_eq!(asking.asks(public(50)).as_deref(), Some("guest-0-10 sees 100.64.0.3"));
        lab.network.ensure_public(&one, &with_public(&asking.port, 51)).unwrap();
        assert_eq!(
            asking.asks(public(50)).as_deref(),
            Some("guest-0-10 sees 198.51.100.51")
        );
        assert_eq!(asked.asks(public(51)).as_deref(), Some("guest-0-10 sees 198.51.100.50"));
        assert_eq!(
            asked.asks(Ipv4Addr::new(100, 64, 0, 3)),
            None,
            "a VPC answered by its transit address"
        );
    });
}

#[test]
fn what_cannot_be_a_public_address_is_refused() {
    lab(|lab| {
        let _world = World::new(lab);
        let vpc = Lab::vpc(1, 1);
        lab.network.ensure_vpc(&vpc, &[]).unwrap();
        let port = Lab::port(&vpc, 0, 10);
        let refused = |address: &str, interface: &str| {
            let public = Some(PublicAddress {
                address: address.parse().unwrap(),
                interface: Some(interface.to_owned()),
            });
            let port = Port { public, ..port.clone() };
            let error = lab.network.ensure_public(&vpc, &port).unwrap_err();
            (error.code().as_str().to_owned(), error.to_string())
        };
        for address in [
            "10.0.0.77",
            "100.64.0.9",
            "127.0.0.1",
            "224.0.0.1",
            "169.254.1.1",
            "0.0.0.0",
        ] {
            assert_eq!(refused(address, "eth0").0, "invalid_argument", "{address}");
        }
        for interface in ["", "eth0 nud", "eth0\n", "-force", "an-interface-too-long"] {
            assert_eq!(
                refused("198.51.100.50", interface).0,
                "invalid_argument",
                "{interface:?}"
            );
        }
        assert!(
            refused("198.51.100.1", "eth0")
                .1
                .contains("this host's own interface eth0")
        );
        assert!(refused("198.51.100.50", "eth7").1.contains("no interface eth7"));
        let twins = [with_public(&port, 50), with_public(&Lab::port(&vpc, 0, 11), 50)];
        assert!(lab.network.ensure_vpc(&vpc, &twins).is_err());
        assert!(lab.network.inventory().unwrap().public.is_empty());

        // One that can't be given keeps no other from its port.
        let mut ports = [with_public(&port, 1), with_public(&Lab::port(&vpc, 0, 11), 51)];
        assert!(lab.network.ensure_vpc(&vpc, &ports).is_err());
        ports[0].public = None;
        assert_eq!(lab.network.inventory().unwrap().public, [public(51)]);
        lab.network.ensure_vpc(&vpc, &ports).unwrap();
    });
}
