//! Volumes: attached and detached hot and cold, extended under a guest, and what becomes of them with their instance.

use berth_testkit::{Daemon, Guest, Host, Key, Libvirt};

use crate::watch::Watch;

/// An instance that answers by ssh.
pub(crate) fn web<'a>(daemon: &'a Daemon<'_>, key: &Key, more: &[&str]) -> Guest<'a> {
    let mut command = daemon.berth(["instance", "create", "web", "--image", "tiny", "--type", "t1.nano"]);
    let output = command.args(["--key", &key.name]).args(more).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Guest::of(daemon, "web")
}

/// A volume's id.
pub(crate) fn id(daemon: &Daemon<'_>, volume: &str) -> String {
    daemon.json(["volume", "show", volume])["id"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// A volume's documented state.
pub(crate) fn state(daemon: &Daemon<'_>, volume: &str) -> String {
    daemon.json(["volume", "show", volume])["state"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// Shell that sets `$d` to the guest's disk with that volume's serial number; empty if it has none.
pub(crate) fn find(volume: &str) -> String {
    let serial = &volume[..20];
    format!(
        "d=; for s in /sys/block/*/serial; do [ \"$(cat $s)\" = {serial} ] && d=/dev/$(echo $s | cut -d/ -f4); done"
    )
}

/// Whether the guest has a volume's disk.
pub(crate) fn has(guest: &Guest<'_>, key: &Key, volume: &str) -> bool {
    let find = find(volume);
    !guest.ssh(key, &format!("{find}; echo $d")).trim().is_empty()
}

/// What the guest says of a volume's disk: `$d` is its device. A guest takes a moment to find what was plugged in.
pub(crate) fn on(guest: &Guest<'_>, key: &Key, volume: &str, command: &str) -> String {
    let find = find(volume);
    let wait = format!("for i in 1 2 3 4 5 6 7 8 9 10; do {find}; [ -n \"$d\" ] && break; sleep 1; done");
    guest.ssh(
        key,
        &format!("{wait}; [ -n \"$d\" ] || {{ echo none; exit; }}; {command}"),
    )
}

/// Fills the beginning of the disk with noise, and says what it hashes to.
pub(crate) const WRITE: &str =
    "dd if=/dev/urandom of=$d bs=1M count=8 2>/dev/null; sync; dd if=$d bs=1M count=8 2>/dev/null | sha256sum";
/// Says what the beginning of the disk hashes to.
pub(crate) const READ: &str = "dd if=$d bs=1M count=8 2>/dev/null | sha256sum";

#[test]
fn a_guest_sees_a_volume_come_and_go_and_its_data_stays() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    let key = Key::create(&daemon, "laptop");
    let mut watch = Watch::all(&daemon);
    daemon.ok(["volume", "create", "data", "--size", "1"]);
    let data = id(&daemon, "data");
    assert_eq!(watch.volume_until(&data, "Available"), ["Creating", "Available"]);
    let guest = web(&daemon, &key, &[]);
    assert!(!has(&guest, &key, &data));

    daemon.ok(["volume", "attach", "data", "web"]);
    assert_eq!(watch.volume_until(&data, "In-use"), ["Attaching", "In-use"]);
    let sum = on(&guest, &key, &data, WRITE);
    assert!(sum.len() > 64, "{sum}");
    let (refused, _) = daemon.refuses(["volume", "delete", "data"]);
    assert_eq!(
        (&refused["code"], &refused["state"]),
        (&"action_not_allowed".into(), &"In-use".into())
    );

    // Under load: the guest writes while the disk is asked back.
    on(
        &guest,
        &key,
        &data,
        "(dd if=/dev/zero of=$d bs=1M seek=16 count=200 >/dev/null 2>&1 &)",
    );
    daemon.ok(["volume", "detach", "data"]);
    assert_eq!(watch.volume_until(&data, "Available"), ["Detaching", "Available"]);
    assert!(!has(&guest, &key, &data));

    daemon.ok(["volume", "attach", "data", "web"]);
    assert_eq!(on(&guest, &key, &data, READ), sum);

    // It is there after a stop, and after a start from a definition made anew.
    daemon.ok(["instance", "stop", "web"]);
    daemon.ok(["instance", "start", "web"]);
    guest.wait_for_boot(2);
    assert_eq!(on(&guest, &key, &data, READ), sum);

    daemon.ok(["instance", "delete", "web"]);
    assert_eq!(state(&daemon, "data"), "Available");
    daemon.ok(["volume", "delete", "data"]);
    let left = daemon.inventory();
    assert!(!left.iter().any(|line| line.contains("/volumes/")), "{left:?}");
}

#[test]
fn a_stopped_instance_takes_a_volume_and_gives_it_back() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    let key = Key::create(&daemon, "laptop");
    let guest = web(&daemon, &key, &["--volume", "1"]);
    let made = id(&daemon, "web-data1");
    let sum = on(&guest, &key, &made, WRITE);
    daemon.ok(["instance", "stop", "web"]);
    daemon.ok(["volume", "detach", "web-data1"]);
    daemon.ok(["volume", "create", "other", "--size", "2"]);
    daemon.ok(["volume", "attach", "other", "web"]);
    daemon.ok(["instance", "start", "web"]);
    guest.wait_for_boot(2);
    assert!(!has(&guest, &key, &made));
    let other = id(&daemon, "other");
    let size = on(&guest, &key, &other, "cat /sys/block/${d#/dev/}/size");
    assert_eq!(size.trim(), (2_u64 << 21).to_string());
    daemon.ok(["volume", "attach", "web-data1", "web"]);
    assert_eq!(on(&guest, &key, &made, READ), sum);
}

#[test]
fn a_guest_sees_its_disk_grow() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    let key = Key::create(&daemon, "laptop");
    let guest = web(&daemon, &key, &["--volume", "1", "--root-size", "2"]);
    let data = id(&daemon, "web-data1");
    let sum = on(&guest, &key, &data, WRITE);
    for (volume, size) in [("web-data1", "3"), ("web", "4")] {
        let volume = id(&daemon, volume);
        let before = daemon.json(["volume", "show", &volume])["operation"].clone();
        assert!(before.is_null(), "{before}");
        daemon.ok(["volume", "extend", &volume, size]);
        assert_eq!(state(&daemon, &volume), "In-use");
        let sectors = on(&guest, &key, &volume, "cat /sys/block/${d#/dev/}/size");
        let expected = size.parse::<u64>().unwrap() << 21;
        assert_eq!(sectors.trim(), expected.to_string(), "{volume}");
    }
    assert_eq!(on(&guest, &key, &data, READ), sum);
    let (refused, exit) = daemon.refuses(["volume", "extend", "web-data1", "2"]);
    assert_eq!((refused["field"].as_str(), exit), (Some("size"), 2));
    // Offline too, and the guest finds it so when it starts.
    daemon.ok(["instance", "stop", "web"]);
    daemon.ok(["volume", "extend", "web-data1", "5"]);
    daemon.ok(["instance", "start", "web"]);
    guest.wait_for_boot(2);
    let sectors = on(&guest, &key, &data, "cat /sys/block/${d#/dev/}/size");
    assert_eq!(sectors.trim(), (5_u64 << 21).to_string());
}

#[test]
fn volumes_go_with_their_instance_as_they_were_told() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    daemon.ok(["volume", "create", "mine", "--size", "1"]);
    let create = daemon.berth([
        "instance",
        "create",
        "web",
        "--image",
        "tiny",
        "--type",
        "t1.nano",
        "--keep-root",
        "--volume",
        "1",
        "--volume",
        "1,delete",
        "--volume",
        "mine",
    ]);
    let output = { create }.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let names = |daemon: &Daemon<'_>| -> Vec<String> {
        let volumes = daemon.json(["volume", "list"]);
        let mut names: Vec<_> = volumes
            .as_array()
            .unwrap()
            .iter()
            .map(|one| format!("{} {}", one["name"].as_str().unwrap(), one["state"].as_str().unwrap()))
            .collect();
        names.sort();
        names
    };
    assert_eq!(
        names(&daemon),
        ["mine In-use", "web In-use", "web-data1 In-use", "web-data2 In-use"]
    );
    daemon.ok(["instance", "delete", "web"]);
    assert_eq!(
        names(&daemon),
        ["mine Available", "web Available", "web-data1 Available"]
    );
    daemon.ok(["volume", "rename", "web", "kept"]);
    daemon.ok(["volume", "delete", "kept", "mine", "web-data1"]);
    assert_eq!(names(&daemon), Vec::<String>::new());
    let left = daemon.inventory();
    assert!(!left.iter().any(|line| line.contains("/volumes/")), "{left:?}");
}

