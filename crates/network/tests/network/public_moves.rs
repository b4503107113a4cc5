//! A public address comes, moves and goes: nobody is lost on the way, and nothing is left behind.

use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::time::{Duration, Instant};

use berth_network::{Inventory, Port};

use crate::guest::Guest;
use crate::lab::{Lab, lab, run};
use crate::outside::World;
use crate::world::{WORLD, connect, public, with_public};

fn without_public(port: &Port) -> Port {
    Port {
        public: None,
        ..port.clone()
    }
}

#[test]
fn an_address_that_is_taken_away_is_gone_at_once_with_its_connections() {
    lab(|lab| {
        let world = World::new(lab);
        let vpc = Lab::vpc(1, 1);
        lab.network.ensure_vpc(&vpc, &[]).unwrap();
        let guest = Guest::boot_static(lab, &vpc, with_public(&Lab::port(&vpc, 0, 10), 50));
        let listener = guest.inside(|| TcpListener::bind("0.0.0.0:80").unwrap());
        let mut far = world.inside(|| connect(public(50)).unwrap());
        let (mut near, _) = listener.accept().unwrap();
        near.write_all(b"before").unwrap();
        assert_eq!(far.read(&mut [0; 16]).unwrap(), 6);

        let started = Instant::now();
        lab.network.set_port(&vpc, &without_public(&guest.port)).unwrap();
        eprintln!("a public address taken away: {:?}", started.elapsed());
        assert!(!world.pings(public(50)));
        assert!(world.inside(|| connect(public(50))).is_none());
        near.write_all(b"after").unwrap();
        far.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        assert!(far.read(&mut [0; 16]).is_err(), "the connection lives on");
        assert!(lab.network.inventory().unwrap().public.is_empty());
        assert_eq!(run(&["ip", "neighbour", "show", "proxy"]), "");

        let started = Instant::now();
        lab.network.set_port(&vpc, &guest.port).unwrap();
        eprintln!("a public address given: {:?}", started.elapsed());
        assert!(world.inside(|| connect(public(50))).is_some());
    });
}

#[test]
fn an_address_moves_within_and_between_vpcs() {
    lab(|lab| {
        let world = World::new(lab);
        let vpcs = [Lab::vpc(1, 1), Lab::vpc(2, 1)];
        let guests = [(0, 10), (0, 11), (1, 10)].map(|(vpc, octet)| {
            let vpc: &berth_network::Vpc = &vpcs[vpc];
            lab.network.ensure_vpc(vpc, &[]).unwrap();
            let mut port = Lab::port(vpc, 0, octet);
            port.hostname = format!("guest-{}-{octet}", vpc.index);
            port
        });
        for vpc in &vpcs {
            let ports: Vec<Port> = guests.iter().filter(|port| port.vpc == vpc.id).cloned().collect();
            lab.network.ensure_vpc(vpc, &ports).unwrap();
        }
        let guests = guests.map(|port| {
            let vpc = vpcs.iter().find(|vpc| vpc.id == port.vpc).unwrap();
            let guest = Guest::boot_static(lab, vpc, port);
            guest.serve();
            (vpc, guest)
        });
        for (vpc, guest) in guests.iter().chain(guests.iter().rev()) {
            // The old owner isn't told to give it back.
            lab.network.set_port(vpc, &with_public(&guest.port, 50)).unwrap();
            let said = world.asks(public(50));
            assert_eq!(said, Some(format!("{} sees 198.51.100.2", guest.port.hostname)));
            assert_eq!(lab.network.inventory().unwrap().public, [public(50)]);
            let translated = vpcs
                .each_ref()
                .map(|vpc| lab.inside(vpc, &["nft", "list", "table", "inet", "edge"]));
            let places: usize = translated
                .iter()
                .map(|text| text.matches("198.51.100.50").count())
                .sum();
            assert_eq!(places, 2, "{translated:?}");
        }
    });
}

#[test]
fn what_a_guest_says_by_an_address_ends_when_another_gets_it() {
    lab(|lab| {
        let world = World::new(lab);
        let vpcs = [Lab::vpc(1, 1), Lab::vpc(2, 1)];
        let guests = vpcs.each_ref().map(|vpc| {
            lab.network.ensure_vpc(vpc, &[]).unwrap();
            Guest::boot_static(lab, vpc, Lab::port(vpc, 0, 10))
        });
        lab.network
            .set_port(&vpcs[0], &with_public(&guests[0].port, 50))
            .unwrap();
        let ear = world.inside(|| UdpSocket::bind("0.0.0.0:4000").unwrap());
        ear.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        let mouth = guests[0].inside(|| UdpSocket::bind("0.0.0.0:4000").unwrap());
        let seen = || {
            mouth.send_to(b"hello", (WORLD, 4000)).unwrap();
            ear.recv_from(&mut [0; 16]).unwrap().1.ip()
        };
        assert_eq!((seen(), seen()), (public(50).into(), public(50).into()));
        lab.network
            .ensure_public(&vpcs[1], &with_public(&guests[1].port, 50))
            .unwrap();
        assert_eq!(seen(), public(1));
    });
}

