//! Snapshots: one instant of a volume or of several, kept apart from all that comes after it, and merged away again.

use std::time::{Duration, Instant};

use berth_testkit::{Daemon, Guest, Host, Key, Libvirt};

use crate::volume::{READ, WRITE, id, on, state, web};

/// The files of volumes there are.
fn layers(daemon: &Daemon<'_>) -> usize {
    std::fs::read_dir(daemon.state_dir().join("volumes")).unwrap().count()
}

/// How many files stand on each other at most.
fn longest_chain(daemon: &Daemon<'_>) -> usize {
    let files = std::fs::read_dir(daemon.state_dir().join("volumes")).unwrap();
    let length = |file: std::fs::DirEntry| {
        let path = file.path();
        let info = ["info", "-U", "--backing-chain", "--output=json", path.to_str().unwrap()];
        let info: serde_json::Value = serde_json::from_str(&daemon.host().run("qemu-img", info)).unwrap();
        info.as_array().unwrap().len()
    };
    files.map(|file| length(file.unwrap())).max().unwrap_or_default()
}

/// Waits until there are only so many.
fn until_layers(daemon: &Daemon<'_>, count: usize) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while layers(daemon) != count {
        assert!(
            Instant::now() < deadline,
            "{} files of volumes and not {count}: {}",
            layers(daemon),
            daemon.log()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_snapshot_keeps_its_instant_while_the_guest_writes_on() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    let key = Key::create(&daemon, "laptop");
    let guest = web(&daemon, &key, &["--volume", "1"]);
    let data = id(&daemon, "web-data1");
    let first = on(&guest, &key, &data, WRITE);
    // Writes that go on while the snapshot is taken, to another part of the disk.
    on(
        &guest,
        &key,
        &data,
        "(while :; do dd if=/dev/urandom of=$d bs=1M seek=64 count=8 2>/dev/null; done) >/dev/null 2>&1 &",
    );
    daemon.ok(["snapshot", "create", "monday", "--volume", "web-data1"]);
    let second = on(&guest, &key, &data, WRITE);
    assert_ne!(first, second);
    daemon.ok(["snapshot", "create", "tuesday", "--volume", "web-data1"]);
    let third = on(&guest, &key, &data, WRITE);

    // Each gives its own instant, in a volume of its own, which the same guest reads.
    for (snapshot, sum) in [("monday", &first), ("tuesday", &second)] {
        daemon.ok(["volume", "create", snapshot, "--snapshot", snapshot]);
        daemon.ok(["volume", "attach", snapshot, "web"]);
        let restored = id(&daemon, snapshot);
        assert_eq!(&on(&guest, &key, &restored, READ), sum, "{snapshot}");
        // What is written to it is nobody else's.
        on(&guest, &key, &restored, WRITE);
    }
    assert_eq!(on(&guest, &key, &data, READ), third);

    // Deleting one harms neither the other, nor what was made from it.
    daemon.ok(["snapshot", "delete", "monday"]);
    daemon.ok(["volume", "create", "again", "--snapshot", "tuesday"]);
    daemon.ok(["volume", "attach", "again", "web"]);
    assert_eq!(on(&guest, &key, &id(&daemon, "again"), READ), second);
    assert_eq!(on(&guest, &key, &data, READ), third);

    // With nothing left that needs them the layers become one file a volume again.
    for volume in ["monday", "tuesday", "again"] {
        daemon.ok(["volume", "detach", volume]);
        daemon.ok(["volume", "delete", volume]);
    }
    daemon.ok(["snapshot", "delete", "tuesday"]);
    until_layers(&daemon, 2);
    assert_eq!(on(&guest, &key, &data, READ), third);
    assert_eq!(state(&daemon, "web-data1"), "In-use");
}

#[test]
fn snapshots_of_an_instance_are_of_one_instant() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    let key = Key::create(&daemon, "laptop");
    let guest = web(&daemon, &key, &["--volume", "1"]);
    let data = id(&daemon, "web-data1");
    // The same number on both disks, written one after the other: at no instant do they differ by more than one.
    on(
        &guest,
        &key,
        &data,
        "(n=0; while :; do n=$((n+1)); echo $n | dd of=/root/n conv=sync,notrunc 2>/dev/null; sync; echo $n | dd of=$d conv=sync,notrunc 2>/dev/null; sync; \
         done) >/dev/null 2>&1 &",
    );
    std::thread::sleep(Duration::from_secs(2));
    daemon.ok(["snapshot", "create", "both", "--instance", "web"]);
    let names: Vec<_> = daemon.json(["snapshot", "list"]).as_array().unwrap().clone();
    assert_eq!(
        names
            .iter()
            .map(|one| one["name"].as_str().unwrap())
            .collect::<Vec<_>>(),
        ["both", "both-web-data1"]
    );
    // The agent of the tiny guest answers, and has nothing on these disks mounted for long.
    assert!(["crash", "application"].contains(&names[0]["consistency"].as_str().unwrap()));
    daemon.ok(["volume", "create", "root", "--snapshot", "both"]);
    daemon.ok(["volume", "create", "data", "--snapshot", "both-web-data1"]);
    for volume in ["root", "data"] {
        daemon.ok(["volume", "attach", volume, "web"]);
    }
    let root = on(
        &guest,
        &key,
        &id(&daemon, "root"),
        "mkdir -p /tmp/m; mount -t ext4 -o ro ${d}2 /tmp/m; head -n 1 /tmp/m/root/n; umount /tmp/m",
    );
    let data = on(&guest, &key, &id(&daemon, "data"), "head -c 16 $d | head -n 1");
    let number = |text: &str| {
        text.trim()
            .parse::<i64>()
            .unwrap_or_else(|_| panic!("no number: {text:?}"))
    };
    let (root, data) = (number(&root), number(&data));
    assert!(
        (0..=1).contains(&(root - data)),
        "{root} on the root disk and {data} on the other"
    );
}

