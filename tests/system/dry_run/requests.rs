//! A request for each route that changes something: valid on a host that is furnished.

use serde_json::{Value, json};

use super::bed::{Ids, instance};

/// The path and the body; none for a route that nobody has said one for.
pub(super) fn request(method: &str, route: &str, ids: &Ids) -> Option<(String, Value)> {
    let (path, body) = match method {
        "DELETE" => (deleted(route)?, Value::Null),
        "PATCH" | "PUT" => changed(route)?,
        _ => made(route).or_else(|| acted(route))?,
    };
    let path = path.replace("OPERATION", &ids.operation).replace("RULE", &ids.rule);
    Some((path, body))
}

fn deleted(route: &str) -> Option<String> {
    let path = match route {
        "/v1/projects/{project}/members/{user}" => "/v1/projects/empty/members/local:ruth",
        "/v1/security-groups/{group}/rules/{rule}" => "/v1/security-groups/web/rules/RULE",
        "/v1/projects/{project}" => "/v1/projects/empty",
        "/v1/tokens/{token}" => "/v1/tokens/ci",
        "/v1/instances/{instance}" => "/v1/instances/web",
        "/v1/volumes/{volume}" => "/v1/volumes/free",
        "/v1/snapshots/{snapshot}" => "/v1/snapshots/before",
        "/v1/images/{image}" => "/v1/images/mine",
        "/v1/keypairs/{keypair}" => "/v1/keypairs/laptop",
        "/v1/vpcs/{vpc}" => "/v1/vpcs/bare",
        "/v1/subnets/{subnet}" => "/v1/subnets/back",
        "/v1/security-groups/{group}" => "/v1/security-groups/unused",
        "/v1/ports/{port}" => "/v1/ports/spare",
        "/v1/public-ips/{address}" => "/v1/public-ips/203.0.113.11",
        _ => return None,
    };
    Some(path.to_owned())
}

fn changed(route: &str) -> Option<(String, Value)> {
    let (path, body) = match route {
        "/v1/projects/{project}" => ("/v1/projects/empty", json!({ "description": "tried" })),
        "/v1/projects/{project}/quota" => ("/v1/projects/empty/quota", json!({ "limits": { "vcpus": 1 } })),
        "/v1/projects/{project}/members/{user}" => {
            let member = "/v1/projects/empty/members/local:mel";
            (member, json!({ "role": "member" }))
        }
        "/v1/volumes/{volume}" => ("/v1/volumes/free", json!({ "name": "tried" })),
        "/v1/images/{image}" => ("/v1/images/mine", json!({ "name": "tried" })),
        "/v1/instances/{instance}" => ("/v1/instances/web", labels()),
        "/v1/keypairs/{keypair}" => ("/v1/keypairs/laptop", labels()),
        "/v1/snapshots/{snapshot}" => ("/v1/snapshots/before", labels()),
        "/v1/public-ips/{address}" => ("/v1/public-ips/203.0.113.11", labels()),
        "/v1/vpcs/{vpc}" => ("/v1/vpcs/net", json!({ "name": "tried" })),
        "/v1/subnets/{subnet}" => ("/v1/subnets/front", json!({ "nat": false })),
        "/v1/security-groups/{group}" => ("/v1/security-groups/web", json!({ "name": "tried" })),
        "/v1/ports/{port}" => ("/v1/ports/door", json!({ "security_groups": ["unused"] })),
        _ => return None,
    };
    Some((path.to_owned(), body))
}

fn labels() -> Value {
    json!({ "labels": { "tier": "tried" } })
}

