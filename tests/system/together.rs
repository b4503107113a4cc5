//! Much at once: requests on one instance follow each other, those on many run side by side.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use berth_testkit::{Daemon, Guest, Host, Libvirt};
use serde_json::Value;

use crate::crash::rests;

/// A daemon with an image whose guests halt at once: fifty of them cost the machine nothing.
fn with_quiet_guests(host: &Host) -> Daemon<'_> {
    let daemon = Daemon::start_with(host, berth_testkit::Options::default());
    let image = host.dir().join("halt.img");
    std::fs::write(&image, crate::kvm::boot_sector("")).unwrap();
    daemon.ok([
        "image",
        "import",
        image.to_str().unwrap(),
        "--name",
        "halt",
        "--os",
        "other",
    ]);
    daemon
}

fn begin(daemon: &Daemon<'_>, args: &[&str]) -> Child {
    let mut command = daemon.berth(["instance"]);
    command.args(args).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

fn operations(daemon: &Daemon<'_>) -> Vec<Value> {
    daemon.json(["operation", "list"]).as_array().unwrap().clone()
}

#[test]
fn requests_on_one_instance_never_interleave() {
    let host = Host::new(Libvirt::Started);
    let daemon = with_quiet_guests(&host);
    daemon.ok(["instance", "create", "web", "--image", "halt", "--type", "t1.nano"]);
    for _ in 0..4 {
        let verbs = [
            ["stop", "web", "--force"],
            ["reboot", "web", "--hard"],
            ["start", "web", "--no-wait"],
        ];
        let children: Vec<_> = verbs.iter().cycle().take(12).map(|args| begin(&daemon, args)).collect();
        for mut child in children {
            child.wait().unwrap();
        }
    }
    assert!(matches!(rests(&daemon, "web").as_deref(), Some("Active" | "Stopped")));
    let operations = operations(&daemon);
    let time = |one: &Value, key: &str| one[key].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    for pair in operations.windows(2) {
        assert_eq!(pair[0]["outcome"], "succeeded", "{}", pair[0]);
        assert!(
            time(&pair[0], "finished_at") <= time(&pair[1], "created_at"),
            "{} overlaps {}",
            pair[0],
            pair[1]
        );
    }
    assert!(operations.len() > 2, "nothing was ever accepted");
}

#[test]
fn fifty_instances_come_and_go_side_by_side() {
    let host = Host::new(Libvirt::Started);
    let daemon = with_quiet_guests(&host);
    daemon.ok(["instance", "create", "first", "--image", "halt", "--type", "t1.nano"]);
    daemon.ok(["instance", "delete", "first"]);
    let before = daemon.inventory();
    daemon.ok([
        "instance",
        "create",
        "web",
        "--image",
        "halt",
        "--type",
        "t1.nano",
        "--count",
        "50",
        "--no-wait",
    ]);
    // A read is answered at once, however much is under way.
    let begun = Instant::now();
    let listed = daemon.json(["instance", "list"]);
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "a list took {:?}",
        begun.elapsed()
    );
    assert_eq!(listed.as_array().unwrap().len(), 50);
    for operation in operations(&daemon) {
        daemon.ok(["operation", "wait", operation["id"].as_str().unwrap()]);
    }
    let listed = daemon.json(["instance", "list"]);
    let mut addresses = std::collections::HashSet::new();
    for instance in listed.as_array().unwrap() {
        assert_eq!(instance["state"], "Active", "{instance}");
        addresses.insert(instance["addresses"][0]["address"].to_string());
    }
    assert_eq!(addresses.len(), 50, "an address was given twice");
    assert_eq!(host.virsh(["list", "--name"]).lines().count(), 50);

    let names: Vec<_> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    let mut command = daemon.berth(["instance", "delete"]);
    assert!(command.args(&names).output().unwrap().status.success());
    assert_eq!(daemon.inventory(), before);
}

/// Brings an instance of that name to where an action may begin.
type Arrange<'a> = &'a dyn Fn(&str);

#[test]
fn a_delete_cancels_every_action_cleanly() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    daemon.create("first");
    daemon.ok(["instance", "delete", "first"]);
    let before = daemon.inventory();
    let create = |name: &str| daemon.create(name);
    let stopped = |name: &str| {
        create(name);
        daemon.ok(["instance", "stop", name, "--force"]);
    };
    let nothing = |_: &str| ();
    let active = |name: &str| drop(create(name));
    let booted = |name: &str| {
        create(name);
        Guest::of(&daemon, name).wait_for_boot(1);
    };
    let shelved = |name: &str| {
        stopped(name);
        daemon.ok(["instance", "shelve", name]);
    };
    let resized = |name: &str| {
        stopped(name);
        daemon.ok(["instance", "resize", name, "--type", "t1.micro"]);
    };
    // What comes before, and what is asked for and cancelled.
    let cases: [(Arrange<'_>, &[&str]); 12] = [
        (&nothing, &["create", "web", "--image", "tiny", "--type", "t1.nano"]),
        (&stopped, &["start", "web"]),
        (&active, &["stop", "web", "--timeout", "60"]),
        (&active, &["reboot", "web"]),
        (&active, &["reboot", "web", "--hard"]),
        (&active, &["shelve", "web"]),
        (&stopped, &["shelve", "web"]),
        (&shelved, &["unshelve", "web"]),
        (&booted, &["resize", "web", "--type", "t1.micro"]),
        (&resized, &["resize-confirm", "web"]),
        (&resized, &["resize-revert", "web"]),
        (&active, &["delete", "web"]),
    ];
    for (arrange, args) in cases {
        arrange("web");
        let output = daemon.berth(["instance"]).args(args).arg("--no-wait").output().unwrap();
        assert!(
            output.status.success(),
            "{args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        std::thread::sleep(Duration::from_millis(40));
        // A delete that is under way may be gone by the time it is asked for once more.
        let output = daemon.berth(["instance", "delete", "web"]).output().unwrap();
        assert!(
            output.status.success() || args[0] == "delete",
            "{args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(rests(&daemon, "web"), None, "{args:?}");
        assert_eq!(daemon.inventory(), before, "{args:?}: something is left");
    }
}
