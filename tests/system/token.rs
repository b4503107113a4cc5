//! Members and tokens: what a token is worth is what its user is now, and its secret is nowhere but with its user.

use std::path::Path;

use berth_testkit::{Caller, Daemon, Host, Libvirt};
use jiff::Timestamp;
use serde_json::json;

use crate::people::{ANN, MEL, RUTH, STRANGER, Token, daemon, member, project, token};

/// Whether a file below a directory has that text in it; in a name of one, too.
pub(crate) fn is_kept(dir: &Path, text: &str) -> Option<String> {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let kind = std::fs::symlink_metadata(&path).unwrap().file_type();
        if path.to_string_lossy().contains(text) {
            return Some(path.display().to_string());
        }
        let found = if kind.is_dir() {
            is_kept(&path, text)
        } else if kind.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            let held = bytes.windows(text.len()).any(|window| window == text.as_bytes());
            held.then(|| path.display().to_string())
        } else {
            None
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

/// Makes sure that a secret is in no file of the host: neither the database nor the log, nor anything else.
pub(crate) fn is_kept_nowhere(daemon: &Daemon<'_>, secret: &str) {
    assert!(!secret.is_empty());
    assert_eq!(is_kept(daemon.host().dir(), secret), None);
    assert!(!daemon.log().contains(secret));
}

/// The secret of a token: what follows its id.
fn secret(token: &str) -> &str {
    token.splitn(3, '_').nth(2).unwrap()
}

/// Whether that caller may make a key pair in `red`: something that takes a member.
fn may_work(caller: &Caller, name: &str) -> u16 {
    caller.post("/v1/keypairs", &json!({ "name": name })).status
}

#[test]
fn a_token_is_worth_what_its_user_is_now() {
    let host = Host::new(Libvirt::Absent);
    let daemon = daemon(&host);
    let root = daemon.caller();
    project(&root, "red", &[("local:ann", "admin"), ("local:mel", "member")]);
    let ann = root.as_user(ANN);
    let made = token(&ann, &json!({ "name": "ci" }));
    let with = |token: &str| root.as_user(STRANGER).with_token(token);
    let ci = with(&made.bearer);
    let who = ci.get("/v1/whoami").ok();
    assert_eq!(
        (&who["user"], &who["via"], &who["token"], &who["roles"]),
        (
            &json!("local:ann"),
            &json!("token"),
            &json!(made.id),
            &json!([{ "project": "red", "role": "admin" }])
        )
    );
    assert_eq!(may_work(&ci, "one"), 201);

    // One that is capped is no more than that, though its user is.
    let look = json!({ "name": "look", "project": "red", "role": "reader" });
    let look = with(&token(&ann, &look).bearer);
    assert_eq!(look.get("/v1/keypairs").status, 200);
    assert_eq!(may_work(&look, "two"), 403);
    assert_eq!(look.get("/v1/whoami").ok()["roles"][0]["role"], "reader");
    // None is made that is more than its user.
    let more = json!({ "name": "more", "project": "red", "role": "admin" });
    let refused = root.as_user(MEL).post("/v1/tokens", &more);
    assert_eq!((refused.status, refused.json()["field"].as_str()), (400, Some("role")));

    // The user becomes less, and so does the token; more again, and so does the token, but not the capped one.
    member(&root, "red", "local:ann", "reader");
    assert_eq!((ci.get("/v1/keypairs").status, may_work(&ci, "three")), (200, 403));
    member(&root, "red", "local:ann", "admin");
    assert_eq!((may_work(&ci, "three"), may_work(&look, "four")), (201, 403));

    // Removed: nothing at once, and what a new invitation gives from then on.
    root.ask("DELETE", "/v1/projects/red/members/local:ann", "").ok();
    for caller in [&ci, &look, &ann.in_project("red")] {
        let refused = caller.get("/v1/keypairs");
        assert_eq!(
            (refused.status, refused.json()["field"].as_str()),
            (404, Some("project"))
        );
    }
    assert_eq!(ci.get("/v1/whoami").ok()["roles"], json!([]));
    assert_eq!(ci.get("/v1/projects").ok()["items"], json!([]));
    member(&root, "red", "local:ann", "reader");
    assert_eq!((ci.get("/v1/keypairs").status, may_work(&ci, "five")), (200, 403));

    // Revoked is for ever.
    ann.ask("DELETE", "/v1/tokens/ci", "").ok();
    let refused = ci.get("/v1/whoami");
    assert_eq!((refused.status, refused.code()), (401, "unauthenticated".to_owned()));
    // Of its project alone, whatever else its user is in.
    project(&root, "blue", &[("local:ann", "admin")]);
    let refused = look.in_project("blue").get("/v1/keypairs");
    assert_eq!(
        (refused.status, refused.json()["field"].as_str()),
        (404, Some("project"))
    );
    assert_eq!(look.get("/v1/projects").ok()["items"].as_array().unwrap().len(), 1);
}

#[test]
fn who_may_make_a_token_and_that_nobody_finds_its_secret() {
    let host = Host::new(Libvirt::Absent);
    let daemon = daemon(&host);
    let root = daemon.caller();
    project(&root, "red", &[("local:ann", "admin"), ("local:ruth", "reader")]);
    let (ann, ruth) = (root.as_user(ANN), root.as_user(RUTH));
    let made = token(&ann, &json!({ "name": "ci" }));
    let ci = root.as_user(STRANGER).with_token(&made.bearer);

    // A token makes no tokens, not an operator's either; only the operator makes any for others or for everywhere.
    let everywhere = token(&root, &json!({ "name": "everywhere", "operator": true }));
    let operator = root.as_user(STRANGER).with_token(&everywhere.bearer);
    assert_eq!(operator.get("/v1/host").status, 200);
    let plain = json!({ "name": "next" });
    let for_ann = json!({ "name": "next", "user": "local:ann", "project": "red" });
    let for_all = json!({ "name": "next", "operator": true });
    for (caller, body) in [
        (&ci, &plain),
        (&operator, &for_ann),
        (&operator, &for_all),
        (&ruth, &for_ann),
        (&ann, &for_all),
    ] {
        let refused = caller.post("/v1/tokens", body);
        assert_eq!(
            (refused.status, refused.code()),
            (403, "forbidden".to_owned()),
            "{body}"
        );
    }
    token(&root, &for_ann);
    // One's own are all that one sees and revokes, by name or id.
    let listed = |caller: &Caller| caller.get("/v1/tokens").ok()["items"].as_array().unwrap().len();
    assert_eq!((listed(&ruth), listed(&ann), listed(&root)), (0, 2, 3));
    for method in ["GET", "DELETE"] {
        for reference in ["ci", &made.id] {
            let refused = ruth.ask(method, &format!("/v1/tokens/{reference}"), "");
            assert_eq!((refused.status, refused.code()), (404, "not_found".to_owned()));
        }
    }

    // It is told that it was used, and what it is; the secret is nowhere.
    let unused = ann.get("/v1/tokens/next").ok();
    assert_eq!(
        (&unused["last_used_at"], &unused["revoked_at"]),
        (&json!(null), &json!(null))
    );
    let shown = ann.get("/v1/tokens/ci");
    assert!(shown.ok()["last_used_at"].is_string(), "{}", shown.text);
    // A wrong one is logged by nobody either.
    let wrong = format!("{}AAAA", &made.bearer[..made.bearer.len() - 4]);
    assert_eq!(root.with_token(&wrong).get("/v1/whoami").status, 401);
    // Nor is one that is taken for the name of a token, and stands in a path.
    assert_eq!(ann.get(&format!("/v1/tokens/{}", made.bearer)).status, 404);
    assert_eq!(
        ann.ask("DELETE", &format!("/v1/tokens/{}", made.bearer), "").status,
        404
    );
    for token in [&made.bearer, &everywhere.bearer, &wrong] {
        let secret = secret(token);
        for answer in [
            ann.get("/v1/tokens"),
            root.get("/v1/tokens"),
            shown.clone(),
            ci.get("/v1/whoami"),
        ] {
            assert!(!answer.text.contains(secret), "{}", answer.text);
        }
        is_kept_nowhere(&daemon, secret);
    }
    // What is looked for is found where it is: the id of the same token is in the database.
    assert!(is_kept(daemon.host().dir(), &made.id).is_some());
}

/// Reads the events of `red` until what is done once the stream is live has been told, or it has ended.
fn read(caller: &Caller, last: &str, done: impl Fn() + Send + Sync) -> String {
    let mut live = false;
    caller.in_project("red").stream("/v1/events?after=0", |told| {
        if !live && told.contains("\"behind\"") {
            live = true;
            // The reader's thread has a runtime of its own already.
            std::thread::scope(|scope| {
                scope.spawn(&done);
            });
        }
        told.contains(last)
    })
}

#[test]
fn an_event_stream_ends_with_the_right_to_read_it() {
    let host = Host::new(Libvirt::Absent);
    let daemon = daemon(&host);
    let root = daemon.caller();
    project(&root, "red", &[("local:ann", "admin"), ("local:ruth", "reader")]);
    let ann = root.as_user(ANN);
    let new = |name: &str| token(&root, &json!({ "name": name, "user": "local:ann", "project": "red" }));
    let with = |token: &Token| root.as_user(STRANGER).with_token(&token.bearer);
    let make = |name: &str| drop(root.in_project("red").post("/v1/vpcs", &json!({ "name": name })).ok());
    let remove = |path: &str| drop(root.ask("DELETE", path, "").ok());
    let (revoked, kept) = (new("revoked"), new("kept"));
    make("behind");

    let told = read(&with(&revoked), "\"one\"", || {
        remove(&format!("/v1/tokens/{}", revoked.id));
        make("one");
    });
    assert!(!told.contains("\"one\""), "{told}");
    // A token that expires, though nothing happens.
    let short = json!({ "name": "short", "user": "local:ann", "project": "red", "ttl_seconds": 2 });
    let short = token(&root, &short);
    let told = read(&with(&short), "never", || ());
    assert!(
        Timestamp::now() >= short.expires_at && told.contains("\"one\""),
        "{told}"
    );
    // Less is still enough to look; but who is in the project isn't for readers to know, nor who has tokens.
    let told = read(&with(&kept), "\"two\"", || {
        member(&root, "red", "local:ann", "reader");
        member(&root, "red", "local:new", "reader");
        make("two");
    });
    assert!(told.contains("local:ruth") && told.contains("token.created"), "{told}");
    assert!(!told.contains("local:new"), "{told}");
    let told = read(&root.as_user(RUTH), "\"three\"", || make("three"));
    assert!(
        told.contains("\"two\"") && !told.contains("local:") && !told.contains("token."),
        "{told}"
    );
    // A member who is removed, however they came.
    for (caller, after) in [(&with(&kept), "four"), (&ann, "five")] {
        member(&root, "red", "local:ann", "member");
        let told = read(caller, &format!("\"{after}\""), || {
            remove("/v1/projects/red/members/local:ann");
            make(after);
        });
        assert!(!told.contains(after), "{told}");
    }
}
