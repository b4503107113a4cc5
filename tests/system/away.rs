//! libvirtd killed, restarted or hung in the middle of things: reads go on, nothing is lost, all converges.

use std::time::{Duration, Instant};

use berth_testkit::{Daemon, Guest, Host, Libvirt};

use crate::crash::rests;

/// Waits until the daemon says of libvirt what is wanted.
pub(crate) fn wait_for_link(daemon: &Daemon<'_>, up: bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while daemon.json(["host", "show"])["libvirt"]["up"] != up {
        assert!(Instant::now() < deadline, "libvirt should be {up} by now");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn an_operation_waits_for_a_libvirt_that_was_killed() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    for name in ["first", "second", "third"] {
        let operation = daemon.begin_create(name);
        // At another moment of it each time.
        std::thread::sleep(Duration::from_millis(u64::from(name.as_bytes()[0]) % 7 * 60));
        host.signal_libvirtd("-KILL");
        wait_for_link(&daemon, false);
        let shown = daemon.json(["instance", "show", name]);
        assert!(shown["state"].is_string(), "reads don't go on: {shown}");
        std::thread::sleep(Duration::from_secs(1));
        host.start_libvirt();
        daemon.ok(["operation", "wait", &operation]);
        assert_eq!(rests(&daemon, name).as_deref(), Some("Active"), "{}", daemon.log());
        let id = shown["id"].as_str().unwrap();
        assert_eq!(host.virsh(["domstate", id]), "running");
    }
    Guest::of(&daemon, "third").wait_for_boot(1);
}

#[test]
fn while_libvirt_is_away_reads_say_how_old_they_are_and_writes_are_refused() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    daemon.create("web");
    host.signal_libvirtd("-KILL");
    wait_for_link(&daemon, false);
    let as_of = || daemon.json(["instance", "show", "web"])["as_of"].clone();
    let first = as_of();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(as_of(), first, "it says to be fresh while nobody is asked");
    assert_eq!(daemon.state("web"), "Active");
    let (problem, exit) = daemon.refuses(["instance", "stop", "web"]);
    assert_eq!(
        (problem["status"].as_u64(), problem["code"].as_str(), exit),
        (Some(503), Some("hypervisor_unavailable"), 5)
    );
    assert_eq!(
        daemon.json(["operation", "list"]).as_array().unwrap().len(),
        1,
        "something was written down"
    );

    // What happens meanwhile is seen when it is back.
    host.run("pkill", ["-KILL", "-f", "qemu-system"]);
    host.start_libvirt();
    let deadline = Instant::now() + Duration::from_secs(30);
    while daemon.state("web") == "Active" {
        assert!(
            Instant::now() < deadline,
            "QEMU is gone and nobody noticed: {}",
            daemon.log()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    daemon.ok(["instance", "reboot", "web", "--hard"]);
    assert!(as_of() != first);
}

#[test]
fn an_operation_outlives_a_libvirt_that_hangs() {
    let host = Host::new(Libvirt::Started);
    let options = berth_testkit::Options {
        config: "call_deadline = 3".to_owned(),
        tiny: true,
        ..berth_testkit::Options::default()
    };
    let daemon = Daemon::start_with(&host, options);
    daemon.create("web");
    let operation = daemon.begin_create("other");
    std::thread::sleep(Duration::from_millis(150));
    host.signal_libvirtd("-STOP");
    let begun = Instant::now();
    assert_eq!(daemon.state("web"), "Active");
    assert!(begun.elapsed() < Duration::from_secs(2), "a read waited for libvirt");
    // Longer than the keepalive takes to end the connection.
    std::thread::sleep(Duration::from_secs(15));
    host.signal_libvirtd("-CONT");
    daemon.ok(["operation", "wait", &operation]);
    assert_eq!(rests(&daemon, "other").as_deref(), Some("Active"), "{}", daemon.log());
    daemon.ok(["instance", "delete", "web", "other"]);
    assert_eq!(host.virsh(["list", "--all", "--name"]), "");
}
