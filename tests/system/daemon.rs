//! The daemon comes and goes; the guests stay.

use std::time::{Duration, Instant};

use berth_testkit::{Daemon, Guest, Host, Libvirt, Options};

#[test]
fn guests_outlive_the_daemon_and_the_next_one_finds_them() {
    let host = Host::new(Libvirt::Started);
    let mut daemon = Daemon::start(&host);
    let id = daemon.create("web");
    let process = host.run("pgrep", ["-f", "qemu-system"]);

    assert!(
        daemon.terminate().success(),
        "the daemon did not go down cleanly: {}",
        daemon.log()
    );
    assert!(!daemon.socket().exists(), "the socket is left behind");
    assert_eq!(host.virsh(["domstate", &id]), "running");

    daemon.start_again();
    assert_eq!(daemon.state("web"), "Active");
    assert_eq!(
        host.run("pgrep", ["-f", "qemu-system"]),
        process,
        "the guest was started anew"
    );
    Guest::of(&daemon, "web").wait_for_boot(1);
}

#[test]
fn what_happened_while_it_was_away_is_adopted() {
    let host = Host::new(Libvirt::Started);
    let mut daemon = Daemon::start(&host);
    let id = daemon.create("web");
    daemon.kill();
    host.virsh(["destroy", &id]);
    daemon.start_again();
    crate::guest::becomes(&daemon, "web", "Stopped");
}

#[test]
fn leftovers_with_our_mark_are_removed_and_what_is_not_ours_is_not() {
    let host = Host::new(Libvirt::Started);
    let mut daemon = Daemon::start(&host);
    daemon.create("web");
    let before = daemon.inventory();
    daemon.kill();
    let stranger = host.dir().join("stranger.xml");
    let xml = "<domain type='qemu'><name>stranger</name><memory unit='MiB'>64</memory>\
               <os><type arch='x86_64' machine='q35'>hvm</type></os></domain>";
    std::fs::write(&stranger, xml).unwrap();
    host.virsh(["define", stranger.to_str().unwrap()]);
    let orphan = daemon
        .state_dir()
        .join("volumes/0198f3c2-7a10-7e1b-9d0a-5c1f6f4e2b11.qcow2");
    std::fs::write(&orphan, "left over").unwrap();
    let note = daemon.state_dir().join("volumes/README");
    std::fs::write(&note, "an operator's note").unwrap();

    daemon.start_again();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while orphan.exists() {
        assert!(
            std::time::Instant::now() < deadline,
            "the orphan is still there: {}",
            daemon.log()
        );
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(note.exists(), "what Berth does not know was removed");
    assert!(
        host.virsh(["list", "--all", "--name"]).contains("stranger"),
        "a domain that is not ours was removed"
    );
    std::fs::remove_file(note).unwrap();
    host.virsh(["undefine", "stranger"]);
    assert_eq!(daemon.inventory(), before);
}

#[test]
fn clean_leaves_nothing_at_all() {
    let host = Host::new(Libvirt::Started);
    let mut daemon = Daemon::start(&host);
    daemon.create("web");
    assert!(daemon.terminate().success());
    let output = Daemon::refused(&host, ["clean"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(daemon.inventory(), Vec::<String>::new());
    assert!(!daemon.state_dir().exists(), "the state directory is still there");
    let links = host.run("ip", ["-o", "link"]);
    assert_eq!(links.lines().count(), 1, "more than lo is left: {links}");
}

#[test]
fn the_host_says_what_it_runs_on_and_why() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    let shown = daemon.json(["host", "show"]);
    assert_eq!(shown["libvirt"]["up"], true);
    let usable = shown["kvm"]["usable"].as_bool().unwrap();
    assert_eq!(shown["accelerator"], if usable { "kvm" } else { "tcg" });
    assert_eq!(
        shown["accelerator_warning"].is_string(),
        !usable,
        "a silent choice of emulation: {shown}"
    );
}

#[test]
fn what_is_changed_in_the_file_is_taken_by_sighup_and_what_is_wrong_in_it_is_not() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start_with(&host, Options::default());
    let file = host.dir().join("berthd.toml");
    let reload = |text: &str, told: &str| {
        std::fs::write(&file, text).unwrap();
        host.run("pkill", ["-HUP", "-x", "berthd"]);
        let deadline = Instant::now() + Duration::from_secs(20);
        while !daemon.log().contains(told) {
            assert!(Instant::now() < deadline, "'{told}' isn't said: {}", daemon.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    let pools = || daemon.json(["public-ip", "pools"])[0]["name"].clone();
    assert!(pools().is_null());

    let pool = "[[public_ip_pools]]\nname = 'office'\nranges = ['203.0.113.16/28']\n";
    reload(pool, "the configuration is read again changed=\"public_ip_pools\"");
    assert_eq!(pools(), "office");
    reload(
        "[[public_ip_pols]]\nname = 'other'\n",
        "line 1: 'public_ip_pols' is no key: did you mean 'public_ip_pools'?",
    );
    assert_eq!(pools(), "office");
    let subnet = format!("subnet = '10.7.0.0/20'\n{pool}");
    reload(&subnet, "taken by the next start of the daemon keys=\"subnet\"");
    assert_eq!(daemon.json(["host", "show"])["libvirt"]["up"], true);
}
