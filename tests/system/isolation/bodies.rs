//! What is asked with an id in the body.

use serde_json::{Value, json};

use super::Two;
use super::bed::{of, public};

/// Every place of a body where something is named: method, path and body with `ID` for an id of that kind.
fn references() -> Vec<(&'static str, &'static str, &'static str, Value)> {
    let instance = |more: Value| {
        let mut body = json!({ "name": "thief", "image": "tiny", "type": "t1.nano" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let new = "/v1/instances";
    let volume = |from: &str| json!({ "name": "thief", from: "ID" });
    vec![
        ("POST", new, "image", instance(json!({ "image": "ID" }))),
        ("POST", new, "keypair", instance(json!({ "key": "ID" }))),
        (
            "POST",
            new,
            "volume",
            instance(json!({ "volumes": [{ "volume": "ID" }] })),
        ),
        ("POST", new, "subnet", instance(json!({ "nics": [{ "subnet": "ID" }] }))),
        ("POST", new, "port", instance(json!({ "nics": [{ "port": "ID" }] }))),
        (
            "POST",
            new,
            "group",
            instance(json!({ "nics": [{ "subnet": "front" }], "security_groups": ["ID"] })),
        ),
        (
            "POST",
            new,
            "public",
            instance(json!({ "public_ip": { "address": "ID" } })),
        ),
        ("POST", "/v1/volumes", "image", volume("image")),
        ("POST", "/v1/volumes", "snapshot", volume("snapshot")),
        ("POST", "/v1/volumes", "volume", volume("volume")),
        (
            "POST",
            "/v1/volumes/data/actions/attach",
            "instance",
            json!({ "instance": "ID" }),
        ),
        (
            "POST",
            "/v1/snapshots",
            "volume",
            json!({ "name": "thief", "volume": "ID" }),
        ),
        (
            "POST",
            "/v1/subnets",
            "vpc",
            json!({ "name": "thief", "vpc": "ID", "cidr": "10.8.0.0/24" }),
        ),
        (
            "POST",
            "/v1/security-groups",
            "vpc",
            json!({ "name": "thief", "vpc": "ID" }),
        ),
        (
            "POST",
            "/v1/security-groups/web/rules",
            "group",
            json!({ "group": "ID" }),
        ),
        ("POST", "/v1/ports", "subnet", json!({ "subnet": "ID" })),
        (
            "POST",
            "/v1/ports",
            "group",
            json!({ "subnet": "front", "security_groups": ["ID"] }),
        ),
        ("PATCH", "/v1/ports/door", "group", json!({ "security_groups": ["ID"] })),
        (
            "POST",
            "/v1/ports/door/actions/attach",
            "instance",
            json!({ "instance": "ID" }),
        ),
        (
            "POST",
            "/v1/public-ips/PUBLIC/actions/attach",
            "instance",
            json!({ "instance": "ID" }),
        ),
        (
            "POST",
            "/v1/public-ips/PUBLIC/actions/attach",
            "port",
            json!({ "port": "ID" }),
        ),
        (
            "POST",
            "/v1/tokens",
            "project",
            json!({ "name": "thief", "project": "ID" }),
        ),
    ]
}

pub(super) fn by_body(two: &Two<'_>) {
    for (method, path, kind, body) in references() {
        let id = if kind == "public" {
            public(&two.red)
        } else {
            of(&two.red, kind)
        };
        let path = path.replace("PUBLIC", public(&two.blue));
        let ask = |id: &str| (method.to_owned(), path.clone(), body.to_string().replace("ID", id));
        let (status, what) = two.same(id, ask);
        assert_eq!(status, 404, "{what}");
    }
    // What red's ports have in red's network is free in blue's.
    let pair = json!({ "subnet": "front", "address": "10.7.0.40", "address_pairs": ["10.7.0.41"] });
    two.ann.post("/v1/ports", &pair).ok();
    let pair = json!({ "subnet": "front", "address": "10.7.0.41", "address_pairs": ["10.7.0.40"] });
    two.bob.post("/v1/ports", &pair).ok();
    // An address of the pool is one thing for all: that it is taken is told, and nothing of by whom.
    let taken = two.bob.post("/v1/public-ips", &json!({ "address": public(&two.red) }));
    let words = format!("{} is taken already: choose another, or give none", public(&two.red));
    assert_eq!(
        (taken.status, taken.json()["detail"].as_str()),
        (409, Some(words.as_str()))
    );
}
