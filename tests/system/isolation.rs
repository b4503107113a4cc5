//! Two projects with the same names, addresses and MACs: for each of them the other isn't there.
//!
//! Whatever `blue` asks with an id of `red`'s is answered as if it had made the id up: the same status, the same words.

pub(crate) mod bed;
mod bodies;
mod paths;

use std::io::Read as _;

use berth_api_types::STREAM_PROTOCOL;
use berth_testkit::{Caller, Daemon, Host, Libvirt};
use serde_json::json;

use self::bed::{Things, done, furnish, of, public};
use crate::people::{ANN, BOB, CONFIG, MEL, RUTH, STRANGER, project};

/// An id that nobody has, and an address of the pool that nobody has.
const NOBODYS: [&str; 2] = ["0198f3c2-7a10-7e1b-9d0a-5c1f6f4e2b11", "203.0.113.99"];

fn nobodys(like: &str) -> &'static str {
    NOBODYS[usize::from(like.contains('.'))]
}

/// The two projects and their admins.
struct Two<'a> {
    daemon: &'a Daemon<'a>,
    ann: Caller,
    bob: Caller,
    red: Things,
    blue: Things,
}

impl<'a> Two<'a> {
    fn new(daemon: &'a Daemon<'_>) -> Self {
        let root = daemon.caller();
        let public = json!({ "visibility": "default" }).to_string();
        root.ask("PATCH", "/v1/images/tiny", &public).ok();
        let people = [
            ("local:ann", "admin"),
            ("local:mel", "member"),
            ("local:ruth", "reader"),
        ];
        project(&root, "red", &people);
        project(&root, "blue", &[("local:bob", "admin")]);
        let (ann, bob) = (root.as_user(ANN), root.as_user(BOB));
        let (mut red, mut blue) = (furnish(&ann, "203.0.113.11"), furnish(&bob, "203.0.113.12"));
        // One guest is enough.
        blue.extend(done(&bob, "/v1/instances/web/actions/stop", &json!({ "force": true })));
        for (kind, id) in [("project", "red"), ("user", "local:ann")] {
            red.push((kind, id.to_owned()));
        }
        let token = ann.post("/v1/tokens", &json!({ "name": "ci" })).ok();
        red.push(("token", token["id"].as_str().unwrap().to_owned()));
        Self {
            daemon,
            ann,
            bob,
            red,
            blue,
        }
    }

    /// Makes sure that `blue` is answered to a request with that id of `red`'s as to one that nobody has.
    fn same(&self, id: &str, ask: impl Fn(&str) -> (String, String, String)) -> (u16, String) {
        let answer = |id: &str| {
            let (method, path, body) = ask(id);
            let answer = self.bob.ask(&method, &path, &body);
            (
                answer.status,
                answer.text.replace(id, "ID"),
                format!("{method} {path} {body}"),
            )
        };
        let (status, text, asked) = answer(id);
        let (expected, words, _) = answer(nobodys(id));
        assert_eq!((status, &text), (expected, &words), "{asked}");
        (status, asked)
    }

    /// What `red` has, as its admin sees it in lists.
    fn seen(&self) -> Vec<String> {
        let lists = "vpcs subnets security-groups ports keypairs volumes snapshots images public-ips";
        let list = |list: &str| self.ann.get(&format!("/v1/{list}")).ok().to_string();
        lists.split(' ').map(list).collect()
    }

    fn tells_nothing(&self, asked: &str, text: &str) {
        // What red's admin is called is no secret of the project's; nor is what it is called, where it isn't shown.
        let ids = self.red.iter().filter(|(kind, _)| !matches!(*kind, "project" | "user"));
        for (kind, id) in ids {
            assert!(!text.contains(id), "{asked} tells of red's {kind} {id}: {text}");
        }
        assert!(!text.contains("\"red\""), "{asked}: {text}");
    }
}

