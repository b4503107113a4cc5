//! What crosses the edge of a VPC, and what doesn't.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::time::Duration;

use crate::guest::Guest;
use crate::lab::{Lab, lab, lab_of, run, try_run};

/// A namespace that plays the world: the host has a leg in it, and it knows no way back to a VPC.
pub(crate) struct World(pub(crate) String);

impl World {
    pub(crate) fn new(lab: &Lab) -> Self {
        let world = Self(format!("world-{}", lab.prefix));
        run(&["ip", "netns", "add", &world.0]);
        run(&[
            "ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", &world.0,
        ]);
        run(&["ip", "address", "add", "198.51.100.1/24", "dev", "eth0"]);
        run(&["ip", "link", "set", "eth0", "up"]);
        run(&["ip", "-n", &world.0, "address", "add", "198.51.100.2/24", "dev", "eth0"]);
        // Stands for the metadata service of the cloud that the host is rented from.
        run(&[
            "ip",
            "-n",
            &world.0,
            "address",
            "add",
            "169.254.169.254/32",
            "dev",
            "eth0",
        ]);
        run(&["ip", "-n", &world.0, "link", "set", "eth0", "up"]);
        run(&["ip", "route", "add", "169.254.169.254/32", "dev", "eth0"]);
        world
    }
}

impl Drop for World {
    fn drop(&mut self) {
        try_run(&["ip", "netns", "del", &self.0]);
    }
}

#[test]
fn guests_reach_the_outside_and_the_outside_not_them() {
    lab(|lab| {
        let world = World::new(lab);
        let vpc = Lab::vpc(1, 1);
        lab.network.ensure_vpc(&vpc, &[]).unwrap();
        let guest = Guest::boot_static(lab, &vpc, Lab::port(&vpc, 0, 10));
        assert!(guest.pings("198.51.100.2"), "no way out");
        run(&["busybox", "ping", "-c", "1", "-W", "1", "169.254.169.254"]);
        assert!(
            !guest.pings("169.254.169.254"),
            "a guest reached the link-local address of the host's own network"
        );

        run(&["ip", "-n", &world.0, "route", "add", "default", "via", "198.51.100.1"]);
        run(&["ip", "route", "add", "10.0.0.0/24", "via", "100.64.0.3"]);
        for target in ["100.64.0.3", "10.0.0.10"] {
            let ping = [
                "ip", "netns", "exec", &world.0, "busybox", "ping", "-c", "1", "-W", "1", target,
            ];
            assert!(!try_run(&ping).status.success(), "the outside reached {target}");
        }
    });
}

#[test]
fn without_nat_nothing_leaves_and_the_host_is_left_alone() {
    lab_of(false, |lab| {
        let _world = World::new(lab);
        let vpc = Lab::vpc(1, 1);
        // A new namespace takes the value that the machine has at that moment.
        std::fs::write("/proc/sys/net/ipv4/ip_forward", "0").unwrap();
        lab.network.ensure_vpc(&vpc, &[]).unwrap();
        assert_eq!(
            std::fs::read_to_string("/proc/sys/net/ipv4/ip_forward").unwrap().trim(),
            "0"
        );
        std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
        let guest = Guest::boot_static(lab, &vpc, Lab::port(&vpc, 0, 10));
        assert!(guest.pings("10.0.0.1") && !guest.pings("198.51.100.2"));
    });
}

#[test]
fn a_subnet_without_nat_reaches_its_neighbours_only() {
    lab(|lab| {
        let _world = World::new(lab);
        let mut vpc = Lab::vpc(1, 2);
        vpc.subnets[1].nat = false;
        lab.network.ensure_vpc(&vpc, &[]).unwrap();
        let [out, shut] = [0, 1].map(|subnet| Guest::boot_static(lab, &vpc, Lab::port(&vpc, subnet, 10)));
        assert!(out.pings("198.51.100.2") && !shut.pings("198.51.100.2") && !shut.pings("100.64.0.1"));
        assert!(out.pings("10.0.1.10") && shut.pings("10.0.0.10"));
        // Taken from those who have it, it is taken at once.
        let ports = [&out, &shut].map(|guest| guest.port.clone());
        let tracked = || {
            lab.inside(&vpc, &["conntrack", "-L", "-d", "198.51.100.2"])
                .contains("10.0.0.10")
        };
        assert!(tracked());
        let mut changed = vpc.clone();
        changed.subnets[0].nat = false;
        lab.network.ensure_vpc(&changed, &ports).unwrap();
        assert!(!tracked() && !out.pings("198.51.100.2"));
    });
}

