//! Who may do what: every route of the daemon's own document, asked by everybody there is.
//!
//! ```text
//!   /v1/openapi.json ─ every route ─┐                       ┌─ what `table` expects: the documents, said once more
//!                                   ├─▶ a real request ─▶ =?┤
//!   everybody ──────────────────────┘                       └─ 401 · 403 · 404 of the project · let through
//! ```
//!
//! What is asked for isn't there, or asked wrongly: a request that is let through changes nothing.

mod table;

use berth_testkit::{Answer, Caller, Daemon, Host, Libvirt};
use serde_json::json;

use crate::people::{ANN, BOB, MEL, RUTH, STRANGER, Token, daemon, project, token, until};
use table::{Is, Takes, Verdict, takes, verdict};

/// Somebody, and what they are to `red`, which is what they ask about.
struct Somebody {
    called: &'static str,
    is: Is,
    by_token: bool,
    caller: Caller,
}

/// Everybody there is, each for real.
fn everybody(daemon: &Daemon<'_>) -> Vec<Somebody> {
    let root = daemon.caller();
    let people = [
        ("local:ruth", "reader"),
        ("local:mel", "member"),
        ("local:ann", "admin"),
        ("local:gone", "admin"),
    ];
    project(&root, "red", &people);
    project(&root, "blue", &[("local:bob", "admin")]);
    let of_red = |user: &str, name: &str| json!({ "name": name, "user": user, "project": "red" });
    let short = json!({ "name": "short", "user": "local:ann", "project": "red", "ttl_seconds": 1 });
    let expired = token(&root, &short);
    let revoked = token(&root, &of_red("local:ann", "revoked"));
    root.ask("DELETE", &format!("/v1/tokens/{}", revoked.id), "").ok();
    let former = token(&root, &of_red("local:gone", "former"));
    root.ask("DELETE", "/v1/projects/red/members/local:gone", "").ok();
    let of_blue = json!({ "name": "blue", "user": "local:bob", "project": "blue" });
    let operator = json!({ "name": "everywhere", "operator": true });

    let red = root.in_project("red");
    let local = |called, is, uid| (called, is, false, red.as_user(uid));
    // Those with tokens come as the stranger: the kernel vouches for nobody then.
    let with = |called, is, made: &Token| (called, is, true, red.as_user(STRANGER).with_token(&made.bearer));
    let found = [
        local("a local user whom the operator doesn't know", Is::Nobody, STRANGER),
        (
            "a token that never was",
            Is::Nobody,
            true,
            red.as_user(STRANGER).with_token(&forged(&revoked.bearer)),
        ),
        with("an admin's expired token", Is::Nobody, &expired),
        with("an admin's revoked token", Is::Nobody, &revoked),
        with("the token of a former admin", Is::Outsider, &former),
        with(
            "the token of another project's admin",
            Is::Outsider,
            &token(&root, &of_blue),
        ),
        local("another project's admin", Is::Outsider, BOB),
        with(
            "a reader's token",
            Is::Reader,
            &token(&root, &of_red("local:ruth", "reader")),
        ),
        local("a reader", Is::Reader, RUTH),
        with(
            "a member's token",
            Is::Member,
            &token(&root, &of_red("local:mel", "member")),
        ),
        local("a member", Is::Member, MEL),
        with(
            "an admin's token",
            Is::Admin,
            &token(&root, &of_red("local:ann", "admin")),
        ),
        local("an admin", Is::Admin, ANN),
        with("an operator's token", Is::Operator, &token(&root, &operator)),
        ("the superuser", Is::Operator, false, red.clone()),
    ];
    until(expired.expires_at);
    let somebody = |(called, is, by_token, caller)| Somebody {
        called,
        is,
        by_token,
        caller,
    };
    found.into_iter().map(somebody).collect()
}

/// A token with the id of a real one and a secret that isn't its.
fn forged(token: &str) -> String {
    let (real, _) = token.rsplit_once('_').unwrap();
    format!("{real}_{}", "A".repeat(43))
}

/// Every route that the daemon has, as it says itself: method and path. Its own document's route isn't in it.
fn routes(anybody: &Caller) -> Vec<(String, String)> {
    let document = anybody.get("/v1/openapi.json").ok();
    let mut found = vec![("GET".to_owned(), "/v1/openapi.json".to_owned())];
    for (path, item) in document["paths"].as_object().unwrap() {
        let methods = item.as_object().unwrap().keys();
        found.extend(methods.map(|method| (method.to_uppercase(), path.clone())));
    }
    found
}

