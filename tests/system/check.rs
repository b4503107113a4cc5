//! `host check`: tells what is not as the records have it; with `--fix` puts right what is ours, and nothing else.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use berth_testkit::{Daemon, Host, Key, Libvirt};
use serde_json::Value;

use crate::vpc::create;

/// Kind, name and the last word of each finding.
fn told(check: &Value, last: &str) -> Vec<[String; 3]> {
    let text = |one: &Value, key: &str| one[key].as_str().unwrap().to_owned();
    let findings = check["findings"].as_array().unwrap();
    findings
        .iter()
        .map(|one| [text(one, "kind"), text(one, "name"), text(one, last)])
        .collect()
}

fn define(host: &Host, name: &str, uuid: &str, metadata: &str) {
    let file = host.dir().join("domain.xml");
    let xml = format!(
        "<domain type='qemu'><name>{name}</name><uuid>{uuid}</uuid>{metadata}<memory unit='MiB'>64</memory>\
         <os><type arch='x86_64' machine='q35'>hvm</type></os></domain>"
    );
    std::fs::write(&file, xml).unwrap();
    host.run(
        "virsh",
        ["-q", "-c", "qemu:///system", "define", file.to_str().unwrap()],
    );
}

/// The mark that a domain of that installation carries.
fn mark(owner: &str, uuid: &str) -> String {
    format!(
        "<metadata><berth:instance xmlns:berth='https://berth.dev/xmlns/domain/1' id='{uuid}' owner='{owner}' \
         project='default' name='x'/></metadata>"
    )
}

const LEFT: &str = "0198f3c2-7a10-7e1b-9d0a-5c1f6f4e2b11";
const THEIRS: &str = "0198f3c2-7a10-7e1b-9d0a-5c1f6f4e2b12";
const UNMARKED: &str = "0198f3c2-7a10-7e1b-9d0a-5c1f6f4e2b13";
const STRANGER: &str = "0198f3c2-7a10-7e1b-9d0a-5c1f6f4e2b14";

#[test]
fn what_is_left_over_is_told_and_only_ours_is_removed() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    daemon.create("web");
    assert_eq!(daemon.ok(["host", "check"]), "all is as the records have it\n");
    let before = daemon.inventory();

    let installation = daemon.json(["host", "show"])["installation"]
        .as_str()
        .unwrap()
        .to_owned();
    define(&host, &format!("berth-{LEFT}"), LEFT, &mark(&installation, LEFT));
    define(&host, &format!("berth-{THEIRS}"), THEIRS, &mark(STRANGER, THEIRS));
    define(&host, &format!("berth-{UNMARKED}"), UNMARKED, "");
    define(&host, "stranger", STRANGER, "");
    let state = |path: &str| daemon.state_dir().join(path);
    let ours: [PathBuf; 2] = [
        state(&format!("volumes/{LEFT}.qcow2")),
        state(&format!("images/{LEFT}.qcow2")),
    ];
    for file in &ours {
        std::fs::write(file, "left over").unwrap();
    }
    std::fs::create_dir(state(&format!("instances/{LEFT}"))).unwrap();
    let note = state("volumes/README");
    std::fs::write(&note, "an operator's note").unwrap();
    let namespace = host.run("ip", ["-o", "netns", "list"]);
    let (prefix, _) = namespace.split_whitespace().next().unwrap().rsplit_once('-').unwrap();
    let orphan = format!("{prefix}-77");
    host.run("ip", ["netns", "add", &orphan]);
    let littered = daemon.inventory();

    let note_name = note.to_str().unwrap();
    let expected = |[removed, left]: [&str; 2]| {
        let finding = |kind: &str, name: &str, last: &str| [kind, name, last].map(str::to_owned);
        vec![
            finding("directory", LEFT, removed),
            finding("domain", &format!("berth-{LEFT}"), removed),
            finding("domain", &format!("berth-{THEIRS}"), left),
            finding("domain", &format!("berth-{UNMARKED}"), left),
            finding("file", note_name, left),
            finding("image", LEFT, removed),
            finding("namespace", &orphan, removed),
            finding("volume", LEFT, removed),
        ]
    };
    let check = daemon.json(["host", "check"]);
    assert_eq!(told(&check, "remedy"), expected(["remove", "none"]));
    assert_eq!(daemon.inventory(), littered, "a check changed something");

    let fixed = daemon.json(["host", "check", "--fix"]);
    assert_eq!(told(&fixed, "done"), expected(["removed", "left_alone"]));
    let theirs = [
        format!("berth-{THEIRS}"),
        format!("berth-{UNMARKED}"),
        "stranger".to_owned(),
    ];
    for name in &theirs {
        host.run("virsh", ["-q", "-c", "qemu:///system", "undefine", name]);
    }
    std::fs::remove_file(&note).unwrap();
    assert_eq!(daemon.inventory(), before);
    assert_eq!(daemon.state("web"), "Active");
    assert_eq!(daemon.ok(["host", "check", "--fix"]), "all is as the records have it\n");
}

#[test]
fn what_is_missing_is_told_and_what_can_be_is_repaired() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    let key = Key::create(&daemon, "laptop");
    let web = create(&daemon, &key, "web", &["--type", "t1.nano"]);
    web.ssh(&key, "true");
    daemon.create("db");
    daemon.ok(["instance", "stop", "db", "--force"]);
    std::fs::remove_file(daemon.disk_file("db")).unwrap();
    let namespaces = host.run("ip", ["netns", "list"]);
    let vpc = namespaces.lines().find(|line| line.starts_with("berth-")).unwrap();
    host.run("ip", ["netns", "del", vpc.split_whitespace().next().unwrap()]);

    let kinds = |check: &Value, last: &str| -> Vec<(String, String)> {
        let told = told(check, last);
        told.into_iter().map(|[kind, _, last]| (kind, last)).collect()
    };
    let expected = |words: [(&str, &str); 3]| words.map(|(kind, last)| (kind.to_owned(), last.to_owned()));
    let check = daemon.json(["host", "check"]);
    let found = expected([("network", "repair"), ("tap", "none"), ("volume", "none")]);
    assert_eq!(kinds(&check, "remedy"), found);
    assert!(
        !host.run("ip", ["netns", "list"]).contains("berth-"),
        "a check changed something"
    );
    let fixed = daemon.json(["host", "check", "--fix"]);
    let done = expected([("network", "repaired"), ("tap", "left_alone"), ("volume", "left_alone")]);
    assert_eq!(kinds(&fixed, "done"), done);
    // QEMU can't be given another tap while it runs; what else there is of the VPC waits for it.
    daemon.ok(["instance", "reboot", "web", "--hard"]);
    web.ssh(&key, "true");

    daemon.ok(["instance", "delete", "db"]);
    assert_eq!(daemon.ok(["host", "check"]), "all is as the records have it\n");
}

#[test]
fn a_dhcp_server_that_dies_is_started_again() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    daemon.create("web");
    for _ in 0..2 {
        host.run("pkill", ["-9", "-f", "dnsmasq"]);
        let deadline = Instant::now() + Duration::from_secs(20);
        let serves = || host.try_run("pgrep", ["-f", "dnsmasq"]).status.success();
        while !serves() {
            assert!(Instant::now() < deadline, "{}", daemon.log());
            std::thread::sleep(Duration::from_millis(50));
        }
        // One that puts itself into the background is two for a moment.
        std::thread::sleep(Duration::from_secs(2));
        assert!(serves());
    }
}