#[test]
fn a_neighbour_that_knew_another_place_learns_at_once() {
    lab(|lab| {
        let world = World::new(lab);
        let vpc = Lab::vpc(1, 1);
        lab.network.ensure_vpc(&vpc, &[]).unwrap();
        let guest = Guest::boot_static(lab, &vpc, Lab::port(&vpc, 0, 10));
        guest.serve();
        let stale = ["lladdr", "02:00:00:00:00:99", "dev", "eth0", "nud", "reachable"];
        let words = ["ip", "neighbour", "replace", "198.51.100.50"];
        // A kernel believes no announcement within a second of what it has just been told (`locktime`).
        world.run(&[&words[..], &stale].concat());
        std::thread::sleep(Duration::from_millis(1100));
        assert!(!world.pings(public(50)));
        lab.network.ensure_public(&vpc, &with_public(&guest.port, 50)).unwrap();
        assert!(world.asks(public(50)).is_some(), "{}", world.run(&["ip", "neighbour"]));
    });
}

#[test]
fn nothing_is_lost_while_vpcs_are_made_sure_of() {
    lab(|lab| {
        let world = World::new(lab);
        let (one, other) = (Lab::vpc(1, 1), Lab::vpc(2, 1));
        let ports =
            [&one, &other].map(|vpc| with_public(&Lab::port(vpc, 0, 10), 50 + u8::try_from(vpc.index).unwrap()));
        for (vpc, port) in [&one, &other].into_iter().zip(&ports) {
            lab.network.ensure_vpc(vpc, std::slice::from_ref(port)).unwrap();
        }
        let guest = Guest::boot_static(lab, &one, ports[0].clone());
        assert!(world.pings(public(51)));
        let said = std::thread::scope(|scope| {
            let flood =
                scope.spawn(|| world.run(&["busybox", "ping", "-c", "300", "-i", "0.01", "-W", "1", "198.51.100.51"]));
            while !flood.is_finished() {
                for (vpc, port) in [&one, &other].into_iter().zip(&ports) {
                    lab.network.ensure_vpc(vpc, std::slice::from_ref(port)).unwrap();
                }
                lab.network.set_port(&other, &without_public(&ports[1])).unwrap();
            }
            flood.join().unwrap()
        });
        assert!(said.contains(" 0% packet loss"), "{said}");
        drop(guest);
    });
}

#[test]
fn nothing_is_left_of_public_addresses() {
    lab(|lab| {
        let world = World::new(lab);
        let (one, other) = (Lab::vpc(1, 1), Lab::vpc(2, 1));
        let ports = [(&one, 50), (&other, 51)].map(|(vpc, octet)| with_public(&Lab::port(vpc, 0, 10), octet));
        let whole = || {
            for (vpc, port) in [&one, &other].into_iter().zip(&ports) {
                lab.network.ensure_vpc(vpc, std::slice::from_ref(port)).unwrap();
            }
        };
        let traces = || {
            let look = "ip route; ip neighbour show proxy; nft list ruleset";
            run(&["sh", "-c", look]).matches("198.51.100.5").count()
        };
        whole();
        assert_eq!(traces(), 6);
        for _ in 0..2 {
            lab.network.remove_public(public(50)).unwrap();
            assert_eq!(
                (traces(), lab.network.inventory().unwrap().public),
                (3, vec![public(51)])
            );
        }
        assert!(!lab.inside(&one, &["nft", "list", "ruleset"]).contains("198.51.100.50"));
        whole();
        // Whatever somebody takes away comes back; what only a namespace remembers goes too.
        for way in [
            "nft flush ruleset",
            "ip neighbour del proxy 198.51.100.50 dev eth0",
            "ip route del 198.51.100.50",
        ] {
            run(&way.split(' ').collect::<Vec<_>>());
            lab.network.ensure_public(&one, &ports[0]).unwrap();
            assert_eq!(traces(), 6, "after {way}");
        }
        run(&["ip", "route", "del", "198.51.100.50"]);
        lab.network.remove_public(public(50)).unwrap();
        assert!(!lab.inside(&one, &["nft", "list", "ruleset"]).contains("198.51.100.50"));
        lab.network.remove_port(&other, &ports[1]).unwrap();
        assert_eq!(traces(), 0);
        whole();
        lab.network.remove_vpc(&one).unwrap();
        lab.network.remove_vpc(&other).unwrap();
        assert_eq!((traces(), lab.network.inventory().unwrap()), (0, Inventory::default()));
        drop(world);
    });
}
