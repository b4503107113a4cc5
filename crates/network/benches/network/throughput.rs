//! TCP between two guests, next to the same namespaces and links without any rules.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::guest::Guest;
use crate::lab::{Lab, run, try_run};
use crate::{medians, print_row};

const RUNS: usize = 5;

/// Seconds of one measurement, after one that isn't counted.
const SECONDS: &str = "2";

pub(crate) fn measure(lab: &Lab) {
    let vpc = Lab::vpc(1, 2);
    lab.network.ensure_vpc(&vpc, &[]).unwrap();
    let places = [(0, 10), (0, 11), (1, 10)];
    let guests = places.map(|(subnet, octet)| Guest::boot_static(lab, &vpc, Lab::port(&vpc, subnet, octet)));
    let names = guests
        .each_ref()
        .map(|guest| format!("guest-{}", lab.network.tap_name(guest.port.id)));
    let router = Bare::new(&lab.prefix);
    for (what, to, address, floor) in [
        ("TCP on one subnet", 1, "10.0.0.11", "bare bridge"),
        ("TCP across subnets", 2, "10.0.1.10", "bare router"),
    ] {
        let [berth, floor_rate] = medians(RUNS, || {
            [&names, &router.guests].map(|guests| rate(&guests[0], &guests[to], address))
        });
        let shown = |rate: f64| format!("{:.0} Mbit/s", rate / 1e6);
        print_row(what, &shown(berth), &shown(floor_rate), berth / floor_rate, floor);
    }
}

/// Bits per second from one namespace to another.
fn rate(from: &str, to: &str, address: &str) -> f64 {
    let _server = Server::start(to);
    let client = ["iperf3", "-J", "-O", "1", "-t", SECONDS, "-c", address];
    let text = run(&[&["ip", "netns", "exec", from], &client[..]].concat());
    let said: Value = serde_json::from_str(&text).unwrap();
    said["end"]["sum_received"]["bits_per_second"].as_f64().expect("a rate")
}

struct Server(Child);

impl Server {
    fn start(namespace: &str) -> Self {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", namespace, "iperf3", "-s", "-1"]);
        let server = Self(command.stdout(Stdio::null()).spawn().unwrap());
        let listening = ["ip", "netns", "exec", namespace, "ss", "-Hltn", "sport = :5201"];
        while run(&listening).is_empty() {
            std::thread::sleep(Duration::from_millis(10));
        }
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It ends by itself after its one client; where there was none, it is ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A router with two bridges and three guests as a VPC has them, and nothing else.
struct Bare {
    router: String,
    guests: [String; 3],
}

impl Bare {
    fn new(prefix: &str) -> Self {
        let bare = Self {
            router: format!("bare-{prefix}"),
            guests: [0, 1, 2].map(|number| format!("bare-{prefix}-{number}")),
        };
        let router = &bare.router;
        run(&["ip", "netns", "add", router]);
        bare.sysctl("net/ipv4/ip_forward", "1");
        // Frames that a bridge carries come by no rules, where the kernel has that at all.
        bare.sysctl("net/bridge/bridge-nf-call-iptables", "0");
        for subnet in ["0", "1"] {
            let (bridge, gateway) = (format!("br{subnet}"), format!("10.0.{subnet}.1/24"));
            let words = ["type", "bridge", "stp_state", "0", "mcast_snooping", "0"];
            run(&[&["ip", "-n", router, "link", "add", &bridge], &words[..]].concat());
            run(&["ip", "-n", router, "address", "add", &gateway, "dev", &bridge]);
            run(&["ip", "-n", router, "link", "set", &bridge, "mtu", "1450", "up"]);
        }
        for (guest, (subnet, octet)) in bare.guests.iter().zip([(0, 10), (0, 11), (1, 10)]) {
            bare.boot(guest, subnet, octet);
        }
        bare
    }

    fn sysctl(&self, name: &str, value: &str) {
        let write = format!("[ ! -e /proc/sys/{name} ] || echo {value} >/proc/sys/{name}");
        run(&["ip", "netns", "exec", &self.router, "sh", "-c", &write]);
    }

    fn boot(&self, guest: &str, subnet: u8, octet: u8) {
        let (router, tap) = (&self.router, format!("tap{subnet}-{octet}"));
        let (address, gateway) = (format!("10.0.{subnet}.{octet}/24"), format!("10.0.{subnet}.1"));
        run(&["ip", "netns", "add", guest]);
        let pair = ["type", "veth", "peer", "name", "eth0", "netns", guest];
        run(&[&["ip", "-n", router, "link", "add", &tap], &pair[..]].concat());
        let bridge = format!("br{subnet}");
        run(&[
            "ip", "-n", router, "link", "set", &tap, "mtu", "1450", "master", &bridge, "up",
        ]);
        run(&["ip", "-n", guest, "link", "set", "eth0", "mtu", "1450", "up"]);
        run(&["ip", "-n", guest, "address", "add", &address, "dev", "eth0"]);
        run(&["ip", "-n", guest, "route", "add", "default", "via", &gateway]);
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        for namespace in self.guests.iter().chain([&self.router]) {
            try_run(&["ip", "netns", "del", namespace]);
        }
    }
}
