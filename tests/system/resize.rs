//! Resize: onto another type and back, with what the guest wrote still there.

use berth_testkit::{Daemon, Guest, Host, Key, Libvirt};

use crate::watch::{Watch, assert_passed};

/// An instance called `web` of the smallest type that has booted; its id.
fn booted(daemon: &Daemon<'_>, key: &Key) -> String {
    daemon.ok([
        "instance", "create", "web", "--image", "tiny", "--type", "t1.nano", "--key", &key.name,
    ]);
    Guest::of(daemon, "web").ssh(key, "echo kept > /root/proof; sync");
    let shown = daemon.json(["instance", "show", "web"]);
    shown["id"].as_str().unwrap().to_owned()
}

/// What libvirt gives the domain: memory in MiB.
fn memory(daemon: &Daemon<'_>, id: &str) -> u64 {
    let xml = daemon.host().virsh(["dumpxml", id]);
    let kib = xml
        .split_once("<memory unit='KiB'>")
        .unwrap()
        .1
        .split_once('<')
        .unwrap()
        .0;
    kib.parse::<u64>().unwrap() >> 10
}

#[test]
fn resize_passes_its_four_states_and_waits_to_be_confirmed() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    let key = Key::create(&daemon, "laptop");
    let id = booted(&daemon, &key);
    let mut watch = Watch::all(&daemon);
    watch.until(&id, "Active");

    daemon.ok(["instance", "resize", "web", "--type", "t1.micro"]);
    let states = [
        "Resize_prep",
        "Resize_migrating",
        "Resize_migrated",
        "Resize_finished",
        "Resized",
    ];
    assert_passed(&watch.until(&id, "Resized"), &states);
    let shown = daemon.json(["instance", "show", "web"]);
    assert_eq!(
        (&shown["type"], &shown["resized_from"]),
        (&"t1.micro".into(), &"t1.nano".into())
    );
    assert_eq!(memory(&daemon, &id), 512);
    let guest = Guest::of(&daemon, "web");
    assert_eq!(guest.ssh(&key, "cat /root/proof").trim(), "kept");
    let sectors = guest.ssh(&key, "cat /sys/block/vda/size");
    assert_eq!(
        sectors.trim(),
        (5 * (1 << 21)).to_string(),
        "the root volume did not grow with the type"
    );

    daemon.ok(["instance", "resize-confirm", "web"]);
    assert_passed(&watch.until(&id, "Active"), &["Resize_confirm", "Active"]);
    let shown = daemon.json(["instance", "show", "web"]);
    assert_eq!((&shown["type"], shown.get("resized_from")), (&"t1.micro".into(), None));

    let (problem, exit) = daemon.refuses(["instance", "resize", "web", "--type", "t1.nano"]);
    assert_eq!((problem["code"].as_str(), exit), (Some("invalid_argument"), 2));
    assert!(
        problem["detail"].as_str().unwrap().contains("never shrinks"),
        "{problem}"
    );
    let (problem, _) = daemon.refuses(["instance", "resize", "web", "--type", "t1.micro"]);
    assert!(problem["detail"].as_str().unwrap().contains("already"), "{problem}");
}

#[test]
fn revert_brings_back_the_old_type_and_what_was_written() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    let key = Key::create(&daemon, "laptop");
    let id = booted(&daemon, &key);
    daemon.ok(["instance", "resize", "web", "--type", "t1.micro"]);
    let mut watch = Watch::all(&daemon);
    watch.until(&id, "Resized");
    let guest = Guest::of(&daemon, "web");
    guest.ssh(&key, "echo more >> /root/proof; sync");

    daemon.ok(["instance", "resize-revert", "web"]);
    assert_passed(&watch.until(&id, "Active"), &["Resize_revert", "Active"]);
    assert_eq!(daemon.json(["instance", "show", "web"])["type"], "t1.nano");
    assert_eq!(memory(&daemon, &id), 128);
    assert_eq!(guest.ssh(&key, "cat /root/proof").trim(), "kept\nmore");
}

#[test]
fn a_stopped_instance_is_resized_stopped_and_may_confirm_itself() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    daemon.create("web");
    daemon.ok(["instance", "stop", "web", "--force"]);
    daemon.ok(["instance", "resize", "web", "--type", "t1.micro", "--confirm"]);
    let shown = daemon.json(["instance", "show", "web"]);
    assert_eq!(
        (&shown["state"], &shown["type"]),
        (&"Stopped".into(), &"t1.micro".into())
    );
    let id = shown["id"].as_str().unwrap();
    assert_eq!(daemon.host().virsh(["domstate", id]), "shut off");
    assert_eq!(memory(&daemon, id), 512);
}

#[test]
fn a_resize_that_can_not_be_leaves_the_guest_as_it_was() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    let key = Key::create(&daemon, "laptop");
    let id = booted(&daemon, &key);
    // More memory than this machine has.
    let output = daemon
        .berth(["instance", "resize", "web", "--type", "m2.4xlarge"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(4));
    let shown = daemon.json(["instance", "show", "web"]);
    assert_eq!((&shown["state"], &shown["type"]), (&"Active".into(), &"t1.nano".into()));
    assert_eq!(shown["fault"]["code"], "no_capacity");
    assert_eq!(daemon.host().virsh(["domstate", &id]), "running");
    assert_eq!(memory(&daemon, &id), 128);
    Guest::of(&daemon, "web").wait_for_boot(1);
}

#[test]
fn a_resize_confirms_itself_when_the_operators_window_is_over() {
    let host = Host::new(Libvirt::Started);
    let options = berth_testkit::Options {
        config: "resize_confirm_window = 1".to_owned(),
        tiny: true,
        ..berth_testkit::Options::default()
    };
    let mut daemon = Daemon::start_with(&host, options);
    daemon.create("web");
    daemon.ok(["instance", "stop", "web", "--force"]);
    daemon.ok(["instance", "resize", "web", "--type", "t1.micro"]);
    assert_eq!(daemon.state("web"), "Resized");
    std::thread::sleep(std::time::Duration::from_millis(1100));
    // It is looked at now and then, and at every start.
    daemon.kill();
    daemon.start_again();
    crate::guest::becomes(&daemon, "web", "Stopped");
    assert_eq!(daemon.json(["instance", "show", "web"])["type"], "t1.micro");
}