#[test]
fn a_volume_is_cloned_and_saved_while_its_guest_writes() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    let key = Key::create(&daemon, "laptop");
    let guest = web(&daemon, &key, &["--volume", "1"]);
    let data = id(&daemon, "web-data1");
    let sum = on(&guest, &key, &data, WRITE);
    daemon.ok(["volume", "create", "clone", "--volume", "web-data1"]);
    daemon.ok(["image", "create-from-volume", "web-data1", "--name", "saved"]);
    let later = on(&guest, &key, &data, WRITE);
    daemon.ok(["volume", "create", "from-image", "--image", "saved"]);
    for volume in ["clone", "from-image"] {
        daemon.ok(["volume", "attach", volume, "web"]);
        assert_eq!(on(&guest, &key, &id(&daemon, volume), READ), sum, "{volume}");
    }
    assert_eq!(on(&guest, &key, &data, READ), later);
    let (refused, _) = daemon.refuses(["image", "delete", "saved"]);
    assert_eq!(refused["code"], "in_use");

    // The root volume too: an instance of the image boots, with what the first one had.
    guest.ssh(&key, "echo mine > /root/mine; sync");
    daemon.ok(["image", "create-from-volume", "web", "--name", "golden"]);
    daemon.ok([
        "instance", "create", "copy", "--image", "golden", "--type", "t1.nano", "--key", &key.name,
    ]);
    let copy = Guest::of(&daemon, "copy");
    assert_eq!(copy.ssh(&key, "cat /root/mine").trim(), "mine");
}

#[test]
fn a_detached_volume_has_snapshots_and_is_not_deleted_from_under_them() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    daemon.ok(["volume", "create", "data", "--size", "1"]);
    for name in ["one", "two", "three"] {
        daemon.ok(["snapshot", "create", name, "--volume", "data"]);
    }
    let listed = daemon.json(["snapshot", "list", "--volume", "data"]);
    assert_eq!(listed.as_array().unwrap().len(), 3);
    let (refused, exit) = daemon.refuses(["volume", "delete", "data"]);
    assert_eq!((refused["code"].as_str(), exit), (Some("in_use"), 4));
    // However many there are, no chain of files grows for ever.
    for number in 0..20 {
        let name = format!("more{number}");
        daemon.ok(["snapshot", "create", &name, "--volume", "data"]);
    }
    assert!(longest_chain(&daemon) <= 17, "{}", longest_chain(&daemon));
    for number in 0..20 {
        daemon.ok(["snapshot", "delete", &format!("more{number}")]);
    }
    daemon.ok(["volume", "create", "kept", "--snapshot", "two", "--size", "2"]);
    daemon.ok(["snapshot", "delete", "one", "two", "three"]);
    daemon.ok(["volume", "delete", "data"]);
    // What it stands on is still there: two layers of the volume that is gone, and its own.
    assert_eq!(layers(&daemon), 3);
    daemon.ok(["volume", "delete", "kept"]);
    assert_eq!(layers(&daemon), 0);
    assert_eq!(daemon.json(["host", "check"])["findings"].as_array().unwrap().len(), 0);
}

#[test]
fn a_snapshot_on_layers_that_nothing_needs_is_merged_into_them() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    let key = Key::create(&daemon, "laptop");
    let guest = web(&daemon, &key, &["--volume", "1"]);
    let data = id(&daemon, "web-data1");
    let mut sums = Vec::new();
    for name in ["one", "two", "three"] {
        sums.push(on(&guest, &key, &data, WRITE));
        daemon.ok(["snapshot", "create", name, "--volume", "web-data1"]);
    }
    let now = on(&guest, &key, &data, WRITE);
    assert_eq!(layers(&daemon), 5);
    // The first two are written into what they stand on, under the guest, which writes on.
    daemon.ok(["snapshot", "delete", "one"]);
    until_layers(&daemon, 4);
    daemon.ok(["snapshot", "delete", "two"]);
    until_layers(&daemon, 3);
    daemon.ok(["volume", "create", "restored", "--snapshot", "three"]);
    daemon.ok(["volume", "attach", "restored", "web"]);
    assert_eq!(on(&guest, &key, &id(&daemon, "restored"), READ), sums[2]);
    assert_eq!(on(&guest, &key, &data, READ), now);
    assert_eq!(daemon.json(["host", "check"])["findings"], serde_json::json!([]));
}
