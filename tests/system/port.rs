//! Ports: NICs that come and go under a guest, what they may send, and what a guest is told about itself.

use berth_testkit::{Daemon, Guest, Host, Key, Libvirt};

use crate::vpc::{create, fetch, serve};

/// A type that may have two NICs, and is as small as the tiny guest.
pub(crate) const SMALL: [&str; 2] = ["--type", "t1.small"];

fn state(daemon: &Daemon<'_>, port: &str) -> String {
    daemon.json(["port", "show", port])["state"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// How many NICs the guest has, once it is so many or the time is up.
fn nics(guest: &Guest<'_>, key: &Key, wanted: usize) -> usize {
    let command = format!(
        "for i in 1 2 3 4 5 6 7 8 9 10; do n=$(ls -d /sys/class/net/*/device | wc -l); \
         [ $n = {wanted} ] && break; sleep 1; done; echo $n"
    );
    guest.ssh(key, &command).trim().parse().unwrap()
}

#[test]
fn a_nic_comes_to_a_guest_and_goes() {
    let host = Host::new(Libvirt::Started);
    let mut daemon = Daemon::start(&host);
    let key = Key::create(&daemon, "laptop");
    daemon.ok(["subnet", "create", "back", "--cidr", "10.20.0.0/24"]);
    daemon.ok([
        "port",
        "create",
        "--subnet",
        "back",
        "--name",
        "second",
        "--address",
        "10.20.0.77",
    ]);
    let web = create(&daemon, &key, "web", &SMALL);
    let peer = create(&daemon, &key, "peer", &["--type", "t1.nano", "--subnet", "back"]);
    serve(&peer, &key);
    assert_eq!(nics(&web, &key, 1), 1);

    daemon.ok(["port", "attach", "second", "web"]);
    assert_eq!(state(&daemon, "second"), "In-use");
    assert_eq!(nics(&web, &key, 2), 2);
    let wait = "for i in 1 2 3 4 5 6 7 8 9 10; do ip -4 addr | grep -q 10.20.0.77 && break; sleep 1; done; ip -4 addr";
    let addresses = web.ssh(&key, wait);
    assert!(addresses.contains("10.20.0.77/24"), "{addresses}");
    // The first NIC keeps the way out; the peer is on the second one's own link.
    let routes = web.ssh(&key, "ip route");
    assert_eq!(routes.matches("default").count(), 1, "{routes}");
    assert_eq!(fetch(&web, &key, "peer"), "peer");
    let shown = daemon.json(["instance", "show", "web"]);
    assert_eq!(shown["addresses"][1]["address"], "10.20.0.77");
    let counted = daemon.json(["port", "show", "second"]);
    assert!(counted["counters"]["rx_bytes"].as_u64().unwrap() > 0, "{counted}");

    let first = shown["addresses"][0]["port"].as_str().unwrap().to_owned();
    let (refused, _) = daemon.refuses(["port", "detach", &first]);
    assert!(refused["detail"].as_str().unwrap().contains("primary"), "{refused}");
    daemon.ok(["port", "detach", "second"]);
    assert_eq!(
        (state(&daemon, "second").as_str(), nics(&web, &key, 1)),
        ("Available", 1)
    );

    // Cold as well; and it is there after a start.
    daemon.ok(["instance", "stop", "web", "--force"]);
    daemon.ok(["port", "attach", "second", "web"]);
    daemon.ok(["instance", "start", "web"]);
    web.wait_for_boot(2);
    assert_eq!(nics(&web, &key, 2), 2);
    assert!(web.ssh(&key, wait).contains("10.20.0.77/24"));
    drop((web, peer));
    daemon.ok(["instance", "delete", "web"]);
    assert_eq!(state(&daemon, "second"), "Available");
    daemon.ok(["port", "delete", "second"]);
    daemon.kill();
    daemon.start_again();
    let found = daemon.json(["host", "check"]);
    assert_eq!(found["findings"].as_array().map(Vec::len), Some(0), "{found}");
}

#[test]
fn a_guest_asks_about_itself_and_is_told_of_nobody_else() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    let key = Key::create(&daemon, "laptop");
    let web = create(&daemon, &key, "web", &["--type", "t1.nano"]);
    let ask = |path: &str| {
        web.ssh(
            &key,
            &format!("timeout 5 wget -q -O - http://169.254.169.254{path}; true"),
        )
    };
    assert_eq!(ask("/latest/meta-data/instance-id").trim(), daemon.id("web"));
    assert_eq!(ask("/latest/meta-data/local-ipv4").trim(), "10.0.0.2");
    let openstack = ask("/openstack/latest/meta_data.json");
    let told: serde_json::Value = serde_json::from_str(&openstack).unwrap();
    assert_eq!(
        (&told["uuid"], &told["hostname"]),
        (&daemon.id("web").into(), &"web".into())
    );
    assert!(
        ask("/latest/meta-data/public-keys/0/openssh-key").starts_with("ssh-"),
        "{openstack}"
    );
    assert_eq!(ask("/latest/user-data"), "");
    // Another address than its own is nobody's: nothing of what it asks from there gets through.
    let from = |address: &str| {
        let script = format!(
            "n=$(basename $(dirname $(ls -d /sys/class/net/*/device))); ip addr add {address}/32 dev $n 2>/dev/null; \
             ip route add 169.254.169.254/32 via 10.0.0.1 src {address}; \
             timeout 3 wget -q -O - http://169.254.169.254/latest/meta-data/instance-id; \
             ip route del 169.254.169.254/32; true"
        );
        web.ssh(&key, &script).trim().to_owned()
    };
    assert_eq!(from("10.0.0.2"), daemon.id("web"));
    assert_eq!(from("10.0.0.99"), "");
}