/// The event stream, from the very first event to what is done while it is read.
fn events(two: &Two<'_>) {
    let make = |by: &Caller, name: &str| drop(by.post("/v1/vpcs", &json!({ "name": name })).ok());
    make(&two.bob, "behind");
    let mut lives = false;
    let told = two.bob.stream("/v1/events?after=0", |told| {
        if !lives && told.contains("\"behind\"") {
            lives = true;
            // The reader's thread has a runtime of its own already.
            std::thread::scope(|scope| {
                scope.spawn(|| make(&two.ann, "of-red"));
            });
            std::thread::scope(|scope| {
                scope.spawn(|| make(&two.bob, "live"));
            });
        }
        told.contains("\"live\"")
    });
    assert!(told.contains("\"live\""), "{told}");
    two.tells_nothing("the event stream", &told);
    assert!(!told.contains("of-red"), "{told}");
    for kind in ["instance", "volume", "vpc", "port"] {
        assert!(
            told.contains(of(&two.blue, kind)),
            "nothing is told of blue's own {kind}"
        );
    }
    let refused = two.bob.in_project("red").get("/v1/events");
    assert_eq!(
        (refused.status, refused.json()["field"].as_str()),
        (404, Some("project"))
    );
}

/// Default images are everybody's to use and the operator's to change.
fn default_images(two: &Two<'_>) {
    let root = two.daemon.caller();
    let ruth = root.as_user(RUTH);
    for caller in [&two.ann, &two.bob, &ruth] {
        assert_eq!(caller.get("/v1/images/tiny").ok()["visibility"], "default");
    }
    let forbidden = |caller: &Caller, method: &str, path: &str, body: &str| {
        let refused = caller.ask(method, path, body);
        assert_eq!(
            (refused.status, refused.code()),
            (403, "forbidden".to_owned()),
            "{path}: {}",
            refused.text
        );
    };
    forbidden(&two.bob, "PATCH", "/v1/images/tiny", r#"{"name":"mine-too"}"#);
    forbidden(&two.bob, "PATCH", "/v1/images/tiny", r#"{"visibility":"private"}"#);
    forbidden(&two.bob, "DELETE", "/v1/images/tiny", "");
    forbidden(&two.bob, "PATCH", "/v1/images/mine", r#"{"visibility":"default"}"#);
    forbidden(&two.bob, "POST", "/v1/images?name=new&visibility=default", "x");
    let pull = r#"{"url":"http://127.0.0.1/x","settings":{"name":"new","visibility":"default"}}"#;
    forbidden(&two.bob, "POST", "/v1/images/pull", pull);
    // The operator doesn't delete what stands under others, and is told that it does, without a name.
    let refused = root.ask("DELETE", "/v1/images/tiny", "");
    assert_eq!((refused.status, refused.code()), (409, "in_use".to_owned()));
    let detail = refused.json()["detail"].to_string();
    assert!(
        detail.contains("another project") && !detail.contains("web"),
        "{detail}"
    );
    root.ask("PATCH", "/v1/images/tiny", r#"{"os_name":"Tiny"}"#).ok();
}

/// A member works with instances and gives no public IP, not at create either.
fn members_give_no_public_ip(two: &Two<'_>) {
    let mel = two.daemon.caller().as_user(MEL);
    let (address, port) = (public(&two.red), of(&two.red, "port"));
    let create = json!({ "name": "outside", "image": "tiny", "type": "t1.nano", "public_ip": {} });
    for (method, path, body) in [
        ("POST", "/v1/public-ips".to_owned(), json!({})),
        ("POST", "/v1/instances".to_owned(), create),
        ("POST", "/v1/instances/web/public-ip".to_owned(), json!({})),
        ("POST", format!("/v1/ports/{port}/public-ip"), json!({})),
        ("POST", format!("/v1/public-ips/{address}/actions/detach"), json!({})),
        (
            "POST",
            format!("/v1/public-ips/{address}/actions/attach"),
            json!({ "port": port }),
        ),
        ("DELETE", format!("/v1/public-ips/{address}"), json!({})),
    ] {
        let refused = mel.ask(method, &path, &body.to_string());
        assert_eq!(
            (refused.status, refused.code()),
            (403, "forbidden".to_owned()),
            "{method} {path}"
        );
    }
    assert_eq!(mel.get("/v1/instances").ok()["items"].as_array().unwrap().len(), 1);
    assert_eq!(mel.get("/v1/public-ips").ok()["items"][0]["address"], address);
}

/// Who is removed has no console any more, though it was open.
fn a_console_ends_with_its_users_role(two: &Two<'_>) {
    let root = two.daemon.caller();
    let mut console = root.as_user(MEL).switch("/v1/instances/web/console", STREAM_PROTOCOL);
    root.ask("DELETE", "/v1/projects/red/members/local:mel", "").ok();
    let mut rest = Vec::new();
    // There is an end when the connection has one.
    console.read_to_end(&mut rest).unwrap();
}

#[test]
fn another_project_is_not_there() {
    let host = Host::new(Libvirt::Started);
    let daemon = crate::outside::daemon(&host, CONFIG);
    let two = Two::new(&daemon);
    let document = two.bob.get("/v1/openapi.json").ok();
    let before = two.seen();
    let asked = paths::by_path(&two, &document);
    println!("{asked} requests with ids of another project");
    assert!(asked > 60, "{asked}");
    paths::lists(&two, &document);
    let changed = two.seen();
    assert_eq!(changed, before);
    default_images(&two);
    members_give_no_public_ip(&two);
    bodies::by_body(&two);
    events(&two);
    a_console_ends_with_its_users_role(&two);
}

#[test]
fn a_project_of_the_same_name_has_no_past() {
    let host = Host::new(Libvirt::Absent);
    let daemon = crate::people::daemon(&host);
    let root = daemon.caller();
    let (ann, bob) = (root.as_user(ANN), root.as_user(BOB));
    project(&root, "red", &[("local:ann", "admin")]);
    let token = ann.post("/v1/tokens", &json!({ "name": "ci" })).ok();
    let old = root.as_user(STRANGER).with_token(token["token"].as_str().unwrap());
    let begun = done(&ann, "/v1/volumes", &json!({ "name": "secret", "size": 1 }));
    let volume = ann.get("/v1/volumes/secret").ok()["id"].as_str().unwrap().to_owned();
    let delete = ann.ask("DELETE", "/v1/volumes/secret", "").ok()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    ann.get(&format!("/v1/operations/{delete}/wait")).ok();
    ann.post("/v1/keypairs", &json!({ "name": "secret" })).ok();
    root.ask("DELETE", "/v1/projects/red", "").ok();

    project(&root, "red", &[("local:bob", "admin")]);
    for operation in [of(&begun, "operation"), &delete] {
        assert_eq!(bob.get(&format!("/v1/operations/{operation}")).status, 404);
        assert_eq!(bob.get(&format!("/v1/operations/{operation}/wait")).status, 404);
    }
    assert_eq!(
        bob.get(&format!("/v1/operations?volume={volume}")).ok()["items"],
        json!([])
    );
    for list in ["operations", "keypairs", "volumes"] {
        assert_eq!(bob.get(&format!("/v1/{list}")).ok()["items"], json!([]), "{list}");
    }
    assert_eq!(bob.get("/v1/usage").ok()["lines"], json!([]));
    bob.post("/v1/keypairs", &json!({ "name": "mine" })).ok();
    let told = bob.stream("/v1/events?after=0", |told| told.contains("\"mine\""));
    for past in ["secret", &volume, "local:ann", "project.deleted"] {
        assert!(!told.contains(past), "{past}: {told}");
    }
    assert_eq!(told.matches("\"kind\":\"project.created\"").count(), 1, "{told}");
    // Who was in the old one is nothing in the new one, nor are their tokens anything.
    assert_eq!(ann.in_project("red").get("/v1/volumes").status, 404);
    assert_eq!(old.get("/v1/whoami").status, 401);
    // The operator still knows of both.
    let told = root.stream("/v1/events?after=0", |told| told.contains("\"mine\""));
    assert!(told.contains(&volume) && told.contains("project.deleted"), "{told}");
}
