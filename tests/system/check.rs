//! `host check`: tells what is not as the records have it; with `--fix` puts right what is ours, and nothing else.

use std::path::PathBuf;

use berth_testkit::{Daemon, Host, Libvirt};
use serde_json::Value;

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
    for name in ["web", "db"] {
        daemon.create(name);
    }
    daemon.ok(["instance", "stop", "db", "--force"]);
    std::fs::remove_file(daemon.disk_file("db")).unwrap();
    let dnsmasq = host.run("pgrep", ["-f", "dnsmasq"]);
    for process in dnsmasq.split_whitespace() {
        host.run("kill", ["-9", process]);
    }

    let finding = |kind: &str, name: &str, last: &str| [kind, name, last].map(str::to_owned);
    let check = daemon.json(["host", "check"]);
    assert_eq!(
        told(&check, "remedy"),
        [finding("network", "default", "repair"), finding("volume", "db", "none")]
    );
    assert!(
        host.try_run("pgrep", ["-f", "dnsmasq"]).stdout.is_empty(),
        "a check changed something"
    );
    let fixed = daemon.json(["host", "check", "--fix"]);
    assert_eq!(
        told(&fixed, "done"),
        [
            finding("network", "default", "repaired"),
            finding("volume", "db", "left_alone")
        ]
    );
    host.run("pgrep", ["-f", "dnsmasq"]);

    daemon.ok(["instance", "delete", "db"]);
    assert_eq!(daemon.ok(["host", "check"]), "all is as the records have it\n");
}
