//! Public IPs and security groups, as a neighbour of the host sees them.

use berth_testkit::{Daemon, Guest, Host, Key, Libvirt};

use crate::outside::{NEIGHBOUR, daemon, fetch, neighbour};
use crate::vpc::{create, serve};

const NANO: [&str; 2] = ["--type", "t1.nano"];

/// The public IP of an instance.
fn public(daemon: &Daemon<'_>, instance: &str) -> Option<String> {
    let shown = daemon.json(["instance", "show", instance]);
    shown["addresses"][0]["public"].as_str().map(str::to_owned)
}

fn free(daemon: &Daemon<'_>) -> u64 {
    daemon.json(["public-ip", "pools"])[0]["free"].as_u64().unwrap()
}

/// How many connections to web servers are open through the one VPC there is.
fn flows(host: &Host) -> usize {
    let namespaces = host.run("ip", ["netns", "list"]);
    let vpc = namespaces.lines().find(|line| line.starts_with("berth-")).unwrap();
    let vpc = vpc.split_whitespace().next().unwrap();
    let list = [
        "netns",
        "exec",
        vpc,
        "conntrack",
        "-L",
        "-p",
        "tcp",
        "--state",
        "ESTABLISHED",
    ];
    let listed = host.run("ip", list);
    listed.lines().filter(|line| line.contains("dport=80 ")).count()
}

#[test]
fn a_neighbour_reaches_a_public_ip_through_the_security_group_only() {
    let host = Host::new(Libvirt::Started);
    let daemon = daemon(&host, "");
    let key = Key::create(&daemon, "laptop");
    let web = create(&daemon, &key, "web", &[&NANO[..], &["--public-ip"]].concat());
    serve(&web, &key);
    let address = public(&daemon, "web").unwrap();
    assert_eq!(address, "203.0.113.10");
    assert_eq!(fetch(&host, &address), None);

    let add = [
        "security-group",
        "rule",
        "add",
        "default",
        "--port",
        "80",
        "--cidr",
        NEIGHBOUR,
    ];
    let rule = daemon.json(add);
    assert_eq!(fetch(&host, &address).as_deref(), Some("web"));
    // Its own way out is by that address too.
    let heard = host.dir().join("heard").display().to_string();
    neighbour(
        &host,
        &format!("busybox httpd -f -vv -p 8000 -h / >/dev/null 2>{heard} &"),
    );
    web.ssh(
        &key,
        &format!("timeout 5 wget -q -O - http://{NEIGHBOUR}:8000/ 2>/dev/null; true"),
    );
    let heard = std::fs::read_to_string(heard).unwrap();
    assert!(heard.contains(&address), "{heard}");

    // A flow that is open ends when what allowed it is revoked.
    let open = format!("exec 3<>/dev/tcp/{address}/80; sleep 60");
    neighbour(&host, &format!("bash -c '{open}' >/dev/null 2>&1 & sleep 1"));
    assert_eq!(flows(&host), 1);
    daemon.ok([
        "security-group",
        "rule",
        "delete",
        "default",
        rule["id"].as_str().unwrap(),
    ]);
    assert_eq!(flows(&host), 0);
    assert_eq!(fetch(&host, &address), None);

    // An ephemeral one goes back with the stop.
    assert_eq!(free(&daemon), 3);
    daemon.ok(["instance", "stop", "web", "--force"]);
    assert_eq!((public(&daemon, "web"), free(&daemon)), (None, 4));
    let (refused, _) = daemon.refuses(["public-ip", "attach-ephemeral", "web"]);
    assert_eq!(refused["code"], "action_not_allowed");
    let routes = host.run("ip", ["route"]);
    assert!(!routes.contains("203.0.113.10 "), "{routes}");
}

#[test]
fn a_static_public_ip_moves_and_stays() {
    let host = Host::new(Libvirt::Started);
    let mut daemon = daemon(&host, "");
    let key = Key::create(&daemon, "laptop");
    daemon.ok(["security-group", "rule", "add", "default", "--port", "80"]);
    daemon.ok(["vpc", "create", "other"]);
    daemon.ok(["subnet", "create", "there", "--vpc", "other", "--cidr", "10.0.0.0/20"]);
    daemon.ok(["security-group", "rule", "add", "other/default", "--port", "80"]);
    daemon.ok(["public-ip", "allocate", "--address", "203.0.113.12"]);
    let one = create(
        &daemon,
        &key,
        "one",
        &[&NANO[..], &["--public-ip", "203.0.113.12"]].concat(),
    );
    let two = create(&daemon, &key, "two", &[&NANO[..], &["--subnet", "there"]].concat());
    serve(&one, &key);
    serve(&two, &key);
    assert_eq!(fetch(&host, "203.0.113.12").as_deref(), Some("one"));
    // A guest of another VPC is outside as well.
    assert_eq!(crate::vpc::fetch(&two, &key, "203.0.113.12"), "one");
    // Its own VPC reaches it there too.
    assert_eq!(crate::vpc::fetch(&one, &key, "203.0.113.12"), "one");

    let (refused, _) = daemon.refuses(["public-ip", "attach", "203.0.113.12", "two"]);
    assert_eq!(refused["code"], "action_not_allowed");
    daemon.ok(["public-ip", "attach", "203.0.113.12", "two", "--move"]);
    assert_eq!(fetch(&host, "203.0.113.12").as_deref(), Some("two"));
    assert_eq!(public(&daemon, "one"), None);

    // It outlives a kill of the daemon, and the rules are as they were for whoever looks.
    drop((one, two));
    daemon.kill();
    assert_eq!(fetch(&host, "203.0.113.12").as_deref(), Some("two"));
    daemon.start_again();
    assert_eq!(fetch(&host, "203.0.113.12").as_deref(), Some("two"));
    daemon.ok(["instance", "stop", "two", "--force"]);
    assert_eq!(fetch(&host, "203.0.113.12"), None);
    assert_eq!(public(&daemon, "two").as_deref(), Some("203.0.113.12"));
    daemon.ok(["instance", "start", "two"]);
    let two = Guest::of(&daemon, "two");
    two.wait_for_boot(2);
    serve(&two, &key);
    assert_eq!(fetch(&host, "203.0.113.12").as_deref(), Some("two"));

    daemon.ok(["public-ip", "detach", "203.0.113.12"]);
    assert_eq!(fetch(&host, "203.0.113.12"), None);
    daemon.ok(["public-ip", "release", "203.0.113.12"]);
    assert_eq!(free(&daemon), 4);
    let found = daemon.json(["host", "check"]);
    assert_eq!(found["findings"].as_array().map(Vec::len), Some(0), "{found}");
}
