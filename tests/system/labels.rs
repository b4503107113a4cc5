//! Labels: on every resource, from the moment it is made; changed by merge patch, found again in lists, told of.

use berth_testkit::{Answer, Caller, Daemon, Host, Libvirt, Options};
use serde_json::{Value, json};

/// A host with a pool of public IPs, whose guests cost nothing.
fn daemon(host: &Host) -> Daemon<'_> {
    let options = Options {
        config: "[[public_ip_pools]]\nname = \"lab\"\nranges = [\"203.0.113.0/28\"]\n".to_owned(),
        args: ["--libvirt-uri", "test:///default"].map(str::to_owned).to_vec(),
        tiny: true,
    };
    Daemon::start_with(host, options)
}

/// Does what answers with an operation, and waits for its end; what it is about.
fn done(root: &Caller, answer: &Answer) -> String {
    let begun = answer.ok();
    let operation = begun["operations"].get(0).unwrap_or(&begun).clone();
    let wait = format!(
        "/v1/operations/{}/wait?timeout_seconds=60",
        operation["id"].as_str().unwrap()
    );
    let ended = root.get(&wait).ok();
    assert_eq!(ended["outcome"], "succeeded", "{ended}");
    ended["resource"].as_str().unwrap().to_owned()
}

/// Makes one of each resource with the label `made=so`; where each is.
fn everything(root: &Caller) -> Vec<(&'static str, String)> {
    let made = |more: Value| {
        let mut body = json!({ "labels": { "made": "so" } });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let new = |path: &str, body: Value| root.post(path, &made(body)).ok();
    let id = |view: &Value| view["id"].as_str().unwrap().to_owned();
    let volume = done(
        root,
        &root.post("/v1/volumes", &made(json!({ "name": "data", "size": 1 }))),
    );
    let snapshot = made(json!({ "name": "before", "volume": volume }));
    done(root, &root.post("/v1/snapshots", &snapshot));
    let saved = made(json!({ "name": "saved" }));
    done(
        root,
        &root.post(&format!("/v1/volumes/{volume}/actions/save_as_image"), &saved),
    );
    let vpc = new("/v1/vpcs", json!({ "name": "lab" }));
    let cidr = json!({ "name": "front", "vpc": "lab", "cidr": "10.1.0.0/24" });
    vec![
        ("volumes", volume),
        ("snapshots", "before".to_owned()),
        ("images", "saved".to_owned()),
        ("vpcs", id(&vpc)),
        ("subnets", id(&new("/v1/subnets", cidr))),
        (
            "security-groups",
            id(&new("/v1/security-groups", json!({ "name": "web", "vpc": "lab" }))),
        ),
        ("ports", id(&new("/v1/ports", json!({ "subnet": "lab/front" })))),
        ("keypairs", id(&new("/v1/keypairs", json!({ "name": "laptop" })))),
        ("public-ips", id(&new("/v1/public-ips", json!({})))),
        (
            "projects",
            new("/v1/projects", json!({ "name": "shop" }))["name"]
                .as_str()
                .unwrap()
                .to_owned(),
        ),
    ]
}

#[test]
fn every_resource_has_labels_and_is_found_by_them() {
    let host = Host::new(Libvirt::Absent);
    let daemon = daemon(&host);
    let root = daemon.caller();
    let things = everything(&root);
    for (kind, id) in &things {
        let one = format!("/v1/{kind}/{}", id.replace('/', "%2F"));
        assert_eq!(root.get(&one).ok()["labels"], json!({ "made": "so" }), "{one}");
        let patch = r#"{"labels":{"env":"prod","note":"a, b = c","made":null}}"#;
        let changed = root.ask("PATCH", &one, patch).ok();
        assert_eq!(changed["labels"], json!({ "env": "prod", "note": "a, b = c" }), "{one}");
        assert_eq!(root.get(&one).ok()["labels"], changed["labels"], "{one}");
        let found = |query: &str| {
            let page = root.get(&format!("/v1/{kind}?{query}")).ok();
            page["items"].as_array().unwrap().len()
        };
        assert_eq!(found("label=env&label=note%3Da%2C%20b%20%3D%20c"), 1, "{kind}");
        assert_eq!(found("label=env%3Dtest") + found("label=made"), 0, "{kind}");
        // Bad labels change nothing, and say where they are.
        for (bad, says) in [
            (json!({ "a b": "c" }), "this one has ' '"),
            (json!({ "-a": "c" }), "begins and ends with a letter or a digit"),
            (json!({ "a": "\n" }), "no control characters"),
            (json!({ "a": "x".repeat(256) }), "at most 255 characters"),
            (
                json!(
                    (0..65)
                        .map(|n| (format!("k{n}"), "v"))
                        .collect::<std::collections::HashMap<_, _>>()
                ),
                "at most 64",
            ),
        ] {
            let refused = root.ask("PATCH", &one, &json!({ "labels": bad }).to_string());
            assert_eq!(
                (refused.status, refused.code().as_str()),
                (400, "invalid_argument"),
                "{}",
                refused.text
            );
            assert!(
                refused.text.contains(says) && refused.text.contains("labels"),
                "{}",
                refused.text
            );
        }
        assert_eq!(root.get(&one).ok()["labels"], changed["labels"], "{one}");
        assert_eq!(
            root.ask("PATCH", &one, r#"{"labels":null}"#).ok()["labels"],
            json!({}),
            "{one}"
        );
    }
    // Each change is told, of each of them twice.
    let changes = 2 * things.len();
    let told = root.stream("/v1/events?after=0", |told| {
        told.matches(".changed\"").count() >= changes
    });
    assert_eq!(
        told.matches("event: snapshot.changed")
            .count()
            .max(told.matches("\"snapshot.changed\"").count()),
        2
    );
}

#[test]
fn the_command_line_sets_shows_finds_and_takes_away() {
    let host = Host::new(Libvirt::Absent);
    let daemon = daemon(&host);
    daemon.ok(["vpc", "create", "red", "--label", "env=prod", "--label", "team=a"]);
    daemon.ok(["vpc", "create", "blue", "--label", "env=test"]);
    assert!(daemon.ok(["vpc", "show", "red"]).contains("env=prod, team=a"));
    let listed = daemon.json(["vpc", "list", "--label", "env=prod", "--label", "team"]);
    assert_eq!(
        (listed[0]["name"].as_str(), listed.as_array().unwrap().len()),
        (Some("red"), 1)
    );
    let shown = daemon.ok(["vpc", "label", "red", "env-", "team=b", "note="]);
    assert!(shown.contains("note=, team=b"), "{shown}");
    let listed = daemon.json(["vpc", "list", "--sort", "-name"]);
    let names: Vec<_> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|vpc| vpc["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["red", "default", "blue"]);
    let refused = daemon.berth(["vpc", "list", "--label", "a b"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
}
