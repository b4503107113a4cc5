//! A project with one of everything, each with the name, the addresses and the MAC that the other project's has.

use berth_testkit::Caller;
use serde_json::{Value, json};

/// What a project has: by what paths call it, e.g. `volume`, the ids of all of that kind.
pub(crate) type Things = Vec<(&'static str, String)>;

/// The first of a kind.
pub(crate) fn of<'a>(things: &'a Things, kind: &str) -> &'a str {
    let found = things.iter().find(|(of, _)| *of == kind);
    &found.unwrap_or_else(|| panic!("no {kind}")).1
}

/// The address of a project's public IP.
pub(crate) fn public(things: &Things) -> &str {
    let found = things.iter().find(|(kind, id)| *kind == "address" && id.contains('.'));
    &found.unwrap().1
}

/// Makes one of everything; the instance runs, with that public IP.
pub(crate) fn furnish(by: &Caller, address: &str) -> Things {
    let mut things = Things::new();
    let mut make = |kind: &'static str, path: &str, body: Value| {
        let id = text(&by.post(path, &body).ok()["id"]);
        things.push((kind, id));
    };
    make("vpc", "/v1/vpcs", json!({ "name": "net" }));
    let front = json!({ "name": "front", "vpc": "net", "cidr": "10.7.0.0/24" });
    make("subnet", "/v1/subnets", front);
    let web = json!({ "name": "web", "vpc": "net" });
    make("group", "/v1/security-groups", web);
    let http = json!({ "protocol": "tcp", "ports": "80" });
    make("rule", "/v1/security-groups/web/rules", http);
    let door = json!({ "name": "door", "subnet": "front", "address": "10.7.0.9", "mac": "52:54:00:0a:0b:0c" });
    make("port", "/v1/ports", door);
    make("keypair", "/v1/keypairs", json!({ "name": "laptop" }));
    make("address", "/v1/public-ips", json!({ "address": address }));
    let mut run = |path: &str, body: Value| things.extend(done(by, path, &body));
    run("/v1/volumes", json!({ "name": "data", "size": 1 }));
    run("/v1/snapshots", json!({ "name": "before", "volume": "data" }));
    run("/v1/volumes/data/actions/save_as_image", json!({ "name": "mine" }));
    let instance = json!({
        "name": "web", "image": "tiny", "type": "t1.nano", "key": "laptop", "volumes": [{ "volume": "data" }],
        "nics": [{ "port": "door" }], "public_ip": { "address": address },
    });
    run("/v1/instances", instance);
    let shown = by.get("/v1/instances/web").ok();
    assert_eq!(shown["addresses"][0]["public"], address);
    for (kind, path) in [
        ("instance", "/v1/instances/web"),
        ("volume", "/v1/volumes/data"),
        ("snapshot", "/v1/snapshots/before"),
        ("image", "/v1/images/mine"),
    ] {
        things.push((kind, text(&by.get(path).ok()["id"])));
    }
    things.push(("volume", text(&shown["root_volume"])));
    things.push(("address", address.to_owned()));
    things
}

/// Begins something and waits for its end; its operations.
pub(crate) fn done(by: &Caller, path: &str, body: &Value) -> Things {
    let begun = by.post(path, body).ok();
    let operations = match begun["operations"].as_array() {
        Some(several) => several.clone(),
        None => vec![begun],
    };
    let mut ended = Things::new();
    for operation in operations {
        let id = text(&operation["id"]);
        let stands = by.get(&format!("/v1/operations/{id}/wait?timeout_seconds=60")).ok();
        assert_eq!(stands["error"], Value::Null, "{path}: {stands}");
        assert!(!stands["finished_at"].is_null(), "{path}: {stands}");
        ended.push(("operation", id));
    }
    ended
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}
