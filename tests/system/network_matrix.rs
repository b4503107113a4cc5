//! The daemon dies in the middle of whatever it does to a network, and finds its way back.

use std::time::{Duration, Instant};

use berth_testkit::{Daemon, Host, Libvirt};

use crate::outside;
use crate::port::SMALL;

/// Runs a command that the daemon dies of at that place, and has it start again.
fn dies(daemon: &mut Daemon<'_>, place: &str, command: &[&str]) {
    daemon.faults(&[&format!("{place} die")]);
    let output = daemon.berth([]).args(command).output().unwrap();
    assert!(!output.status.success(), "{place}: {command:?} was answered");
    daemon.wait_until_it_dies();
    daemon.faults(&[]);
    daemon.start_again();
}

/// Waits until nothing is to be put right.
fn settles(daemon: &Daemon<'_>, place: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let found = daemon.json(["host", "check"]);
        if found["findings"].as_array().is_some_and(Vec::is_empty) {
            return;
        }
        assert!(Instant::now() < deadline, "{place}: {found}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Waits until a port is in that state.
fn becomes(daemon: &Daemon<'_>, place: &str, state: &str) {
    let deadline = Instant::now() + Duration::from_secs(45);
    loop {
        let port = daemon.json(["port", "show", "second"]);
        if port["state"] == state {
            return;
        }
        assert!(Instant::now() < deadline, "{place}: {port}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// How many NICs QEMU has.
fn nics(host: &Host, domain: &str) -> usize {
    let listed = host.virsh(["domiflist", domain]);
    listed.lines().filter(|line| line.contains("52:54:00")).count()
}

#[test]
fn a_port_arrives_and_leaves_whenever_the_daemon_dies() {
    let host = Host::new(Libvirt::Started);
    let mut daemon = Daemon::start(&host);
    daemon.ok(["port", "create", "--subnet", "default", "--name", "second"]);
    let [flag, kind] = SMALL;
    daemon.ok(["instance", "create", "web", "--image", "tiny", flag, kind]);
    let domain = daemon.id("web");
    let before = daemon.inventory();
    // What the guest has to do with it takes a guest that runs.
    berth_testkit::Guest::of(&daemon, "web").wait_for_boot(1);
    for place in ["begun", "connected", "plugged", "defined"] {
        dies(
            &mut daemon,
            &format!("port.attach {place}"),
            &["port", "attach", "second", "web"],
        );
        becomes(&daemon, place, "In-use");
        assert_eq!(nics(&host, &domain), 2, "{place}");
        settles(&daemon, place);
        daemon.ok(["port", "detach", "second"]);
    }
    for place in ["begun", "unplugged", "undefined", "forgotten"] {
        daemon.ok(["port", "attach", "second", "web"]);
        dies(
            &mut daemon,
            &format!("port.detach {place}"),
            &["port", "detach", "second"],
        );
        becomes(&daemon, place, "Available");
        assert_eq!(nics(&host, &domain), 1, "{place}");
        settles(&daemon, place);
    }
    assert_eq!(daemon.inventory(), before);
    println!("ports: 8 cases");
}

#[test]
fn what_was_written_down_is_in_force_after_the_daemon_died() {
    let host = Host::new(Libvirt::Started);
    let mut daemon = outside::daemon(&host, "");
    daemon.ok(["public-ip", "allocate", "--address", "203.0.113.11"]);
    daemon.ok(["instance", "create", "web", "--image", "tiny", "--type", "t1.nano"]);
    let port = daemon.json(["instance", "show", "web"])["addresses"][0]["port"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut cases = 0;
    for place in ["network.apply before", "network.apply after"] {
        let tcp = if place.ends_with("before") { "7001" } else { "7002" };
        let subnet = if place.ends_with("before") {
            "10.31.0.0/24"
        } else {
            "10.32.0.0/24"
        };
        let name = format!("s{tcp}");
        let pair = if place.ends_with("before") {
            "10.0.0.200"
        } else {
            "10.0.0.201"
        };
        let commands: [(&[&str], &str, bool); 6] = [
            (&["security-group", "rule", "add", "default", "--port", tcp], tcp, true),
            (&["subnet", "create", &name, "--cidr", subnet], &subnet[..5], true),
            (&["port", "set", &port, "--address-pair", pair], pair, true),
            (&["public-ip", "attach", "203.0.113.11", "web"], "203.0.113.11", true),
            (&["public-ip", "detach", "203.0.113.11"], "203.0.113.11", false),
            (&["port", "set", &port, "--no-address-pairs"], pair, false),
        ];
        for (command, shown, there) in commands {
            dies(&mut daemon, place, command);
            let deadline = Instant::now() + Duration::from_secs(20);
            while kernel(&host).contains(shown) != there {
                assert!(Instant::now() < deadline, "{place}: {command:?}: {}", kernel(&host));
                std::thread::sleep(Duration::from_millis(200));
            }
            settles(&daemon, place);
            cases += 1;
        }
    }
    println!("networks: {cases} cases");
}

/// What the kernel has: the rules and addresses of the one VPC, and the host's routes.
fn kernel(host: &Host) -> String {
    let namespaces = host.run("ip", ["netns", "list"]);
    let vpc = namespaces.lines().find(|line| line.starts_with("berth-")).unwrap();
    let vpc = vpc.split_whitespace().next().unwrap();
    let look = "nft list ruleset; ip address";
    host.run("ip", ["netns", "exec", vpc, "sh", "-c", look]) + &host.run("ip", ["route"])
}
