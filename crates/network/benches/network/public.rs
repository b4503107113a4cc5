//! A port is given a public address and loses it, among ports that have none and among ports that all have one.

use std::net::Ipv4Addr;

use berth_network::{Port, PublicAddress};

use crate::fleet::{Fleet, nth};
use crate::lab::run;
use crate::{RUNS, bare, medians, row, timed};

/// The host's leg on the network of the public addresses. (198.18.0.0/15 is for benchmarks: RFC 2544.)
const LEG: &str = "floor1";

/// Where the VPC numbered 1 is in the transit network.
const TRANSIT: &str = "100.64.0.3";

pub(crate) fn measure(fleet: &Fleet<'_>) {
    run(&["ip", "link", "add", LEG, "type", "veth", "peer", "name", "floor2"]);
    run(&["ip", "address", "add", "198.18.0.1/16", "dev", LEG]);
    for end in [LEG, "floor2"] {
        run(&["ip", "link", "set", end, "up"]);
    }
    let size = fleet.size();
    attach_and_detach(fleet, &format!("{size} ports"));
    // The last goes without: it is the one that is measured.
    let others = fleet.ports.iter().enumerate();
    let ports = others.map(|(number, port)| with_public(port, (number + 1 < size).then_some(number)));
    let ports: Vec<_> = ports.collect();
    fleet.lab.network.ensure_vpc(&fleet.vpc, &ports).unwrap();
    attach_and_detach(fleet, &format!("{size} have one"));
}

fn attach_and_detach(fleet: &Fleet<'_>, among: &str) {
    let (network, vpc) = (&fleet.lab.network, &fleet.vpc);
    let port = fleet.ports.last().unwrap();
    let public = with_public(port, Some(fleet.size() - 1));
    let [attach, attach_floor, detach, detach_floor] = medians(RUNS, || {
        let attach = timed(|| network.set_port(vpc, &public).unwrap());
        let detach = timed(|| network.set_port(vpc, port).unwrap());
        let attach_floor = timed(|| lead(fleet, "replace", "add"));
        [attach, attach_floor, detach, timed(|| lead(fleet, "del", "delete"))]
    });
    let floor = "ip route, ip neighbour, nft -f -";
    row(&format!("public IP attached, {among}"), attach, attach_floor, floor);
    row(&format!("public IP detached, {among}"), detach, detach_floor, floor);
}

fn with_public(port: &Port, number: Option<usize>) -> Port {
    let public = |number| PublicAddress {
        address: nth(Ipv4Addr::new(198, 18, 1, 0), u16::try_from(number).unwrap()),
        interface: Some(LEG.to_owned()),
    };
    Port {
        public: number.map(public),
        ..port.clone()
    }
}

/// Leads an address to a guest, or takes it back: a route, an answer to neighbours, and the translation.
fn lead(fleet: &Fleet<'_>, ip: &str, nft: &str) {
    let (public, own, prefix) = ("198.18.255.9", "10.0.15.9", &fleet.lab.prefix);
    bare::ip(&[
        format!("route {ip} {public}/32 via {TRANSIT} dev {prefix}-ext"),
        format!("neighbour {ip} proxy {public} dev {LEG}"),
    ]);
    let translation = [
        format!("{nft} element inet edge public_in {{ {public} : {own} }}"),
        format!("{nft} element inet edge public_out {{ {own} : {public} }}"),
        format!("{nft} element inet edge public {{ {own} }}"),
    ];
    bare::inside(&fleet.namespace, || bare::nft(&translation));
}
