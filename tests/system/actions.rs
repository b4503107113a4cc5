//! One test an action: the documented states in their order, and the guest doing what they say.

use std::process::Stdio;

use berth_testkit::{Daemon, Guest, Host, Key, Libvirt};

use crate::watch::{Watch, assert_passed};

const CREATE: [&str; 7] = [
    "Building",
    "Scheduling",
    "Block_device_mapping",
    "Networking",
    "Spawning",
    "Starting",
    "Active",
];

/// An instance called `web`, Active; its id.
fn web(daemon: &Daemon<'_>) -> String {
    daemon.create("web")
}

#[test]
fn create_passes_its_six_states_and_ends_with_a_guest_that_runs() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    let mut watch = Watch::all(&daemon);

    let operation = daemon.begin_create("web");
    let operation = daemon.json(["operation", "show", &operation]);
    let id = operation["resource"].as_str().unwrap();
    assert_passed(&watch.until(id, "Active"), &CREATE);

    let shown = daemon.json(["instance", "show", "web"]);
    for field in [
        "id",
        "name",
        "state",
        "billed",
        "type",
        "image",
        "key",
        "addresses",
        "created_at",
        "fault",
    ] {
        assert!(shown.get(field).is_some(), "instance show has no {field}");
    }
    assert_eq!(
        (&shown["state"], &shown["billed"], &shown["type"]),
        (&"Active".into(), &true.into(), &"t1.nano".into())
    );
    assert_eq!(daemon.host().virsh(["domuuid", &format!("berth-{id}")]), id);
    assert!(
        daemon
            .host()
            .virsh(["dumpxml", id])
            .contains("https://berth.dev/xmlns/domain/1"),
        "no identity"
    );
    Guest::of(&daemon, "web").wait_for_boot(1);
}

#[test]
fn create_of_several_numbers_them_and_each_has_an_address_of_its_own() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    daemon.ok([
        "instance", "create", "web", "--image", "tiny", "--type", "t1.nano", "--count", "3",
    ]);
    let listed = daemon.json(["instance", "list"]);
    let field = |key: &str| {
        listed
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one[key].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(field("name"), ["web-1", "web-2", "web-3"]);
    assert_eq!(field("state"), ["Active", "Active", "Active"]);
    let addresses = field("addresses")
        .iter()
        .map(|one| one[0]["address"].to_string())
        .collect::<Vec<_>>();
    assert_eq!(addresses, ["\"10.0.0.2\"", "\"10.0.0.3\"", "\"10.0.0.4\""]);
}

#[test]
fn stop_asks_the_guest_and_start_brings_it_back() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    let id = web(&daemon);
    let guest = Guest::of(&daemon, "web");
    guest.wait_for_boot(1);
    let mut watch = Watch::all(&daemon);
    watch.until(&id, "Active");

    daemon.ok(["instance", "stop", "web"]);
    assert_passed(&watch.until(&id, "Stopped"), &["Powering-off", "Stopped"]);
    assert!(
        guest.console().contains("TINY-SHUTDOWN"),
        "the guest was not shut down by its power button"
    );

    daemon.ok(["instance", "start", "web"]);
    assert_passed(&watch.until(&id, "Active"), &["Powering-on", "Active"]);
    guest.wait_for_boot(2);
}

#[test]
fn stop_by_force_pulls_the_plug() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    let id = web(&daemon);
    Guest::of(&daemon, "web").wait_for_boot(1);
    daemon.ok(["instance", "stop", "web", "--force"]);
    assert_eq!(daemon.state("web"), "Stopped");
    assert_eq!(
        daemon.host().virsh(["domstate", "--reason", &id]),
        "shut off (destroyed)"
    );
    assert!(
        !Guest::of(&daemon, "web").console().contains("TINY-SHUTDOWN"),
        "the guest was asked"
    );
}

#[test]
fn stop_pulls_the_plug_of_a_guest_that_does_not_listen() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    let id = web(&daemon);
    // Held virtual CPUs are a guest that listens to nothing.
    daemon.host().virsh(["suspend", &id]);
    daemon.ok(["instance", "stop", "web", "--timeout", "2"]);
    assert_eq!(daemon.state("web"), "Stopped");
    assert_eq!(daemon.host().virsh(["domstate", &id]), "shut off");
}

