//! A guest that lies on its own network: nothing of it gets through, and each lie is counted.
//!
//! What the tiny guest has no tools for, DHCP offers and VLAN tags, played guests send in the tests of `berth-network`.

use berth_testkit::{Daemon, Guest, Host, Key, Libvirt};

use crate::vpc::create;

const NANO: [&str; 2] = ["--type", "t1.nano"];

/// The guard's counter of that name, in the one VPC there is.
fn counted(host: &Host, name: &str) -> u64 {
    let namespaces = host.run("ip", ["netns", "list"]);
    let vpc = namespaces.lines().find(|line| line.starts_with("berth-")).unwrap();
    let vpc = vpc.split_whitespace().next().unwrap();
    let list = ["netns", "exec", vpc, "nft", "list", "counter", "bridge", "guard", name];
    let listed = host.run("ip", list);
    let packets = listed.split_whitespace().skip_while(|word| *word != "packets").nth(1);
    packets.unwrap().parse().unwrap()
}

/// What the guest's NIC is called.
const NIC: &str = "n=$(basename $(dirname $(ls -d /sys/class/net/*/device)))";

struct Lie<'a> {
    /// The guard's counter.
    counter: &'a str,
    /// How many frames are sent of it, at least.
    frames: u64,
    /// What the guest does.
    script: &'a str,
}

fn tell(host: &Host, guest: &Guest<'_>, key: &Key, lie: &Lie<'_>) {
    let before = counted(host, lie.counter);
    guest.ssh(key, &format!("{NIC}; {}; true", lie.script));
    let seen = counted(host, lie.counter) - before;
    assert!(seen >= lie.frames, "{}: {seen} counted", lie.counter);
    println!("{}: {seen} frames dropped", lie.counter);
}

#[test]
fn a_guest_that_lies_is_not_heard() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    let key = Key::create(&daemon, "laptop");
    let mallory = create(&daemon, &key, "mallory", &NANO);
    let victim = create(&daemon, &key, "victim", &NANO);
    victim.ssh(&key, "true");
    // The truth is heard.
    assert!(
        mallory
            .ssh(&key, "ping -c 1 -W 5 10.0.0.3 && echo heard")
            .contains("heard")
    );
    let lies = [
        Lie {
            counter: "forged_arp",
            frames: 3,
            script: "ip addr add 10.0.0.3/32 dev $n; arping -c 3 -w 4 -U -I $n -s 10.0.0.3 10.0.0.3 >/tmp/arping 2>&1; \
                     ip addr del 10.0.0.3/32 dev $n",
        },
        Lie {
            counter: "spoofed_address",
            frames: 3,
            script: "ip addr add 10.0.0.99/32 dev $n; ping -c 3 -W 1 -I 10.0.0.99 10.0.0.3 && echo heard; \
                     ip addr del 10.0.0.99/32 dev $n",
        },
        Lie {
            counter: "ipv6",
            frames: 1,
            script: "echo 0 >/proc/sys/net/ipv6/conf/$n/disable_ipv6; ip link set $n up; \
                     ping6 -c 2 -W 1 ff02::1%$n >/dev/null 2>&1; sleep 2",
        },
        Lie {
            counter: "spoofed_mac",
            frames: 1,
            script: "m=$(cat /sys/class/net/$n/address); (ip link set $n address 52:54:00:de:ad:01; \
                     ping -c 3 -W 1 10.0.0.3 >/tmp/lie 2>&1; ip link set $n address $m) >/dev/null 2>&1 & sleep 6",
        },
    ];
    for lie in &lies {
        tell(&host, &mallory, &key, lie);
    }
    assert!(!mallory.ssh(&key, "cat /tmp/lie").contains(" 0% packet loss"));
    // And the truth still is.
    assert!(
        mallory
            .ssh(&key, "ping -c 1 -W 5 10.0.0.3 && echo heard")
            .contains("heard")
    );
}