#[test]
fn a_guest_reaches_neither_the_hosts_services_nor_another_vpc() {
    lab(|lab| {
        let _world = World::new(lab);
        let (one, other) = (Lab::vpc(1, 1), Lab::vpc(2, 1));
        lab.network.ensure_vpc(&one, &[]).unwrap();
        lab.network.ensure_vpc(&other, &[]).unwrap();
        let guest = Guest::boot_static(lab, &one, Lab::port(&one, 0, 10));
        let service = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 4000)).unwrap();
        let port = service.local_addr().unwrap().port().to_string();
        for host in ["100.64.0.1", "198.51.100.1"] {
            assert!(guest.pings(host), "{host} answers pings");
            assert!(
                !guest.can(&["busybox", "nc", "-w", "1", "-z", host, &port]),
                "the host's service answered on {host}"
            );
        }
        // The other VPC's transit address: neither over the bridge, nor by way of the host's router, even if its own
        // rules let one in, and even if the host doesn't show bridged frames to its own.
        let _ = std::fs::write("/proc/sys/net/bridge/bridge-nf-call-iptables", "0");
        lab.inside(&other, &["nft", "add", "rule", "inet", "vpc", "input", "accept"]);
        assert!(!guest.pings("100.64.0.4"), "another VPC answered");
        for (here, there) in [(&one, "100.64.0.4"), (&other, "100.64.0.3")] {
            lab.inside(here, &["ip", "route", "add", there, "via", "100.64.0.1"]);
        }
        assert!(!guest.pings("100.64.0.4"), "another VPC answered through the host");
    });
}

#[test]
fn the_same_addresses_in_two_vpcs() {
    lab(|lab| {
        let vpcs = [Lab::vpc(1, 2), Lab::vpc(2, 2)];
        let guests = vpcs.each_ref().map(|vpc| {
            lab.network.ensure_vpc(vpc, &[]).unwrap();
            [(0, 10), (0, 11), (1, 10)].map(|(subnet, octet)| {
                let guest = Guest::boot_static(lab, vpc, Lab::port(vpc, subnet, octet));
                assert!(guest.pings(&format!("10.0.{subnet}.1")), "the gateway does not answer");
                guest
            })
        });
        for (vpc, [one, other, far]) in vpcs.iter().zip(&guests) {
            assert!(one.pings("10.0.0.11") && other.pings("10.0.1.10") && far.pings("10.0.0.10"));
            let listener = one.inside(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, 22)).unwrap());
            let address = SocketAddrV4::new(one.port.address, 22);
            let mut near = lab.network.connect(vpc, address, Duration::from_secs(2)).unwrap();
            let (mut guest, from) = listener.accept().unwrap();
            assert_eq!(from.ip(), Ipv4Addr::new(10, 0, 0, 1));
            guest.write_all(format!("VPC {}", vpc.index).as_bytes()).unwrap();
            drop(guest);
            let mut said = String::new();
            near.read_to_string(&mut said).unwrap();
            assert_eq!(said, format!("VPC {}", vpc.index));
        }
    });
}

#[test]
fn connections_go_to_guests_only() {
    lab(|lab| {
        let vpc = Lab::vpc(1, 1);
        lab.network.ensure_vpc(&vpc, &[]).unwrap();
        let guest = Guest::boot_static(lab, &vpc, Lab::port(&vpc, 0, 10));
        let code = |address: &str, port: u16| {
            let address = SocketAddrV4::new(address.parse().unwrap(), port);
            lab.network
                .connect(&vpc, address, Duration::from_millis(300))
                .unwrap_err()
                .code()
                .as_str()
        };
        for address in ["10.0.0.1", "127.0.0.1", "100.64.0.1", "198.51.100.2"] {
            assert_eq!(code(address, 53), "invalid_argument", "{address}");
        }
        assert_eq!(
            code("10.0.0.10", 22),
            "network_error",
            "refused by {}",
            guest.port.hostname
        );
        assert_eq!(code("10.0.0.99", 22), "deadline_exceeded");
    });
}
