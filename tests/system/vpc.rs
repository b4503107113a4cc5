//! VPCs and subnets: private networks that stay private, whatever addresses they have.

use berth_testkit::{Daemon, Guest, Host, Key, Libvirt, Options};

/// Starts a web server in a guest that says its name.
pub(crate) fn serve(guest: &Guest<'_>, key: &Key) {
    guest.ssh(key, "hostname >/tmp/index.html; httpd -p 80 -h /tmp");
}

/// What a web server says to a guest; empty if it doesn't answer within three seconds.
pub(crate) fn fetch(guest: &Guest<'_>, key: &Key, of: &str) -> String {
    let command = format!("timeout 3 wget -q -O - http://{of}/ 2>/dev/null; true");
    guest.ssh(key, &command).trim().to_owned()
}

/// An instance on a subnet, with what else is asked for.
pub(crate) fn create<'a>(daemon: &'a Daemon<'_>, key: &Key, name: &str, more: &[&str]) -> Guest<'a> {
    let mut command = daemon.berth(["instance", "create", name, "--image", "tiny"]);
    let output = command.args(["--key", &key.name]).args(more).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Guest::of(daemon, name)
}

const NANO: [&str; 2] = ["--type", "t1.nano"];

#[test]
fn two_vpcs_with_the_same_addresses_never_meet() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    let key = Key::create(&daemon, "laptop");
    for vpc in ["red", "blue"] {
        daemon.ok(["vpc", "create", vpc]);
        daemon.ok(["subnet", "create", "front", "--vpc", vpc, "--cidr", "10.9.0.0/24"]);
        daemon.ok(["subnet", "create", "back", "--vpc", vpc, "--cidr", "10.9.1.0/28"]);
    }
    let on = |name: &str, subnet: &str| create(&daemon, &key, name, &[&NANO[..], &["--subnet", subnet]].concat());
    let asker = on("asker", "red/front:10.9.0.10");
    let red = on("red-web", "red/back:10.9.1.9");
    let blue = on("blue-web", "blue/front:10.9.0.10");
    let other = on("blue-back", "blue/back:10.9.1.9");
    for guest in [&red, &blue, &other] {
        serve(guest, &key);
    }
    // Across the subnets of a VPC, by address and by name: always one's own.
    assert_eq!(fetch(&asker, &key, "10.9.1.9"), "red-web");
    assert_eq!(fetch(&asker, &key, "red-web"), "red-web");
    assert_eq!(fetch(&blue, &key, "10.9.1.9"), "blue-back");
    assert_eq!(fetch(&other, &key, "blue-web"), "blue-web");
    // The other VPC has no name and no way.
    assert_eq!(fetch(&asker, &key, "blue-back"), "");
    assert_eq!(fetch(&blue, &key, "red-web"), "");

    let (refused, exit) = daemon.refuses(["subnet", "delete", "red/front"]);
    assert_eq!((refused["code"].as_str(), exit), (Some("in_use"), 4));
    assert!(refused["detail"].as_str().unwrap().contains("asker"), "{refused}");
    for name in ["asker", "red-web", "blue-web", "blue-back"] {
        daemon.ok(["instance", "delete", name]);
    }
    for vpc in ["red", "blue"] {
        daemon.ok(["subnet", "delete", &format!("{vpc}/front"), &format!("{vpc}/back")]);
        daemon.ok(["vpc", "delete", vpc]);
    }
    let left = daemon.inventory();
    assert!(!left.iter().any(|line| line.starts_with("namespace")), "{left:?}");
}

#[test]
fn what_is_in_use_stays_and_bad_input_changes_nothing() {
    let host = Host::new(Libvirt::Absent);
    let daemon = Daemon::start_with(&host, Options::default());
    daemon.ok(["vpc", "create", "lab"]);
    daemon.ok(["subnet", "create", "one", "--vpc", "lab", "--cidr", "192.168.7.0/24"]);
    daemon.ok(["security-group", "create", "web", "--vpc", "lab"]);
    daemon.ok([
        "port",
        "create",
        "--subnet",
        "one",
        "--name",
        "first",
        "--security-group",
        "web",
    ]);
    let port = daemon.json(["port", "show", "first"]);
    assert_eq!(
        (&port["address"], &port["state"]),
        (&"192.168.7.2".into(), &"Available".into())
    );

    let refusals: [(&[&str], &str); 14] = [
        (&["vpc", "delete", "lab"], "in_use"),
        (&["subnet", "delete", "one"], "in_use"),
        (&["security-group", "delete", "web"], "in_use"),
        (&["security-group", "delete", "lab/default"], "action_not_allowed"),
        (&["vpc", "create", "lab"], "already_exists"),
        (
            &["subnet", "create", "two", "--vpc", "lab", "--cidr", "192.168.0.0/16"],
            "already_exists",
        ),
        (
            &["subnet", "create", "two", "--vpc", "lab", "--cidr", "10.0.0.0/8"],
            "invalid_argument",
        ),
        (
            &["subnet", "create", "two", "--vpc", "lab", "--cidr", "10.0.0.5/24"],
            "invalid_argument",
        ),
        (
            &["subnet", "create", "two", "--vpc", "lab", "--cidr", "169.254.0.0/24"],
            "invalid_argument",
        ),
        (
            &["subnet", "create", "two", "--vpc", "lab", "--cidr", "100.64.1.0/24"],
            "invalid_argument",
        ),
        (
            &["port", "create", "--subnet", "one", "--address", "192.168.7.1"],
            "invalid_argument",
        ),
        (
            &["port", "create", "--subnet", "one", "--address", "192.168.7.2"],
            "already_exists",
        ),
        (
            &["port", "create", "--subnet", "one", "--address-pair", "10.0.0.1"],
            "invalid_argument",
        ),
        (&["public-ip", "allocate"], "no_capacity"),
    ];
    let before = daemon.inventory();
    for (asked, code) in refusals {
        let output = daemon.berth(["-o", "json"]).args(asked).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{asked:?}");
        assert!(said.contains(&format!("\"{code}\"")), "{asked:?}: {said}");
    }
    assert_eq!(daemon.inventory(), before);
    daemon.ok(["subnet", "create", "one", "--cidr", "192.168.7.0/24"]);
    let (ambiguous, _) = daemon.refuses(["subnet", "show", "one"]);
    assert!(ambiguous["detail"].as_str().unwrap().contains("VPC/one"), "{ambiguous}");
    daemon.ok([
        "subnet", "set", "lab/one", "--name", "uno", "--no-nat", "--dns", "9.9.9.9",
    ]);
    let subnet = daemon.json(["subnet", "show", "lab/uno"]);
    assert_eq!((&subnet["nat"], &subnet["dns"][0]), (&false.into(), &"9.9.9.9".into()));
    assert_eq!(
        subnet["addresses_free"].as_u64().unwrap() + 1,
        subnet["addresses"].as_u64().unwrap()
    );
}
