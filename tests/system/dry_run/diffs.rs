//! What a dry run says would be applied is what the request then applies.

use std::collections::BTreeSet;

use berth_testkit::{Caller, Daemon, Host, Libvirt};
use serde_json::{Value, json};

use super::bed::{daemon, instance};
use super::tried;
use crate::isolation::bed::done;

/// What a dry run answers.
fn view(root: &Caller, method: &str, path: &str, body: &Value) -> Value {
    let view = tried(root, method, path, body).ok();
    assert_eq!(view["dry_run"], true, "{view}");
    view
}

/// The difference of that; none if there is none.
fn diff<'a>(view: &'a Value, what: &str) -> Option<&'a str> {
    let diffs = view["diffs"].as_array().unwrap();
    diffs.iter().find(|diff| diff["what"] == what)?["diff"].as_str()
}

/// The lines that a difference adds, or takes away.
fn lines(diff: &str, sign: char) -> BTreeSet<String> {
    let body = diff
        .lines()
        .filter(|line| !line.starts_with("---") && !line.starts_with("+++"));
    let mine = body.filter_map(|line| line.strip_prefix(sign));
    mine.map(|line| line.trim().to_owned()).collect()
}

/// The rules of the one VPC there is, each as it would be added.
fn rules(host: &Host) -> BTreeSet<String> {
    let list = "ip netns exec $(ip netns list | grep berth- | cut -d ' ' -f 1) nft -s list table inet vpc";
    let text = host.run("sh", ["-c", list]);
    let mut chain = String::new();
    let mut found = BTreeSet::new();
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("chain ") {
            name.trim_end_matches(" {").clone_into(&mut chain);
        } else if line == "}" {
            chain.clear();
        } else if !chain.is_empty() && !line.is_empty() {
            found.insert(format!("add rule inet vpc {chain} {line}"));
        }
    }
    found
}

fn rule(daemon: &Daemon<'_>) {
    let (root, host) = (daemon.caller(), daemon.host());
    let path = "/v1/security-groups/default/rules";
    let https = json!({ "protocol": "tcp", "ports": "443", "cidr": "192.0.2.0/24" });
    let tried = view(&root, "POST", path, &https);
    let would = diff(&tried, "rules of vpc default").unwrap();
    let before = rules(host);
    let made = root.post(path, &https).ok();
    let after = rules(host);
    let added: BTreeSet<String> = after.difference(&before).cloned().collect();
    assert_eq!((added, before.is_subset(&after)), (lines(would, '+'), true), "{would}");
    assert_eq!(lines(would, '-'), BTreeSet::new());
    println!("{would}");

    let path = format!("{path}/{}", made["id"].as_str().unwrap());
    let tried = view(&root, "DELETE", &path, &Value::Null);
    let would = diff(&tried, "rules of vpc default").unwrap();
    root.ask("DELETE", &path, "").ok();
    assert_eq!((rules(host), lines(would, '-').len()), (before, 1), "{would}");
}

fn resize(daemon: &Daemon<'_>) {
    let root = daemon.caller();
    let reboot = |root: &Caller| {
        view(
            root,
            "POST",
            "/v1/instances/web/actions/reboot",
            &json!({ "hard": true }),
        )
    };
    assert_eq!(
        diff(&reboot(&root), "domain web"),
        None,
        "what is defined anew as it is, is no difference"
    );
    let large = json!({ "type": "w.large" });
    let tried = view(&root, "POST", "/v1/instances/web/actions/resize", &large);
    let would = diff(&tried, "domain web").unwrap();
    let changed = |sign| lines(would, sign).into_iter().collect::<Vec<_>>();
    let small = [
        "<memory unit=\"KiB\">131072</memory>",
        "<topology cores=\"1\" sockets=\"1\" threads=\"1\"/>",
        "<vcpu>1</vcpu>",
    ];
    let wanted = [
        "<memory unit=\"KiB\">163840</memory>",
        "<topology cores=\"2\" sockets=\"1\" threads=\"1\"/>",
        "<vcpu>2</vcpu>",
    ];
    assert_eq!(
        (changed('-'), changed('+')),
        (small.map(str::to_owned).into(), wanted.map(str::to_owned).into())
    );
    println!("{would}");
    let price = &tried["price_per_hour"];
    assert_eq!(
        (&price["before"], &price["after"], &price["currency"]),
        (&"0.102".into(), &"0.202".into(), &"EUR".into())
    );

    done(&root, "/v1/instances/web/actions/stop", &json!({ "force": true }));
    done(&root, "/v1/instances/web/actions/resize", &large);
    let again = view(&root, "POST", "/v1/instances/web/actions/confirm_resize", &json!({}));
    assert_eq!(diff(&again, "domain web"), None, "it is defined as was said");
    let defined = daemon.host().virsh(["dumpxml", "--inactive", &daemon.id("web")]);
    for part in ["<memory unit='KiB'>163840</memory>", ">2</vcpu>", "cores='2'"] {
        assert!(defined.contains(part), "{part}: {defined}");
    }
}

