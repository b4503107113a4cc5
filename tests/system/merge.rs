//! Layers that nothing needs any more are merged in the background, whatever becomes of the daemon meanwhile.

use std::time::{Duration, Instant};

use berth_testkit::{Daemon, Host, Key, Libvirt};

use crate::volume::{READ, WRITE, id, on, web};

/// How many files of volumes there are.
fn files(daemon: &Daemon<'_>) -> usize {
    let held = daemon.inventory();
    held.iter().filter(|line| line.contains("/volumes/")).count()
}

#[test]
fn what_is_merged_while_the_daemon_is_down_is_written_down_when_it_is_back() {
    let host = Host::new(Libvirt::Started);
    let mut daemon = Daemon::start(&host);
    let key = Key::create(&daemon, "laptop");
    let guest = web(&daemon, &key, &["--volume", "1"]);
    let data = id(&daemon, "web-data1");
    let sum = on(&guest, &key, &data, WRITE);
    let before = files(&daemon);
    daemon.ok(["snapshot", "create", "snap", "--instance", "web"]);
    assert_eq!(files(&daemon), before + 2);

    daemon.ok(["snapshot", "delete", "snap", "snap-web-data1"]);
    daemon.kill();
    // The job goes on without it, and ends.
    std::thread::sleep(Duration::from_secs(2));
    daemon.start_again();
    let deadline = Instant::now() + Duration::from_secs(30);
    while files(&daemon) > before {
        assert!(Instant::now() < deadline, "not merged: {}", daemon.log());
        std::thread::sleep(Duration::from_millis(100));
    }
    let guest = berth_testkit::Guest::of(&daemon, "web");
    assert_eq!(on(&guest, &key, &data, READ), sum);
}
