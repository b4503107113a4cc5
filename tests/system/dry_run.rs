//! `?dry_run=true`: what a request would do, and nothing changes.
//!
//! ```text
//!   /v1/openapi.json ─ every route that changes something ─▶ a valid request, tried ─▶ 200, and what it would do
//!                                                                │
//!   records, domains, rules, files, processes ── before ══ after ┘
//! ```

mod bed;
mod cli;
mod diffs;
mod requests;
mod verdicts;

use berth_testkit::{Answer, Caller, Daemon, Host, Libvirt};
use serde_json::{Value, json};
use sqlx::{AnyConnection, Connection as _, Row as _};

use bed::{Ids, daemon, furnish};
use requests::request;

/// The same request, only tried.
fn tried(caller: &Caller, method: &str, path: &str, body: &Value) -> Answer {
    let separator = if path.contains('?') { '&' } else { '?' };
    meant(caller, method, &format!("{path}{separator}dry_run=true"), body)
}

fn meant(caller: &Caller, method: &str, path: &str, body: &Value) -> Answer {
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    caller.ask(method, path, &body)
}

/// Every route that changes something, as the daemon's document has it.
fn routes(caller: &Caller) -> Vec<(String, String)> {
    let document = caller.get("/v1/openapi.json").ok();
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let methods = item.as_object().unwrap().keys().filter(|method| *method != "get");
        found.extend(methods.map(|method| (method.to_uppercase(), path.clone())));
    }
    found
}

/// Every row of every table, but for the clock that goes on.
async fn records(daemon: &Daemon<'_>) -> Vec<String> {
    let url = format!("sqlite:{}?mode=ro", daemon.state_dir().join("berth.db").display());
    let mut database = AnyConnection::connect(&url).await.unwrap();
    let tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'meter' ORDER BY name";
    let mut found = Vec::new();
    for table in sqlx::query(tables).fetch_all(&mut database).await.unwrap() {
        let table: String = table.get(0);
        let columns = "SELECT group_concat('quote(' || name || ')', ' || '' '' || ') FROM pragma_table_info($1)";
        let columns = sqlx::query(columns).bind(table.clone());
        let columns: String = columns.fetch_one(&mut database).await.unwrap().get(0);
        let rows = sqlx::AssertSqlSafe(format!("SELECT {columns} FROM {table} ORDER BY 1"));
        for row in sqlx::query(rows).fetch_all(&mut database).await.unwrap() {
            found.push(format!("{table}: {}", row.get::<String, _>(0)));
        }
    }
    database.close().await.unwrap();
    found
}

/// What libvirt has defined, and what nft is told, without what only counts.
const APPLIED: &str = "\
for domain in $(virsh -q -c qemu:///system list --all --uuid); do virsh -q -c qemu:///system dumpxml $domain; done
nft -s list ruleset
for namespace in $(ip netns list | cut -d ' ' -f 1); do ip netns exec $namespace nft -s list ruleset; done";

/// All that a request could change.
fn everything(daemon: &Daemon<'_>) -> Vec<String> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut found = runtime.block_on(records(daemon));
    let applied = daemon.host().run("sh", ["-c", APPLIED]);
    found.extend(applied.lines().map(str::to_owned));
    found.extend(daemon.inventory());
    found
}

/// What is there once and not twice.
fn differences<'a>(one: &'a [String], other: &'a [String]) -> Vec<&'a String> {
    let only = |one: &'a [String], other: &'a [String]| one.iter().filter(|line| !other.contains(line)).collect();
    let (mut lost, come): (Vec<_>, Vec<_>) = (only(one, other), only(other, one));
    lost.extend(come);
    lost
}

/// Requests that are refused, of every kind of reason.
fn refused() -> Vec<(&'static str, &'static str, Value)> {
    let rule = "/v1/security-groups/web/rules";
    vec![
        ("POST", "/v1/vpcs", json!({ "name": "net" })),
        ("POST", "/v1/vpcs", json!({ "name": "a/b" })),
        ("POST", "/v1/vpcs", json!({ "nam": "a" })),
        (
            "POST",
            "/v1/subnets",
            json!({ "name": "x", "vpc": "net", "cidr": "10.7.0.128/25" }),
        ),
        ("POST", rule, json!({ "protocol": "icmp", "ports": "80" })),
        (
            "POST",
            "/v1/instances",
            json!({ "name": "x", "image": "blank", "type": "w.huge" }),
        ),
        (
            "POST",
            "/v1/instances",
            json!({ "name": "web", "image": "blank", "type": "w.small" }),
        ),
        ("POST", "/v1/instances/web/actions/start", json!({})),
        ("POST", "/v1/instances/web/actions/confirm_resize", json!({})),
        ("POST", "/v1/instances/web/actions/resize", json!({ "type": "w.small" })),
        ("POST", "/v1/instances/busy/actions/reboot", json!({})),
        ("POST", "/v1/volumes", json!({ "name": "x", "size": 0 })),
        ("POST", "/v1/volumes", json!({ "name": "x", "size": 4000 })),
        ("POST", "/v1/volumes/data/actions/attach", json!({ "instance": "off" })),
        ("POST", "/v1/volumes/data/actions/extend", json!({ "size": 1 })),
        (
            "POST",
            "/v1/images/pull",
            json!({ "url": "ftp://x/y", "settings": { "name": "x" } }),
        ),
        ("POST", "/v1/images?name=mine", Value::Null),
        ("POST", "/v1/ports/door/actions/detach", json!({})),
        ("POST", "/v1/ports/spare/actions/attach", json!({ "instance": "off" })),
        ("POST", "/v1/public-ips", json!({ "address": "203.0.113.10" })),
        ("POST", "/v1/tokens", json!({ "name": "x", "ttl_seconds": 0 })),
        ("DELETE", "/v1/volumes/data", Value::Null),
        ("DELETE", "/v1/vpcs/net", Value::Null),
        ("DELETE", "/v1/projects/default", Value::Null),
        ("DELETE", "/v1/security-groups/web", Value::Null),
        ("DELETE", "/v1/public-ips/203.0.113.10", Value::Null),
    ]
}

