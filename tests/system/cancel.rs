//! `operation cancel`: what was begun is undone, also if the daemon dies before it is.

use std::time::{Duration, Instant};

use berth_testkit::{Daemon, Host, Libvirt, Options};

#[test]
fn a_stop_that_waits_is_cancelled_and_the_guest_runs_on() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    // The guest has not booted far enough to hear its power button, so its stop waits.
    daemon.create("web");
    let stop = daemon.ok(["instance", "stop", "web", "--timeout", "600", "--no-wait"]);
    let begun = Instant::now();
    let cancelled = daemon.json(["operation", "cancel", stop.trim()]);
    assert_eq!(cancelled["outcome"], "cancelled");
    assert!(begun.elapsed() < Duration::from_secs(10), "it went on waiting");
    let shown = daemon.json(["instance", "show", "web"]);
    assert_eq!(
        (&shown["state"], &shown["fault"]["code"]),
        (&"Active".into(), &"operation_cancelled".into())
    );
    assert_eq!(host.virsh(["domstate", shown["id"].as_str().unwrap()]), "running");

    let (problem, exit) = daemon.refuses(["operation", "cancel", stop.trim()]);
    assert_eq!((problem["code"].as_str(), exit), (Some("action_not_allowed"), 4));
    daemon.ok(["instance", "stop", "web", "--force"]);
    assert_eq!(
        daemon.json(["instance", "show", "web"])["fault"],
        serde_json::Value::Null
    );
}

#[test]
fn a_create_that_is_cancelled_leaves_only_its_record_even_after_kill_9() {
    let host = Host::new(Libvirt::Started);
    let options = Options {
        config: "call_deadline = 3".to_owned(),
        tiny: true,
        ..Options::default()
    };
    let mut daemon = Daemon::start_with(&host, options);
    daemon.create("first");
    daemon.ok(["instance", "delete", "first"]);
    let before = daemon.inventory();
    host.signal_libvirtd("-STOP");
    let create = daemon.begin_create("web");
    let deadline = Instant::now() + Duration::from_secs(10);
    while daemon.state("web") != "Spawning" {
        assert!(Instant::now() < deadline, "{} is not Spawning", daemon.state("web"));
        std::thread::sleep(Duration::from_millis(50));
    }
    let cancelled = daemon.json(["operation", "cancel", &create, "--no-wait"]);
    assert_eq!(cancelled["outcome"], "undoing");
    daemon.kill();
    daemon.start_again();
    host.signal_libvirtd("-CONT");
    let failed = daemon.berth(["operation", "wait", &create]).output().unwrap();
    assert_eq!(
        failed.status.code(),
        Some(1),
        "a cancelled operation did not do what was asked"
    );
    assert_eq!(daemon.json(["operation", "show", &create])["outcome"], "cancelled");
    assert_eq!(daemon.state("web"), "Error");
    assert_eq!(daemon.inventory(), before);
    daemon.ok(["instance", "delete", "web"]);
}