#[test]
fn a_guest_that_keeps_a_volume_keeps_it_until_it_lets_go() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    let key = Key::create(&daemon, "laptop");
    let guest = web(&daemon, &key, &["--volume", "1"]);
    let data = id(&daemon, "web-data1");
    let sum = on(&guest, &key, &data, WRITE);
    let mut watch = Watch::all(&daemon);
    watch.volume_until(&data, "In-use");
    // A guest that is held can't answer.
    daemon.host().virsh(["suspend", &daemon.id("web")]);
    let (refused, exit) = daemon.refuses(["volume", "detach", "web-data1", "--timeout", "2"]);
    assert_eq!(
        (refused["code"].as_str(), exit),
        (Some("deadline_exceeded"), 7),
        "{refused}"
    );
    assert_eq!(watch.volume_until(&data, "In-use"), ["Detaching", "In-use"]);
    let shown = daemon.json(["volume", "show", "web-data1"]);
    assert!(
        shown["fault"]["message"].as_str().unwrap().contains("has not let go"),
        "{shown}"
    );
    // It was asked, and does so once it runs again: that is believed.
    daemon.host().virsh(["resume", &daemon.id("web")]);
    assert_eq!(watch.volume_until(&data, "Available"), ["Available"]);
    daemon.ok(["volume", "attach", "web-data1", "web"]);
    assert_eq!(on(&guest, &key, &data, READ), sum);
}

#[test]
fn what_a_guest_discards_goes_back_to_the_disk() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    let key = Key::create(&daemon, "laptop");
    let guest = web(&daemon, &key, &["--volume", "1"]);
    let data = id(&daemon, "web-data1");
    let held = || -> u64 {
        let files = std::fs::read_dir(daemon.state_dir().join("volumes")).unwrap();
        let blocks = |file: std::fs::DirEntry| std::os::unix::fs::MetadataExt::blocks(&file.metadata().unwrap());
        files.map(|file| blocks(file.unwrap()) * 512).sum()
    };
    let before = held();
    let fill = "dd if=/dev/urandom of=$d bs=1M count=64 2>/dev/null; sync";
    on(&guest, &key, &data, fill);
    assert!(held() > before + (60 << 20), "{} after {before}", held());
    // Zeroes are taken for what they are, as a discard is.
    on(
        &guest,
        &key,
        &data,
        "blkdiscard $d 2>/dev/null || dd if=/dev/zero of=$d bs=1M count=64 2>/dev/null; sync",
    );
    assert!(held() < before + (8 << 20), "{} after {before}", held());
}