fn made(route: &str) -> Option<(String, Value)> {
    let body = match route {
        // The body is the image: what it would be is not looked at.
        "/v1/images" => return Some(("/v1/images?name=tried".to_owned(), Value::Null)),
        "/v1/images/pull" => json!({ "url": "https://images.example/x.qcow2", "settings": { "name": "tried" } }),
        "/v1/instances" => instance("tried", &json!({ "count": 2, "nics": [{ "subnet": "front" }] })),
        "/v1/volumes" | "/v1/snapshots" => json!({ "name": "tried", "volume": "data" }),
        "/v1/vpcs" | "/v1/projects" | "/v1/keypairs" => json!({ "name": "tried" }),
        "/v1/tokens" => json!({ "name": "tried", "operator": true }),
        "/v1/subnets" => json!({ "name": "tried", "vpc": "net", "cidr": "10.7.9.0/24" }),
        "/v1/security-groups" => json!({ "name": "tried", "vpc": "net" }),
        "/v1/ports" => json!({ "name": "tried", "subnet": "front" }),
        "/v1/public-ips" | "/v1/host/check" => json!({}),
        _ => return None,
    };
    Some((route.to_owned(), body))
}

fn acted(route: &str) -> Option<(String, Value)> {
    let web = |action: &str| format!("/v1/instances/web/{action}");
    let data = |action: &str| format!("/v1/volumes/data/actions/{action}");
    let action = route.rsplit('/').next()?;
    Some(match route {
        "/v1/instances/{instance}/actions/start" => ("/v1/instances/off/actions/start".to_owned(), json!({})),
        "/v1/instances/{instance}/actions/unshelve" => ("/v1/instances/shelf/actions/unshelve".to_owned(), json!({})),
        "/v1/instances/{instance}/actions/confirm_resize" | "/v1/instances/{instance}/actions/revert_resize" => {
            (format!("/v1/instances/grown/actions/{action}"), json!({}))
        }
        "/v1/instances/{instance}/actions/resize" => (web("actions/resize"), json!({ "type": "w.large" })),
        "/v1/instances/{instance}/actions/reboot" => (web("actions/reboot"), json!({ "hard": true })),
        "/v1/instances/{instance}/actions/stop" | "/v1/instances/{instance}/actions/shelve" => {
            (web(&format!("actions/{action}")), json!({}))
        }
        "/v1/instances/{instance}/snapshots" => (web("snapshots"), json!({ "name": "tried" })),
        "/v1/instances/{instance}/public-ip" => ("/v1/instances/bare/public-ip".to_owned(), json!({})),
        "/v1/ports/{port}/public-ip" => ("/v1/ports/side/public-ip".to_owned(), json!({})),
        "/v1/volumes/{volume}/actions/attach" => (
            "/v1/volumes/free/actions/attach".to_owned(),
            json!({ "instance": "web" }),
        ),
        "/v1/volumes/{volume}/actions/extend" => (data(action), json!({ "size": 2 })),
        "/v1/volumes/{volume}/actions/save_as_image" => (data(action), json!({ "name": "tried" })),
        "/v1/volumes/{volume}/actions/detach" => (data(action), json!({})),
        "/v1/security-groups/{group}/rules" => {
            let rule = json!({ "protocol": "tcp", "ports": "443" });
            ("/v1/security-groups/web/rules".to_owned(), rule)
        }
        "/v1/ports/{port}/actions/attach" => (
            "/v1/ports/spare/actions/attach".to_owned(),
            json!({ "instance": "web" }),
        ),
        "/v1/ports/{port}/actions/detach" => ("/v1/ports/side/actions/detach".to_owned(), json!({})),
        "/v1/public-ips/{address}/actions/attach" => {
            let attach = "/v1/public-ips/203.0.113.11/actions/attach";
            (attach.to_owned(), json!({ "port": "side" }))
        }
        "/v1/public-ips/{address}/actions/detach" => {
            ("/v1/public-ips/203.0.113.10/actions/detach".to_owned(), json!({}))
        }
        "/v1/operations/{operation}/actions/cancel" => {
            ("/v1/operations/OPERATION/actions/cancel".to_owned(), json!({}))
        }
        _ => return None,
    })
}
