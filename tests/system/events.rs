//! What libvirt says, and what it means: a panic, a full disk, a killed QEMU, a reboot of the host.

use std::time::{Duration, Instant};

use berth_testkit::{Daemon, Guest, Host, Key, Libvirt, Options};

use crate::guest::becomes;
use crate::watch::Watch;

fn create(daemon: &Daemon<'_>, key: &Key, more: &[&str]) -> String {
    let mut command = daemon.berth([
        "instance", "create", "web", "--image", "tiny", "--type", "t1.nano", "--key", &key.name,
    ]);
    let output = command.args(more).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    daemon.id("web")
}

#[test]
fn a_panic_is_an_error_that_a_hard_reboot_puts_right() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    let key = Key::create(&daemon, "laptop");
    let id = create(&daemon, &key, &[]);
    let guest = Guest::of(&daemon, "web");
    guest.ssh(&key, "true");
    let mut watch = Watch::all(&daemon);
    guest.try_ssh(&key, "(sleep 0.2; echo c > /proc/sysrq-trigger) >/dev/null 2>&1 &");
    let crash = watch.until_kind(&id, "guest.crashed");
    assert_eq!(crash["message"], "the guest's kernel panicked");
    becomes(&daemon, "web", "Error");
    let shown = daemon.json(["instance", "show", "web"]);
    assert_eq!(
        (&shown["fault"]["code"], &shown["billed"]),
        (&"guest_crashed".into(), &false.into())
    );
    // It is kept as it was when it crashed, to be looked at.
    assert_eq!(host.virsh(["domstate", "--reason", &id]), "crashed (panicked)");
    daemon.ok(["instance", "reboot", "web", "--hard"]);
    assert_eq!(daemon.state("web"), "Active");
    guest.wait_for_boot(2);
}

#[test]
fn a_guest_whose_policy_says_so_is_rebooted_when_it_or_its_qemu_crashes() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    let key = Key::create(&daemon, "laptop");
    let id = create(&daemon, &key, &["--on-crash", "reboot"]);
    assert_eq!(daemon.json(["instance", "show", "web"])["on_crash"], "reboot");
    let guest = Guest::of(&daemon, "web");
    guest.ssh(&key, "true");
    let mut watch = Watch::all(&daemon);
    watch.until(&id, "Active");
    guest.try_ssh(&key, "(sleep 0.2; echo c > /proc/sysrq-trigger) >/dev/null 2>&1 &");
    let states = |seen: Vec<crate::watch::Seen>| seen.into_iter().map(|one| one.state).collect::<Vec<_>>();
    let reboot = ["Error", "Rebooting_hard", "Rebooting_started_hard", "Active"];
    assert_eq!(states(watch.until(&id, "Active")), reboot);
    guest.wait_for_boot(2);
    host.run("pkill", ["-KILL", "-f", "qemu-system"]);
    assert_eq!(states(watch.until(&id, "Active")), reboot);
    guest.wait_for_boot(3);
    let why = daemon.ok(["instance", "why", "web"]);
    let again = "hard_reboot asked for by berthd (because the guest crashed)";
    assert_eq!(why.matches(again).count(), 2, "{why}");
    assert!(why.contains("the guest's kernel panicked; "), "{why}");
}

