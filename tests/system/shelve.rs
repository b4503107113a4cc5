//! Shelve and unshelve: nothing of the host is held in between, and nothing is lost.

use berth_testkit::{Daemon, Guest, Host, Key, Libvirt};

use crate::volume::{self, WRITE, on, web};
use crate::watch::{Watch, assert_passed};

/// The lines of the inventory that are neither images nor the project's network.
fn held(daemon: &Daemon<'_>) -> Vec<String> {
    let ours = |line: &String| {
        line.starts_with("domain") || line.contains("tap") || line.contains("qemu-system") || line.contains("/volumes/")
    };
    daemon.inventory().into_iter().filter(ours).collect()
}

fn images(daemon: &Daemon<'_>) -> usize {
    daemon
        .inventory()
        .iter()
        .filter(|line| line.contains("/images/"))
        .count()
}

#[test]
fn shelve_gives_everything_back_and_unshelve_brings_the_guest_back_as_it_was() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    let key = Key::create(&daemon, "laptop");
    daemon.ok([
        "instance", "create", "web", "--image", "tiny", "--type", "t1.nano", "--key", &key.name,
    ]);
    let before = daemon.json(["instance", "show", "web"]);
    let id = before["id"].as_str().unwrap();
    let guest = Guest::of(&daemon, "web");
    let write = "head -c 3000000 /dev/urandom > /root/data; sync; sha256sum /root/data";
    let sum = guest.ssh(&key, write);
    let mut watch = Watch::all(&daemon);
    watch.until(id, "Active");
    let images_before = images(&daemon);

    daemon.ok(["instance", "shelve", "web"]);
    assert_passed(
        &watch.until(id, "Shelved_offloaded"),
        &["Shelving", "Shelved_offloaded"],
    );
    let shown = daemon.json(["instance", "show", "web"]);
    assert_eq!(
        (&shown["billed"], &shown["addresses"]),
        (&false.into(), &before["addresses"])
    );
    assert_eq!(shown["allowed_actions"], serde_json::json!(["unshelve", "delete"]));
    assert_eq!(held(&daemon), Vec::<String>::new());
    assert_eq!(images(&daemon), images_before + 1);
    // The shelf is the instance's own: nobody sees it, and what it was made from is no longer needed.
    assert_eq!(daemon.json(["image", "list"]).as_array().unwrap().len(), 1);
    daemon.ok(["image", "delete", "tiny"]);

    daemon.ok(["instance", "unshelve", "web"]);
    assert_passed(&watch.until(id, "Active"), &["Unshelving", "Active"]);
    let after = daemon.json(["instance", "show", "web"]);
    assert_eq!(after["addresses"], before["addresses"]);
    assert_eq!(guest.ssh(&key, "sha256sum /root/data"), sum);

    // Once more, so that the shelf of the first time has to go.
    daemon.ok(["instance", "stop", "web"]);
    daemon.ok(["instance", "shelve", "web"]);
    daemon.ok(["instance", "unshelve", "web"]);
    assert_eq!(guest.ssh(&key, "sha256sum /root/data"), sum);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while images(&daemon) > 1 {
        assert!(
            std::time::Instant::now() < deadline,
            "an old shelf is left: {:?}",
            daemon.inventory()
        );
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    daemon.ok(["instance", "delete", "web"]);
    assert_eq!(images(&daemon), 0);
}

/// What the guest says of all that is on its root volume, but for what each boot changes.
const ROOT: &str = "find /bin /root /etc -xdev -type f -exec md5sum {} + | sort | md5sum";

#[test]
fn the_volumes_of_a_shelved_instance_are_reserved_and_come_back_to_the_last_byte() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    let key = Key::create(&daemon, "laptop");
    let guest = web(&daemon, &key, &["--volume", "1"]);
    let data = volume::id(&daemon, "web-data1");
    on(&guest, &key, &data, WRITE);
    let whole = "md5sum < $d";
    let sums = (guest.ssh(&key, ROOT), on(&guest, &key, &data, whole));
    // A snapshot of the root volume keeps what it needs when the volume's own files go.
    daemon.ok(["snapshot", "create", "before", "--volume", "web"]);

    daemon.ok(["instance", "shelve", "web"]);
    assert_eq!(volume::state(&daemon, "web-data1"), "Reserved");
    for verb in [
        &["detach", "web-data1"][..],
        &["delete", "web-data1"],
        &["extend", "web-data1", "3"],
    ] {
        let output = daemon.berth(["-o", "json", "volume"]).args(verb).output().unwrap();
        assert_eq!(output.status.code(), Some(4), "{verb:?}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("action_not_allowed"), "{verb:?}: {said}");
    }
    daemon.ok(["instance", "unshelve", "web"]);
    assert_eq!(volume::state(&daemon, "web-data1"), "In-use");
    assert_eq!((guest.ssh(&key, ROOT), on(&guest, &key, &data, whole)), sums);

    daemon.ok(["volume", "create", "old", "--snapshot", "before"]);
    daemon.ok(["instance", "delete", "web"]);
    assert_eq!(volume::state(&daemon, "web-data1"), "Available");
    assert_eq!(volume::state(&daemon, "old"), "Available");
    daemon.ok(["snapshot", "delete", "before"]);
    daemon.ok(["volume", "delete", "old", "web-data1"]);
    assert_eq!(held(&daemon), Vec::<String>::new());
}

#[test]
fn a_shelved_instance_is_deleted_with_its_shelf() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    daemon.create("web");
    daemon.ok(["instance", "delete", "web"]);
    let before = daemon.inventory();
    daemon.create("web");
    daemon.ok(["instance", "stop", "web", "--force"]);
    daemon.ok(["instance", "shelve", "web"]);
    daemon.ok(["instance", "delete", "web"]);
    assert_eq!(daemon.inventory(), before);
}

#[test]
fn a_guest_that_does_not_shut_down_is_not_shelved() {
    let host = Host::new(Libvirt::Started);
    let options = berth_testkit::Options {
        config: "stop_grace = 2".to_owned(),
        tiny: true,
        ..berth_testkit::Options::default()
    };
    let daemon = Daemon::start_with(&host, options);
    let id = daemon.create("web");
    daemon.host().virsh(["suspend", &id]);
    crate::watch::Watch::all(&daemon).until_kind(&id, "guest.paused");
    let output = daemon.berth(["instance", "shelve", "web"]).output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(7),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    daemon.host().virsh(["resume", &id]);
    assert_eq!(daemon.state("web"), "Active");
    assert_eq!(daemon.host().virsh(["domstate", &id]), "running");
    assert_eq!(images(&daemon), 1);
}