fn create(daemon: &Daemon<'_>) {
    let root = daemon.caller();
    let body = instance(
        "tried",
        &json!({ "count": 2, "volumes": [{ "size": 3 }], "public_ip": {} }),
    );
    let tried = view(&root, "POST", "/v1/instances", &body);
    for name in ["domain tried-1", "domain tried-2", "rules of vpc default"] {
        let would = diff(&tried, name).unwrap();
        assert_eq!(lines(would, '-'), BTreeSet::new(), "{would}");
        assert!(lines(would, '+').len() > 2, "{would}");
    }
    let charged = |resource: &str| {
        let charges = tried["charges"].as_array().unwrap();
        let found = charges.iter().find(|charge| charge["resource"] == resource).unwrap();
        (found["used"].as_u64().unwrap(), found["delta"].as_i64().unwrap())
    };
    assert_eq!((charged("instances"), charged("volumes")), ((1, 2), (1, 4)));
    assert_eq!((charged("memory_mib"), charged("volume_gb")), ((128, 256), (1, 8)));
    // Twice an instance, four GiB and an address.
    let price = &tried["price_per_hour"];
    assert_eq!((&price["before"], &price["after"]), (&"0.102".into(), &"0.326".into()));
    assert_eq!(tried["operations"][1]["steps"].as_array().unwrap().len(), 6);
}

fn delete(daemon: &Daemon<'_>) {
    let root = daemon.caller();
    let tried = view(&root, "DELETE", "/v1/instances/web", &Value::Null);
    for name in ["domain web", "rules of vpc default"] {
        let would = diff(&tried, name).unwrap();
        assert_eq!(lines(would, '+'), BTreeSet::new(), "{would}");
        assert!(!lines(would, '-').is_empty(), "{would}");
    }
    let price = &tried["price_per_hour"];
    assert_eq!((&price["before"], &price["after"]), (&"0.102".into(), &"0".into()));
}

fn volume(daemon: &Daemon<'_>) {
    let root = daemon.caller();
    done(&root, "/v1/volumes", &json!({ "name": "data", "size": 1 }));
    let attach = json!({ "instance": "web" });
    let tried = view(&root, "POST", "/v1/volumes/data/actions/attach", &attach);
    let would = diff(&tried, "domain web").unwrap();
    assert!(
        lines(would, '+').iter().any(|line| line.starts_with("<serial>")),
        "{would}"
    );
    assert_eq!(lines(would, '-'), BTreeSet::new(), "{would}");
    let volume = root.get("/v1/volumes/data").ok();
    assert!(would.contains(volume["id"].as_str().unwrap()), "{would}");
    root.ask("DELETE", "/v1/volumes/data", "").ok();
}

#[test]
fn what_would_be_applied_is_what_is_applied() {
    let host = Host::new(Libvirt::Started);
    let daemon = daemon(&host);
    let root = daemon.caller();
    done(&root, "/v1/instances", &instance("web", &json!({})));
    create(&daemon);
    delete(&daemon);
    rule(&daemon);
    volume(&daemon);
    resize(&daemon);
}