#[test]
fn a_guest_on_a_full_disk_is_held_and_goes_on_once_there_is_room() {
    let host = Host::new(Libvirt::Started);
    let state = host.dir().join("state");
    std::fs::create_dir(&state).unwrap();
    let state = state.to_str().unwrap();
    host.run("mount", ["-t", "tmpfs", "-o", "size=1300m", "tmpfs", state]);
    // The database has a disk of its own, so that it can write down what happens to the other.
    let database = host.dir().join("berth.db");
    let daemon = Daemon::start_with(
        &host,
        Options {
            config: format!("database = \"sqlite:{}\"", database.display()),
            tiny: true,
            ..Options::default()
        },
    );
    let key = Key::create(&daemon, "laptop");
    let id = create(&daemon, &key, &[]);
    let guest = Guest::of(&daemon, "web");
    guest.ssh(&key, "true");
    let ballast = format!("{state}/tmp/ballast");
    let fill = "free=$(df -k --output=avail $0 | tail -1); fallocate -l $((free - 20480))K $0/tmp/ballast";
    host.run("sh", ["-c", fill, state]);
    let mut watch = Watch::all(&daemon);
    guest.try_ssh(
        &key,
        "(head -c 60000000 /dev/urandom > /root/data; sync; echo WRITTEN > /dev/ttyS0) >/dev/null 2>&1 &",
    );
    let held = watch.until_kind(&id, "guest.paused");
    assert!(held["message"].as_str().unwrap().starts_with("I/O error"), "{held}");
    let shown = daemon.json(["instance", "show", "web"]);
    assert_eq!(shown["state"], "Active");
    let deadline = Instant::now() + Duration::from_secs(10);
    while daemon.json(["instance", "show", "web"])["degraded"] != "I/O error on vda: enospc" {
        assert!(
            Instant::now() < deadline,
            "{}",
            daemon.json(["instance", "show", "web"])["degraded"]
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    host.run("rm", [ballast.as_str()]);
    watch.until_kind(&id, "guest.resumed");
    guest.wait_for("WRITTEN", 1);
    assert_eq!(
        daemon.json(["instance", "show", "web"])["degraded"],
        serde_json::Value::Null
    );
}

#[test]
fn after_a_reboot_of_the_host_what_was_active_runs_again() {
    let host = Host::new(Libvirt::Started);
    let mut daemon = Daemon::start(&host);
    for (name, policy) in [("web", "start"), ("batch", "stay"), ("off", "start")] {
        daemon.ok([
            "instance",
            "create",
            name,
            "--image",
            "tiny",
            "--type",
            "t1.nano",
            "--on-boot",
            policy,
        ]);
    }
    daemon.ok(["instance", "stop", "off", "--force"]);
    daemon.kill();
    // What a reboot is: every process and every namespace gone, /run empty, and another name for the kernel's boot.
    host.signal_libvirtd("-KILL");
    for gone in ["qemu-system", "dnsmasq", "virtlogd"] {
        host.run("pkill", ["-KILL", "-f", gone]);
    }
    for namespace in host
        .run("ip", ["netns", "list"])
        .lines()
        .filter_map(|line| line.split(' ').next())
    {
        host.run("ip", ["netns", "del", namespace]);
    }
    host.run("sh", ["-c", "rm -rf /run/libvirt/*"]);
    let boot = host.dir().join("boot-id");
    std::fs::write(&boot, "0198f3c2-7a10-4e1b-9d0a-5c1f6f4e2b11\n").unwrap();
    host.run(
        "mount",
        ["--bind", boot.to_str().unwrap(), "/proc/sys/kernel/random/boot_id"],
    );
    host.start_libvirt();
    daemon.start_again();
    becomes(&daemon, "batch", "Stopped");
    becomes(&daemon, "web", "Active");
    let deadline = Instant::now() + Duration::from_secs(30);
    while daemon
        .json(["operation", "list"])
        .as_array()
        .unwrap()
        .iter()
        .any(|one| one["outcome"] == "running")
    {
        assert!(Instant::now() < deadline, "{}", daemon.log());
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(
        (daemon.state("web"), daemon.state("off")),
        ("Active".to_owned(), "Stopped".to_owned())
    );
    let id = daemon.id("web");
    assert_eq!(host.virsh(["domstate", &id]), "running");
    Guest::of(&daemon, "web").wait_for_boot(1);

    // Once is enough: the same boot is no reboot.
    daemon.kill();
    host.virsh(["destroy", &id]);
    daemon.start_again();
    becomes(&daemon, "web", "Stopped");
}

#[test]
fn a_domain_renamed_behind_our_back_is_still_ours() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    daemon.create("web");
    daemon.ok(["instance", "stop", "web", "--force"]);
    let id = daemon.id("web");
    host.virsh(["domrename", &id, "theirs"]);
    assert_eq!(host.virsh(["list", "--all", "--name"]), "theirs");
    daemon.ok(["instance", "start", "web"]);
    assert_eq!(
        (daemon.state("web").as_str(), host.virsh(["domstate", &id]).as_str()),
        ("Active", "running")
    );
    daemon.ok(["instance", "delete", "web"]);
    assert_eq!(host.virsh(["list", "--all", "--name"]), "");
}
