//! Requests that count on what was read before, answers that are packed, and what no request may be.

use std::io::Write as _;
use std::process::{Command, Stdio};

use berth_testkit::{Daemon, Host, Libvirt, Options, Whole, exchange};
use serde_json::{Value, json};

fn daemon(host: &Host, tiny: bool) -> Daemon<'_> {
    Daemon::start_with(
        host,
        Options {
            tiny,
            ..Options::default()
        },
    )
}

/// A request with these lines of a head and that body; `{}` is what a change that says nothing has.
fn ask(daemon: &Daemon<'_>, what: &str, head: &[&str], body: Value) -> Whole {
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    exchange(daemon, what, head, &body)
}

/// The tag of what is there.
fn tag(daemon: &Daemon<'_>, path: &str) -> String {
    let shown = exchange(daemon, &format!("GET {path}"), &[], "");
    assert_eq!(shown.status, 200, "{shown:?}");
    shown.header("etag").to_owned()
}

fn problem(answer: &Whole) -> Value {
    serde_json::from_slice(&answer.body).unwrap()
}

#[test]
fn who_has_it_already_is_told_so() {
    let host = Host::new(Libvirt::Absent);
    let daemon = daemon(&host, false);
    daemon.ok(["vpc", "create", "red"]);
    let (one, all) = (tag(&daemon, "/v1/vpcs/red"), tag(&daemon, "/v1/vpcs"));
    assert!(one.starts_with('"') && one.len() == 24 && one != all, "{one}");
    for has in [
        one.clone(),
        format!("\"other\", {one}"),
        format!("W/{one}"),
        "*".to_owned(),
    ] {
        let head = format!("if-none-match: {has}");
        for method in ["GET", "HEAD"] {
            let same = exchange(&daemon, &format!("{method} /v1/vpcs/red"), &[&head], "");
            assert_eq!((same.status, same.body.len()), (304, 0), "{method} {has}");
            assert_eq!((same.header("etag"), same.header("content-type")), (&*one, ""));
        }
    }
    // Another page is another thing, and what is made or renamed is seen.
    daemon.ok(["vpc", "create", "blue"]);
    let has = format!("if-none-match: {all}");
    assert_eq!(exchange(&daemon, "GET /v1/vpcs", &[&has], "").status, 200);
    assert_ne!(tag(&daemon, "/v1/vpcs"), all);
    assert_eq!(tag(&daemon, "/v1/vpcs/red"), one);
    // What is no tag is that of nothing.
    let naked = exchange(&daemon, "GET /v1/vpcs", &["if-none-match: naked"], "");
    assert_eq!(naked.status, 200);
}

#[test]
fn who_changes_what_another_has_changed_is_refused() {
    let host = Host::new(Libvirt::Absent);
    let daemon = daemon(&host, false);
    daemon.ok(["vpc", "create", "red"]);
    let seen = tag(&daemon, "/v1/vpcs/red");
    let matches = format!("if-match: {seen}");
    let rename =
        |head: &[&str], path: &str, name: &str| ask(&daemon, &format!("PATCH {path}"), head, json!({ "name": name }));
    assert_eq!(rename(&[&matches], "/v1/vpcs/red", "green").status, 200);
    let late = rename(&[&matches], "/v1/vpcs/green", "blue");
    assert_eq!(
        (late.status, &problem(&late)["code"]),
        (412, &json!("precondition_failed"))
    );
    assert_eq!(
        late.header("etag"),
        tag(&daemon, "/v1/vpcs/green"),
        "the refusal says what it is now"
    );
    assert_eq!(
        ask(&daemon, "DELETE /v1/vpcs/green", &[&matches], Value::Null).status,
        412
    );
    daemon.ok(["vpc", "show", "green"]);
    // A weak tag is never the same byte for byte, and what isn't there is not there.
    let weak = format!("if-match: W/{}", tag(&daemon, "/v1/vpcs/green"));
    assert_eq!(rename(&[&weak], "/v1/vpcs/green", "blue").status, 412);
    assert_eq!(rename(&[&matches], "/v1/vpcs/red", "blue").status, 404);
    assert_eq!(rename(&["if-match: *"], "/v1/vpcs/red", "blue").status, 404);
    assert_eq!(rename(&["if-match: *"], "/v1/vpcs/green", "red").status, 200);
    let naked = rename(&["if-match: naked"], "/v1/vpcs/red", "blue");
    assert_eq!((naked.status, &problem(&naked)["field"]), (400, &json!("If-Match")));
    // Where nothing can hold it, it is not passed over.
    for (head, field) in [(&*matches, "If-Match"), ("if-none-match: *", "If-None-Match")] {
        let made = ask(&daemon, "POST /v1/vpcs", &[head], json!({ "name": "more" }));
        assert_eq!((made.status, &problem(&made)["field"]), (400, &json!(field)));
    }
    // What is beneath a thing counts as a change of it.
    let group = "/v1/security-groups/red%2Fdefault";
    let matches = format!("if-match: {}", tag(&daemon, group));
    let rule = || {
        ask(
            &daemon,
            &format!("POST {group}/rules"),
            &[&matches],
            json!({ "ports": "443" }),
        )
        .status
    };
    assert_eq!((rule(), rule()), (201, 412));
    // The audit log has it as it was: allowed, and refused by what was there.
    let line = daemon.json(["audit", "list", "--limit", "1"]);
    let line = &line[0];
    assert_eq!(
        (&line["status"], &line["code"]),
        (&json!(412), &json!("precondition_failed")),
        "{line}"
    );
}

/// How often each of several adds one.
const EACH: usize = 15;
/// How often it is tried: each time that one is refused another has been let through.
const TRIES: usize = 1000;