#[test]
fn soft_reboot_is_done_by_the_guest() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    let id = web(&daemon);
    let guest = Guest::of(&daemon, "web");
    guest.wait_for_boot(1);
    let mut watch = Watch::all(&daemon);
    watch.until(&id, "Active");

    daemon.ok(["instance", "reboot", "web"]);
    assert_passed(&watch.until(&id, "Active"), &["Rebooting", "Reboot_started", "Active"]);
    guest.wait_for_boot(2);
    assert!(
        guest.console().contains("TINY-SHUTDOWN"),
        "the guest was reset rather than asked"
    );
}

#[test]
fn hard_reboot_resets_a_guest_and_brings_a_stopped_one_up() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    let id = web(&daemon);
    let guest = Guest::of(&daemon, "web");
    guest.wait_for_boot(1);
    let mut watch = Watch::all(&daemon);
    watch.until(&id, "Active");

    daemon.ok(["instance", "reboot", "web", "--hard"]);
    assert_passed(
        &watch.until(&id, "Active"),
        &["Rebooting_hard", "Rebooting_started_hard", "Active"],
    );
    guest.wait_for_boot(2);

    daemon.ok(["instance", "stop", "web", "--force"]);
    daemon.ok(["instance", "reboot", "web", "--hard"]);
    assert_eq!(daemon.state("web"), "Active");
}

#[test]
fn delete_leaves_nothing() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    // The default VPC stays: it is the project's, not the instance's.
    web(&daemon);
    daemon.ok(["instance", "delete", "web"]);
    let before = daemon.inventory();

    let id = web(&daemon);
    assert_ne!(daemon.inventory(), before);
    let mut watch = Watch::all(&daemon);
    watch.until(&id, "Active");
    daemon.ok(["instance", "terminate", "web"]);
    assert_passed(&watch.until(&id, "Deleting"), &["Deleting"]);
    watch.until_kind(&id, "instance.deleted");

    let (problem, exit) = daemon.refuses(["instance", "show", "web"]);
    assert_eq!((problem["code"].as_str(), exit), (Some("not_found"), 3));
    assert_eq!(daemon.inventory(), before);
}

#[test]
fn delete_cancels_what_is_in_flight() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    let id = web(&daemon);
    daemon.host().virsh(["suspend", &id]);
    daemon.host().virsh(["resume", &id]);
    // The guest has not booted far enough to hear its power button, so this stop waits.
    let stop = daemon.ok(["instance", "stop", "web", "--timeout", "600", "--no-wait"]);
    daemon.ok(["instance", "delete", "web"]);
    let stop = daemon.json(["operation", "show", stop.trim()]);
    assert_eq!(stop["outcome"], "cancelled");
    assert_eq!(daemon.host().virsh(["list", "--all", "--name"]), "");
}

#[test]
fn what_the_table_does_not_allow_is_refused_with_what_it_does() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    web(&daemon);
    let (problem, exit) = daemon.refuses(["instance", "start", "web"]);
    assert_eq!(
        (problem["code"].as_str(), problem["status"].as_u64(), exit),
        (Some("action_not_allowed"), Some(409), 4)
    );
    assert_eq!(problem["state"], "Active");
    let allowed = ["stop", "soft_reboot", "hard_reboot", "shelve", "resize", "delete"];
    assert_eq!(problem["allowed_actions"], serde_json::json!(allowed));
}

#[test]
fn ssh_reaches_the_guest_with_its_hostname_key_and_user_data() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    let key = Key::create(&daemon, "laptop");
    let script = host.dir().join("user-data");
    std::fs::write(&script, "#!/bin/sh\necho made by user data > /root/proof\n").unwrap();
    daemon.ok([
        "instance",
        "create",
        "web",
        "--image",
        "tiny",
        "--type",
        "t1.nano",
        "--key",
        &key.name,
        "--user-data",
        script.to_str().unwrap(),
    ]);
    let guest = Guest::of(&daemon, "web");
    assert_eq!(guest.ssh(&key, "hostname").trim(), "web");
    assert_eq!(guest.ssh(&key, "cat /root/proof").trim(), "made by user data");
    let address = daemon.json(["instance", "show", "web"])["addresses"][0]["address"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        guest.ssh(&key, "ifconfig eth0").contains(&address),
        "DHCP gave another address than the API shows"
    );

    let other = Key::create(&daemon, "stranger");
    assert!(
        !guest.try_ssh(&other, "true").status.success(),
        "a key that was not asked for was let in"
    );
    let stdin = daemon
        .berth(["instance", "ssh", "web"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(!stdin.status.success(), "no key at all was let in");
}
