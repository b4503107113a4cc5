//! `/healthz` and `/readyz`: each says what is so at that moment.

use std::time::{Duration, Instant};

use berth_testkit::{Daemon, Host, Libvirt, Options, ask};
use serde_json::Value;

/// The checks that fail, by name; the status has to agree.
fn failing(daemon: &Daemon<'_>, path: &str) -> Vec<String> {
    let (status, body) = ask(daemon, &format!("GET {path}"), &[]);
    let health: Value = serde_json::from_str(&body).unwrap();
    let checks = health["checks"].as_array().unwrap().iter();
    let failing: Vec<_> = checks.filter(|check| check["ok"] == false).collect();
    assert_eq!(status, if failing.is_empty() { 200 } else { 503 }, "{body}");
    assert_eq!(health["status"], status, "{body}");
    for check in &failing {
        let reason = check["reason"].as_str().unwrap();
        assert!(health["detail"].as_str().unwrap().contains(reason), "{body}");
    }
    failing
        .iter()
        .map(|check| check["name"].as_str().unwrap().to_owned())
        .collect()
}

fn becomes(daemon: &Daemon<'_>, wanted: &[&str]) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while failing(daemon, "/readyz") != wanted {
        assert!(
            Instant::now() < deadline,
            "{:?} fail and not {wanted:?}: {}",
            failing(daemon, "/readyz"),
            daemon.log()
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_daemon_is_ready_while_libvirt_answers_and_healthy_all_along() {
    let host = Host::new(Libvirt::Absent);
    let daemon = Daemon::start_with(&host, Options::default());
    assert_eq!(failing(&daemon, "/readyz"), ["libvirt", "reconciliation"]);
    assert_eq!(failing(&daemon, "/healthz"), Vec::<String>::new());
    host.start_libvirt();
    becomes(&daemon, &[]);
    host.signal_libvirtd("-KILL");
    becomes(&daemon, &["libvirt"]);
    assert_eq!(failing(&daemon, "/healthz"), Vec::<String>::new());
    host.start_libvirt();
    becomes(&daemon, &[]);
    // The link stands: only who asks finds out.
    host.signal_libvirtd("-STOP");
    becomes(&daemon, &["libvirt"]);
    assert_eq!(failing(&daemon, "/healthz"), Vec::<String>::new());
    host.signal_libvirtd("-CONT");
    becomes(&daemon, &[]);
}

#[test]
fn a_daemon_whose_disk_is_nearly_full_is_not_ready() {
    let host = Host::new(Libvirt::Started);
    let options = Options {
        config: "low_space_mib = 999999999".to_owned(),
        ..Options::default()
    };
    let daemon = Daemon::start_with(&host, options);
    becomes(&daemon, &["disk"]);
}