/// The same, of things that aren't there.
fn missing(route: &str) -> Option<String> {
    let named = route.contains('{');
    let part = |part: &str| if part.starts_with('{') { "not-there" } else { part }.to_owned();
    named.then(|| route.split('/').map(part).collect::<Vec<_>>().join("/"))
}

fn every_route_is_tried(daemon: &Daemon<'_>, ids: &Ids) {
    let root = daemon.caller();
    let before = everything(daemon);
    let routes = routes(&root);
    let mut wrong = Vec::new();
    for (method, route) in &routes {
        let Some((path, body)) = request(method, route, ids) else {
            wrong.push(format!(
                "{method} {route}: a new route: say in requests.rs how it is asked"
            ));
            continue;
        };
        let answer = tried(&root, method, &path, &body);
        let view = answer.json();
        let says = |list: &str| view[list].as_array().is_some_and(|list| !list.is_empty());
        // A host on which all is as it should be has nothing to be put right.
        let told = says("would") || says("operations") || route == "/v1/host/check";
        if answer.status != 200 || view["dry_run"] != true || !told {
            wrong.push(format!("{method} {path} {body}: {} {}", answer.status, answer.text));
        }
        let after = everything(daemon);
        if after != before {
            let what = differences(&before, &after);
            wrong.push(format!("{method} {path} {body}: it has changed {what:#?}"));
            break;
        }
    }
    assert_eq!(wrong, [] as [String; 0], "of {} routes", routes.len());
    println!(
        "{} routes that change something: each tried, none has changed anything",
        routes.len()
    );
}

fn what_is_refused_is_refused_likewise(daemon: &Daemon<'_>, ids: &Ids) {
    let root = daemon.caller();
    let mut cases: Vec<(String, String, Value)> = Vec::new();
    for (method, path, body) in refused() {
        cases.push((method.to_owned(), path.to_owned(), body));
    }
    for (method, route) in routes(&root) {
        let body = request(&method, &route, ids).map(|(_, body)| body);
        let cases_of = missing(&route).zip(body).map(|(path, body)| (method, path, body));
        cases.extend(cases_of);
    }
    let before = everything(daemon);
    for (method, path, body) in &cases {
        let (dry, real) = (tried(&root, method, path, body), meant(&root, method, path, body));
        // Whom nobody is a member of a project by that name is told so in the same words.
        assert_eq!(
            (dry.status, &dry.text),
            (real.status, &real.text),
            "{method} {path} {body}"
        );
        assert!(
            (400..500).contains(&real.status),
            "{method} {path} {body}: {}",
            real.text
        );
    }
    let after = everything(daemon);
    assert_eq!(differences(&before, &after), [] as [&String; 0]);
    println!("{} requests: refused when tried as when meant", cases.len());
}

/// What was tried is in the audit log as that, and what was meant isn't.
fn what_is_tried_is_audited(daemon: &Daemon<'_>) {
    let root = daemon.caller();
    let newest = |root: &Caller| root.get("/v1/audit?limit=2").ok()["items"].clone();
    tried(&root, "DELETE", "/v1/vpcs/bare", &Value::Null).ok();
    for (entry, decision) in newest(&root).as_array().unwrap().iter().zip(["done", "allowed"]) {
        assert_eq!(
            (&entry["decision"], &entry["dry_run"]),
            (&decision.into(), &true.into()),
            "{entry}"
        );
        assert_eq!(entry["what"], "DELETE /v1/vpcs/{vpc}", "{entry}");
    }
    meant(&root, "DELETE", "/v1/vpcs/not-there", &Value::Null);
    assert_eq!(newest(&root)[0]["dry_run"], Value::Null);
    // A misspelt one is refused before anything is done, and so is one of what only looks.
    for (method, path) in [
        ("DELETE", "/v1/vpcs/bare?dry_rum=true"),
        ("GET", "/v1/vpcs?dry_run=true"),
    ] {
        let refused = root.ask(method, path, "");
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (400, "invalid_argument"),
            "{}",
            refused.text
        );
    }
    root.get("/v1/vpcs/bare").ok();
}

#[test]
fn every_route_can_be_tried_and_changes_nothing() {
    sqlx::any::install_default_drivers();
    let host = Host::new(Libvirt::Started);
    let daemon = daemon(&host);
    let ids = furnish(&daemon.caller());
    every_route_is_tried(&daemon, &ids);
    what_is_refused_is_refused_likewise(&daemon, &ids);
    what_is_tried_is_audited(&daemon);
    let before = everything(&daemon);
    cli::commands_are_tried(&daemon);
    assert_eq!(differences(&before, &everything(&daemon)), [] as [&String; 0]);
}
