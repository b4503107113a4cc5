//! Security groups between guests: who may is who is in the group, as of now.

use berth_testkit::{Daemon, Host, Key, Libvirt};

use crate::vpc::{create, fetch, serve};

#[test]
fn a_group_that_names_another_follows_its_members() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    let key = Key::create(&daemon, "laptop");
    daemon.ok(["security-group", "create", "web"]);
    daemon.ok(["security-group", "create", "db", "--description", "only for web"]);
    daemon.ok(["security-group", "rule", "add", "db", "--port", "80", "--group", "web"]);
    let on = |name: &str, group: &str| {
        let more = ["--type", "t1.nano", "--security-group", group];
        create(&daemon, &key, name, &more)
    };
    let (web, db) = (on("web", "web"), on("db", "db"));
    serve(&db, &key);
    serve(&web, &key);
    assert_eq!(fetch(&web, &key, "db"), "db");
    // The rule is of one direction.
    assert_eq!(fetch(&db, &key, "web"), "");

    let port = daemon.json(["instance", "show", "web"])["addresses"][0]["port"]
        .as_str()
        .unwrap()
        .to_owned();
    daemon.ok(["port", "set", &port, "--security-group", "default"]);
    assert_eq!(fetch(&web, &key, "db"), "");
    daemon.ok([
        "port",
        "set",
        &port,
        "--security-group",
        "default",
        "--security-group",
        "web",
    ]);
    assert_eq!(fetch(&web, &key, "db"), "db");
    let (refused, _) = daemon.refuses(["security-group", "delete", "db"]);
    assert_eq!(refused["code"], "in_use");

    // Who goes is in no group, and its address opens nothing to the next one that has it.
    drop(web);
    daemon.ok(["instance", "delete", "web"]);
    let heir = on("heir", "default");
    assert_eq!(
        daemon.json(["instance", "show", "heir"])["addresses"][0]["address"],
        "10.0.0.2"
    );
    assert_eq!(fetch(&heir, &key, "db"), "");
}
