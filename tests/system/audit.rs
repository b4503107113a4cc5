//! The audit log: who, from where, what, on what, the decision and the outcome; and no secret.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use berth_testkit::{Daemon, Host, Libvirt};
use serde_json::Value;

#[test]
fn what_changes_something_is_logged_with_its_decision_and_its_outcome() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start_with(&host, berth_testkit::Options::default());
    daemon.ok(["project", "create", "lab"]);
    daemon.ok(["member", "add", "lab", "ci", "--role", "admin"]);
    let token = daemon.ok([
        "token", "create", "robot", "--user", "ci", "--for", "lab", "--role", "reader",
    ]);
    let private = daemon.ok(["keypair", "create", "laptop"]);
    let (problem, _) = daemon.refuses(["volume", "create", "x", "--size", "9999"]);
    assert_eq!(problem["field"], "size");
    daemon.ok(["volume", "create", "data", "--size", "1"]);

    let as_robot = |args: &[&str]| {
        let mut berth = daemon.berth([]);
        berth.env("BERTH_TOKEN", token.trim()).args(args).output().unwrap()
    };
    assert!(as_robot(&["volume", "list"]).status.success());
    assert_eq!(
        as_robot(&["volume", "create", "mine", "--size", "1"]).status.code(),
        Some(9)
    );

    let entries = daemon.json(["audit", "list", "--limit", "500"]);
    let entries = entries.as_array().unwrap();
    let told: Vec<_> = entries.iter().rev().map(told).collect();
    assert_eq!(
        told,
        [
            "allowed local:root POST /v1/projects on /v1/projects",
            "done local:root POST /v1/projects on /v1/projects: 201",
            "allowed local:root PUT /v1/projects/{project}/members/{user} on /v1/projects/lab/members/ci",
            "done local:root PUT /v1/projects/{project}/members/{user} on /v1/projects/lab/members/ci: 200",
            "allowed local:root POST /v1/tokens on /v1/tokens",
            "done local:root POST /v1/tokens on /v1/tokens: 201",
            "allowed local:root POST /v1/keypairs on /v1/keypairs",
            "done local:root POST /v1/keypairs on /v1/keypairs: 201",
            "allowed local:root POST /v1/volumes on /v1/volumes",
            "done local:root POST /v1/volumes on /v1/volumes: 400 invalid_argument",
            "allowed local:root POST /v1/volumes on /v1/volumes",
            "done local:root POST /v1/volumes on /v1/volumes: 202",
            "denied ci POST /v1/volumes on /v1/volumes: 403 forbidden",
        ]
    );
    let numbers: Vec<_> = entries
        .iter()
        .rev()
        .map(|entry| entry["number"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, (1..=13).collect::<Vec<_>>());
    assert_eq!(entries[1]["operations"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        (&entries[0]["role"], &entries[0]["project"]),
        (&"reader".into(), &"lab".into())
    );
    assert!(entries[0]["via"].as_str().unwrap().starts_with("token "));
    let denied = daemon.json(["audit", "list", "--denied"]);
    assert_eq!(denied.as_array().map(Vec::len), Some(1));
    // Who may not read it is told so, and that is in it.
    assert_eq!(as_robot(&["audit", "list"]).status.code(), Some(9));
    assert_eq!(
        daemon.json(["audit", "list", "--denied"]).as_array().map(Vec::len),
        Some(2)
    );

    // A token that is no good is a failed login: it is in the log, and it isn't.
    let mut stranger = daemon.berth(["volume", "list"]);
    let forged = format!("{}A", token.trim());
    assert_eq!(
        stranger.env("BERTH_TOKEN", &forged).output().unwrap().status.code(),
        Some(9)
    );
    let newest = &daemon.json(["audit", "list", "--limit", "1"])[0];
    assert_eq!(
        (&newest["decision"], &newest["status"]),
        (&"unknown".into(), &401.into())
    );
    assert_eq!(
        (&newest["user"], &newest["code"]),
        (&Value::Null, &"unauthenticated".into())
    );

    let log = daemon.state_dir().join("audit/audit.log");
    assert_eq!(fs::metadata(&log).unwrap().permissions().mode() & 0o777, 0o600);
    let log = fs::read_to_string(&log).unwrap();
    let secret = token.trim().splitn(3, '_').nth(2).unwrap().to_owned();
    let of_key = private.lines().nth(1).unwrap();
    assert!(
        !log.contains(&secret) && !log.contains(of_key),
        "a secret is in the log"
    );
}

fn told(entry: &Value) -> String {
    let word = |key: &str| entry[key].as_str().unwrap_or_default();
    let answer = match (entry["status"].as_u64(), entry["code"].as_str()) {
        (None, _) => String::new(),
        (Some(status), None) => format!(": {status}"),
        (Some(status), Some(code)) => format!(": {status} {code}"),
    };
    format!(
        "{} {} {} on {}{answer}",
        word("decision"),
        word("user"),
        word("what"),
        word("on")
    )
}

#[test]
fn a_decision_is_in_the_log_though_the_daemon_died_of_what_followed() {
    let host = Host::new(Libvirt::Started);
    let mut daemon = Daemon::start_with(&host, berth_testkit::Options::default());
    daemon.ok(["vpc", "create", "before"]);
    daemon.kill();
    daemon.start_again();
    daemon.ok(["vpc", "create", "after"]);
    let entries = daemon.json(["audit", "list"]);
    let entries = entries.as_array().unwrap();
    let numbers: Vec<_> = entries.iter().map(|entry| entry["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [4, 3, 2, 1]);
    assert!(entries.iter().all(|entry| entry["what"] == "POST /v1/vpcs"));
}