/// The path of a request that changes nothing: about `red`, and what isn't in it.
fn harmless(path: &str) -> String {
    let part = |part: &str| match part {
        "{project}" => "red".to_owned(),
        "{port}" if path.contains("/tcp/") => "22".to_owned(),
        "{operation}" => "00000000-0000-7000-8000-000000000000".to_owned(),
        part if part.starts_with('{') => "not-there".to_owned(),
        part => part.to_owned(),
    };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// How a request was answered, if it was as one that is let through or as one of the three refusals.
fn answered(answer: &Answer) -> Option<Verdict> {
    let problem = answer.json();
    let code = problem["code"].as_str().unwrap_or_default();
    match (answer.status, code) {
        (401, "unauthenticated") => Some(Verdict::Unauthenticated),
        (403, "forbidden") => Some(Verdict::Forbidden),
        (404, "not_found") if problem["field"] == "project" => Some(Verdict::NoProject),
        (401 | 403 | 500.., _) => None,
        _ => Some(Verdict::Through),
    }
}

#[test]
fn every_route_lets_through_whom_the_table_says_and_nobody_else() {
    let host = Host::new(Libvirt::Started);
    let daemon = daemon(&host);
    let everybody = everybody(&daemon);
    // A project that has something isn't deleted.
    daemon
        .caller()
        .in_project("red")
        .post("/v1/vpcs", &json!({ "name": "keep" }))
        .ok();
    let routes = routes(&daemon.caller().as_user(STRANGER));
    assert!(routes.len() > 90, "{}", routes.len());
    let mut wrong = Vec::new();
    let mut counts = [0_usize; 2];
    // Who fails too often isn't looked at any more: each failure is somebody else's.
    let mut strangers = STRANGER + 1..;
    for (method, path) in &routes {
        let Some(takes) = takes(method, path) else {
            wrong.push(format!(
                "{method} {path}: a new route has no expectation: say in table.rs whom it takes"
            ));
            continue;
        };
        // A token is made by who may: no other request does anything with so little in it.
        let body = match (method.as_str(), takes) {
            (_, Takes::UserWithoutToken) => json!({ "name": "one-more" }).to_string(),
            ("GET" | "DELETE", _) => String::new(),
            _ => "{}".to_owned(),
        };
        for somebody in &everybody {
            let expected = verdict(takes, somebody.is, somebody.by_token);
            let caller = match somebody.is {
                Is::Nobody => somebody.caller.as_user(strangers.next().unwrap()),
                _ => somebody.caller.clone(),
            };
            let answer = caller.ask(method, &harmless(path), &body);
            counts[usize::from(expected == Verdict::Through)] += 1;
            if answered(&answer) != Some(expected) {
                let (status, text) = (answer.status, &answer.text);
                wrong.push(format!(
                    "{method} {path} by {}: {expected:?}, not {status} {text}",
                    somebody.called
                ));
            }
        }
    }
    let [refused, through] = counts;
    println!(
        "{} routes × {} callers: {} requests, {through} let through, {refused} refused",
        routes.len(),
        everybody.len(),
        refused + through
    );
    assert_eq!(wrong, [] as [String; 0], "{} of {}", wrong.len(), refused + through);
}

#[test]
fn nothing_is_reached_around_the_table() {
    let host = Host::new(Libvirt::Absent);
    let daemon = daemon(&host);
    let mut strangers = STRANGER..;
    let mut nobody = || daemon.caller().as_user(strangers.next().unwrap());
    for (method, path) in routes(&nobody()) {
        if matches!(takes(&method, &path), Some(Takes::Anybody)) {
            continue;
        }
        let path = harmless(&path);
        let mut ways = vec![
            ("OPTIONS", path.clone()),
            ("TRACE", path.clone()),
            ("HEAD", path.clone()),
            ("get", path.clone()),
        ];
        let odd = [
            format!("{path}/"),
            path.replace("/v1/", "/v1//"),
            path.replace("/v1/", "//v1/"),
            path.replace("/v1/", "/V1/"),
            path.replace("/v1/", "/v1/x/../"),
            path.replace("/v1/", "/v1/%2e/"),
            format!("{path}%2F"),
            format!("{path};"),
        ];
        ways.extend(odd.map(|path| (method.as_str(), path)));
        for (method, path) in ways {
            let answer = nobody().ask(method, &path, "");
            assert!(
                matches!(answer.status, 401 | 404 | 405),
                "{method} {path}: {} {}",
                answer.status,
                answer.text
            );
        }
    }
}
