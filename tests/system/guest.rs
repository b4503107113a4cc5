//! What guests do by themselves, and what becomes of it.

use std::time::{Duration, Instant};

use berth_testkit::{Daemon, Guest, Host, Key, Libvirt};

use crate::watch::Watch;

/// Waits until an instance is in that state by itself.
pub(crate) fn becomes(daemon: &Daemon<'_>, name: &str, state: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while daemon.state(name) != state {
        assert!(
            Instant::now() < deadline,
            "{name} is {} and not {state}",
            daemon.state(name)
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_guest_that_switches_itself_off_is_stopped_and_one_that_reboots_is_not() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    let key = Key::create(&daemon, "laptop");
    daemon.ok([
        "instance", "create", "web", "--image", "tiny", "--type", "t1.nano", "--key", &key.name,
    ]);
    let id = daemon.id("web");
    let guest = Guest::of(&daemon, "web");
    let mut watch = Watch::all(&daemon);
    watch.until(&id, "Active");

    // Once ssh has gone: a guest that goes down first would leave it waiting for ever.
    guest.ssh(&key, "(sleep 1; reboot) >/dev/null 2>&1 &");
    watch.until_kind(&id, "guest.rebooted");
    assert_eq!(daemon.state("web"), "Active");
    guest.wait_for_boot(2);

    guest.ssh(&key, "(sleep 1; poweroff) >/dev/null 2>&1 &");
    let event = watch.until_kind(&id, "guest.stopped");
    assert_eq!(event["message"], "the guest shut itself down");
    becomes(&daemon, "web", "Stopped");
    daemon.ok(["instance", "start", "web"]);
    guest.wait_for_boot(3);
}

#[test]
fn what_virsh_does_behind_our_back_is_adopted() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    let id = daemon.create("web");
    host.virsh(["suspend", &id]);
    let mut watch = Watch::all(&daemon);
    watch.until_kind(&id, "guest.paused");
    assert_eq!(daemon.json(["instance", "show", "web"])["degraded"], "paused");
    host.virsh(["resume", &id]);
    watch.until_kind(&id, "guest.resumed");
    host.virsh(["destroy", &id]);
    becomes(&daemon, "web", "Stopped");
    host.virsh(["undefine", &id]);
    becomes(&daemon, "web", "Error");
    daemon.ok(["instance", "reboot", "web", "--hard"]);
    assert_eq!(daemon.state("web"), "Active");
    assert_eq!(
        daemon.json(["instance", "show", "web"])["fault"],
        serde_json::Value::Null
    );
}

#[test]
fn guests_of_one_subnet_reach_each_other_and_their_gateway() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    let key = Key::create(&daemon, "laptop");
    daemon.ok([
        "instance", "create", "web", "--image", "tiny", "--type", "t1.nano", "--count", "2", "--key", &key.name,
    ]);
    let first = Guest::of(&daemon, "web-1");
    first.ssh(&key, "ping -c 1 -W 5 10.0.0.1");
    Guest::of(&daemon, "web-2").ssh(&key, "true");
    first.ssh(&key, "ping -c 1 -W 5 10.0.0.3");
}
