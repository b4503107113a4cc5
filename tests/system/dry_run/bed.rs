//! A host on which every request that changes something has something to change.

use std::fs;

use berth_testkit::{Caller, Daemon, Host};
use serde_json::{Value, json};

use crate::isolation::bed::done;
use crate::outside;

/// Two types that can be resized to each other, with prices, and prices of all else.
const CONFIG: &str = r#"
stop_grace = 1
[[types]]
name = "w.small"
vcpus = 1
memory = 128
storage = 1
nics = 3
bandwidth = 100
price_per_hour = "0.1"
[[types]]
name = "w.large"
vcpus = 2
memory = 160
storage = 1
nics = 3
bandwidth = 100
price_per_hour = "0.2"
[prices]
currency = "EUR"
snapshot = "0.0001"
[prices.volume]
ssd = "0.002"
[prices.public_ip]
public = "0.004"
"#;

/// A daemon with these types and prices, and an image whose guest does nothing, which it does at once.
pub(super) fn daemon(host: &Host) -> Daemon<'_> {
    let daemon = outside::daemon(host, CONFIG);
    let blank = host.dir().join("blank.raw");
    fs::write(&blank, vec![0; 1 << 20]).unwrap();
    daemon.ok(["image", "import", blank.to_str().unwrap(), "--name", "blank"]);
    daemon
}

/// An instance of that image.
pub(super) fn instance(name: &str, more: &Value) -> Value {
    let mut body = json!({ "name": name, "image": "blank", "type": "w.small" });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

/// What paths name that has no name of its own.
pub(super) struct Ids {
    pub(super) rule: String,
    pub(super) operation: String,
}

/// One of everything: what is attached and what is free, and an instance in each state that something begins from.
pub(super) fn furnish(root: &Caller) -> Ids {
    let make = |path: &str, body: Value| root.post(path, &body).ok();
    let run = |path: &str, body: Value| drop(done(root, path, &body));
    make("/v1/projects", json!({ "name": "empty" }));
    let reader = json!({ "role": "reader" }).to_string();
    root.ask("PUT", "/v1/projects/empty/members/local:ruth", &reader).ok();
    make("/v1/vpcs", json!({ "name": "net" }));
    make("/v1/vpcs", json!({ "name": "bare" }));
    for (name, cidr) in [("front", "10.7.0.0/24"), ("back", "10.7.1.0/24")] {
        make("/v1/subnets", json!({ "name": name, "vpc": "net", "cidr": cidr }));
    }
    make("/v1/security-groups", json!({ "name": "web", "vpc": "net" }));
    make("/v1/security-groups", json!({ "name": "unused", "vpc": "net" }));
    let http = json!({ "protocol": "tcp", "ports": "80" });
    let rule = make("/v1/security-groups/web/rules", http);
    for name in ["door", "side", "spare"] {
        let port = json!({ "name": name, "subnet": "front", "security_groups": ["web"] });
        make("/v1/ports", port);
    }
    make("/v1/keypairs", json!({ "name": "laptop" }));
    make("/v1/tokens", json!({ "name": "ci", "operator": true }));
    for address in ["203.0.113.10", "203.0.113.11"] {
        make("/v1/public-ips", json!({ "address": address }));
    }
    for name in ["data", "free"] {
        run("/v1/volumes", json!({ "name": name, "size": 1 }));
    }
    run("/v1/snapshots", json!({ "name": "before", "volume": "data" }));
    run("/v1/volumes/free/actions/save_as_image", json!({ "name": "mine" }));

    let nics = json!([{ "port": "door" }, { "port": "side" }]);
    let web = json!({ "nics": nics, "volumes": [{ "volume": "data" }], "public_ip": { "address": "203.0.113.10" } });
    run("/v1/instances", instance("web", &web));
    for name in ["off", "shelf", "grown", "busy", "bare"] {
        run("/v1/instances", instance(name, &json!({})));
    }
    for name in ["off", "shelf", "grown"] {
        let stop = format!("/v1/instances/{name}/actions/stop");
        run(&stop, json!({ "force": true }));
    }
    run("/v1/instances/shelf/actions/shelve", json!({}));
    run("/v1/instances/grown/actions/resize", json!({ "type": "w.large" }));
    // Its guest hears no power button.
    let stop = json!({ "timeout_seconds": 3600 });
    let busy = make("/v1/instances/busy/actions/stop", stop);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    Ids {
        rule: text(&rule["id"]),
        operation: text(&busy["id"]),
    }
}