#[test]
fn of_changes_at_once_none_is_lost() {
    let host = Host::new(Libvirt::Absent);
    let daemon = daemon(&host, false);
    daemon.ok(["project", "create", "count", "--description", "0"]);
    let add = || {
        for _ in 0..EACH {
            let changed = (0..TRIES).any(|_| {
                let shown = exchange(&daemon, "GET /v1/projects/count", &[], "");
                let count: usize = problem(&shown)["description"].as_str().unwrap().parse().unwrap();
                let matches = format!("if-match: {}", shown.header("etag"));
                let more = json!({ "description": (count + 1).to_string() });
                match ask(&daemon, "PATCH /v1/projects/count", &[&matches], more).status {
                    200 => true,
                    412 => false,
                    other => panic!("{other}"),
                }
            });
            assert!(changed, "it was always another one's turn");
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(add);
        }
    });
    assert_eq!(
        daemon.json(["project", "show", "count"])["description"],
        json!((4 * EACH).to_string())
    );
}

#[test]
fn an_instance_is_the_same_at_another_moment_and_a_request_sent_again_is_not_refused_for_itself() {
    let host = Host::new(Libvirt::Started);
    let daemon = daemon(&host, true);
    daemon.ok(["instance", "create", "web", "--image", "tiny", "--type", "t1.nano"]);
    let shown = || exchange(&daemon, "GET /v1/instances/web", &[], "");
    let (first, second) = (shown(), shown());
    assert_ne!(problem(&first)["as_of"], problem(&second)["as_of"]);
    assert_eq!(first.header("etag"), second.header("etag"));
    let matches = format!("if-match: {}", first.header("etag"));
    let head = [&*matches, "idempotency-key: once"];
    let stop = || {
        ask(
            &daemon,
            "POST /v1/instances/web/actions/stop",
            &head,
            json!({ "force": true }),
        )
    };
    let begun = stop();
    assert_eq!(begun.status, 202, "{begun:?}");
    let id = problem(&begun)["id"].clone();
    daemon.ok(["operation", "wait", id.as_str().unwrap()]);
    assert_eq!(problem(&stop())["id"], id);
    let start = ask(
        &daemon,
        "POST /v1/instances/web/actions/start",
        &[&matches],
        Value::Null,
    );
    assert_eq!(start.status, 412, "it is another since it was stopped");
}

#[test]
fn long_answers_are_packed_for_who_takes_that() {
    let host = Host::new(Libvirt::Absent);
    let daemon = daemon(&host, false);
    for number in 0..20 {
        daemon.ok(["vpc", "create", &format!("vpc-{number}")]);
    }
    let plain = exchange(&daemon, "GET /v1/vpcs", &[], "");
    assert_eq!(plain.header("content-encoding"), "");
    assert!(plain.header("vary").contains("accept-encoding"));
    let packed = exchange(&daemon, "GET /v1/vpcs", &["accept-encoding: gzip"], "");
    assert_eq!(packed.header("content-encoding"), "gzip");
    assert!(packed.body.len() * 3 < plain.body.len());
    let chunks = packed.header("transfer-encoding") == "chunked";
    assert_eq!(unpacked(&packed.body, chunks), plain.body);
    // Its tag is another, and as good.
    let of = packed.header("etag").trim_end_matches("-gzip\"").to_owned() + "\"";
    assert_eq!(of, plain.header("etag"));
    let has = format!("if-none-match: {}", packed.header("etag"));
    assert_eq!(exchange(&daemon, "GET /v1/vpcs", &[&has], "").status, 304);
    let short = exchange(&daemon, "GET /v1/vpcs/vpc-1", &["accept-encoding: gzip"], "");
    assert_eq!(short.header("content-encoding"), "");
}

/// What gzip makes of a body.
fn unpacked(body: &[u8], chunked: bool) -> Vec<u8> {
    let mut packed = Vec::new();
    let mut rest = body;
    while chunked && !rest.is_empty() {
        let line = rest.windows(2).position(|bytes| bytes == b"\r\n").unwrap();
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).unwrap(), 16).unwrap();
        packed.extend(&rest[line + 2..line + 2 + size]);
        rest = &rest[line + 4 + size..];
    }
    let packed = if chunked { packed } else { body.to_vec() };
    let mut gzip = Command::new("gzip")
        .arg("-dc")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    gzip.stdin.take().unwrap().write_all(&packed).unwrap();
    gzip.wait_with_output().unwrap().stdout
}

#[test]
fn what_is_too_large_or_packed_or_of_another_kind_is_refused() {
    let host = Host::new(Libvirt::Absent);
    let daemon = daemon(&host, false);
    let packed = exchange(&daemon, "POST /v1/vpcs", &["content-encoding: gzip"], "{}");
    let why = problem(&packed);
    assert_eq!((packed.status, &why["code"]), (415, &json!("unsupported_media_type")));
    assert_eq!(packed.header("accept-encoding"), "identity");
    let kind = exchange(&daemon, "POST /v1/vpcs", &["content-type: text/plain"], "");
    assert_eq!(kind.status, 415, "{kind:?}");
    let name = "n".repeat(5 << 20);
    let large = ask(&daemon, "POST /v1/vpcs", &[], json!({ "name": name }));
    assert_eq!((large.status, &problem(&large)["code"]), (413, &json!("too_large")));
    let head = format!("x-long: {}", "h".repeat(256 << 10));
    assert_eq!(exchange(&daemon, "GET /v1/vpcs", &[&head], "").status, 431);
    // Who asks for a method that a path hasn't got is told which it has.
    let put = exchange(&daemon, "PUT /v1/vpcs/red", &[], "");
    assert_eq!((put.status, put.header("allow")), (405, "GET, HEAD, PATCH, DELETE"));
    daemon.ok(["vpc", "list"]);
}
