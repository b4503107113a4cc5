//! Lists one can really query: filtered, sorted, a page at a time, and only the fields that are wanted.

use berth_testkit::{Caller, Daemon, Host, Libvirt, Options};
use serde_json::{Value, json};

fn daemon(host: &Host) -> Daemon<'_> {
    let options = Options {
        args: ["--libvirt-uri", "test:///default"].map(str::to_owned).to_vec(),
        tiny: true,
        ..Options::default()
    };
    Daemon::start_with(host, options)
}

fn names(root: &Caller, path: &str) -> Vec<String> {
    let page = root.get(path).ok();
    let name = |one: &Value| one["name"].as_str().unwrap().to_owned();
    page["items"].as_array().unwrap().iter().map(name).collect()
}

#[test]
fn lists_are_sorted_and_paged_whatever_changes_meanwhile() {
    let host = Host::new(Libvirt::Absent);
    let daemon = daemon(&host);
    let root = daemon.caller();
    let make = |name: &str| drop(root.post("/v1/keypairs", &json!({ "name": name })).ok());
    ["b", "a", "d", "c"].into_iter().for_each(make);
    assert_eq!(names(&root, "/v1/keypairs"), ["b", "a", "d", "c"]);
    assert_eq!(names(&root, "/v1/keypairs?sort=-created_at"), ["c", "d", "a", "b"]);
    assert_eq!(names(&root, "/v1/keypairs?sort=name&limit=4"), ["a", "b", "c", "d"]);
    assert!(
        root.get("/v1/keypairs?limit=4").ok().get("next").is_none(),
        "a full last page is the last"
    );

    let first = root.get("/v1/keypairs?sort=name&limit=2").ok();
    let next = first["next"].as_str().unwrap();
    // The entry that the page ended with goes, one comes before it and one right after it.
    root.ask("DELETE", "/v1/keypairs/b", "");
    ["aa", "bb"].into_iter().for_each(make);
    assert_eq!(
        names(&root, &format!("/v1/keypairs?sort=name&limit=2&after={next}")),
        ["bb", "c"]
    );
    // It is of that order and of no other, and nobody makes one up.
    for (query, says) in [
        (
            format!("after={next}"),
            "it is of a list sorted by name, and this one is sorted by created_at",
        ),
        ("after=bm9uZQ".to_owned(), "it is not the 'next' of a page"),
        (
            "sort=size".to_owned(),
            "'size' is none of created_at, -created_at, name, -name",
        ),
        ("limit=0".to_owned(), "0 is not between 1 and 500"),
        ("limit=many".to_owned(), "limit"),
        ("name=a%25".to_owned(), "neither a name nor the beginning of names"),
        ("label=a%20b".to_owned(), "this one has ' '"),
        ("colour=red".to_owned(), "colour: there is no such parameter"),
    ] {
        let refused = root.get(&format!("/v1/keypairs?{query}"));
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (400, "invalid_argument"),
            "{query}: {}",
            refused.text
        );
        assert!(refused.text.contains(says), "{query}: {}", refused.text);
    }
    let refused = root.get("/v1/public-ips?sort=name");
    assert_eq!(refused.status, 400, "{}", refused.text);
}

#[test]
fn filters_are_the_words_that_are_shown_and_bad_ones_name_the_right_ones() {
    let host = Host::new(Libvirt::Absent);
    let daemon = daemon(&host);
    let root = daemon.caller();
    for (name, size) in [("data-1", 1), ("data-2", 2), ("logs", 1)] {
        daemon.ok(["volume", "create", name, "--size", &size.to_string()]);
    }
    assert_eq!(
        names(&root, "/v1/volumes?state=Available&name=data-*&sort=-name"),
        ["data-2", "data-1"]
    );
    assert_eq!(names(&root, "/v1/volumes?state=In-use"), [] as [&str; 0]);
    daemon.ok(["snapshot", "create", "before", "--volume", "logs"]);
    assert_eq!(names(&root, "/v1/snapshots?volume=logs&ready=true"), ["before"]);
    assert_eq!(names(&root, "/v1/images?visibility=private&os=linux"), ["tiny"]);
    assert_eq!(names(&root, "/v1/images?os=windows"), [] as [&str; 0]);
    let creates = root
        .get("/v1/operations?action=create&outcome=succeeded&sort=-created_at&limit=1")
        .ok();
    assert_eq!(creates["items"][0]["resource_name"], "logs");
    for (query, says) in [
        ("volumes?state=Lost", "'Lost' is none of Creating, Available"),
        ("instances?state=active", "'active' is none of "),
        ("instances?type=t9.huge", "'t9.huge' is none of t1.nano"),
        ("images?os=beos", "'beos' is none of linux, windows, other"),
        ("images?visibility=mine", "'mine' is none of default, private"),
        (
            "ports?state=gone",
            "'gone' is none of Available, Attaching, In-use, Detaching",
        ),
        ("public-ips?kind=free", "'free' is none of static, ephemeral"),
        (
            "operations?outcome=won",
            "'won' is none of running, undoing, succeeded, failed, cancelled",
        ),
        ("operations?action=dance", "'dance' is none of attach, "),
        ("snapshots?ready=perhaps", "ready"),
    ] {
        let refused = root.get(&format!("/v1/{query}"));
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (400, "invalid_argument"),
            "{query}: {}",
            refused.text
        );
        assert!(refused.text.contains(says), "{query}: {}", refused.text);
    }
    let listed = daemon.json([
        "volume",
        "list",
        "--name",
        "data-*",
        "--sort",
        "-name",
        "--state",
        "Available",
    ]);
    assert_eq!(listed[0]["name"], "data-2");
}

#[test]
fn an_answer_has_the_fields_that_were_asked_for() {
    let host = Host::new(Libvirt::Absent);
    let daemon = daemon(&host);
    let root = daemon.caller();
    root.post("/v1/vpcs", &json!({ "name": "lab", "labels": { "env": "prod" } }))
        .ok();
    let first = root.get("/v1/vpcs?fields=name,subnets.cidr&limit=1").ok();
    assert_eq!(
        first["items"],
        json!([{ "name": "default", "subnets": [{ "cidr": "10.0.0.0/20" }] }])
    );
    let next = first["next"].as_str().expect("of a list the next page stays");
    let second = root.get(&format!("/v1/vpcs?fields=name,labels&after={next}")).ok();
    assert_eq!(second["items"], json!([{ "name": "lab", "labels": { "env": "prod" } }]));
    let one = root.get("/v1/vpcs/lab?fields=name%2Cproject").ok();
    assert_eq!(one, json!({ "name": "lab", "project": "default" }));
    let refused = root.get("/v1/vpcs/lab?fields=nmae");
    assert_eq!(
        (refused.status, refused.json()["field"].as_str()),
        (400, Some("fields"))
    );
    assert!(
        refused
            .text
            .contains("there are created_at, id, labels, name, project, subnets"),
        "{}",
        refused.text
    );
    assert_eq!(
        root.get("/v1/events?fields=id").status,
        400,
        "what has no fields has none to choose from"
    );
    // A problem is whole.
    assert_eq!(root.get("/v1/vpcs/nowhere?fields=name").code(), "not_found");
}
