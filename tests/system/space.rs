//! Room: what the disk is promised for, what stays free, and how much a volume may do.

use berth_testkit::{Daemon, Host, Key, Libvirt, Options};

use crate::volume::{id, on, web};

fn with<'a>(host: &'a Host, config: &str) -> Daemon<'a> {
    Daemon::start_with(
        host,
        Options {
            tiny: true,
            config: config.to_owned(),
            ..Options::default()
        },
    )
}

#[test]
fn the_disk_is_promised_for_so_much_and_no_more() {
    let host = Host::new(Libvirt::Started);
    let daemon = with(&host, "disk_overcommit = 0.1\n");
    let host_view = daemon.json(["host", "show"]);
    let most = host_view["disk_promise_max"].as_u64().unwrap();
    assert_eq!(most, (host_view["disk_bytes"].as_u64().unwrap() / 10) >> 30);
    let most = most.to_string();
    daemon.ok(["volume", "create", "all", "--size", &most]);
    assert_eq!(daemon.json(["host", "show"])["disk_promised"].to_string(), most);
    let before = daemon.inventory();
    let refusals: [&[&str]; 3] = [
        &["volume", "create", "more", "--size", "1"],
        &["volume", "extend", "all", "5000"],
        &["instance", "create", "web", "--image", "tiny", "--type", "t1.nano"],
    ];
    for asked in refusals {
        let output = daemon.berth(["-o", "json"]).args(asked).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(4), "{asked:?}: {said}");
        assert!(
            said.contains("no_capacity") && said.contains("disk_overcommit"),
            "{said}"
        );
    }
    assert_eq!(daemon.inventory(), before);
    daemon.ok(["volume", "delete", "all"]);
    daemon.ok(["volume", "create", "more", "--size", "1"]);
}

#[test]
fn nothing_new_is_begun_on_a_disk_that_is_nearly_full() {
    let host = Host::new(Libvirt::Started);
    let daemon = with(&host, "");
    daemon.ok(["volume", "create", "data", "--size", "1"]);
    drop(daemon);
    // The disk is as it was, but more of it is to stay free than there is.
    let daemon = Daemon::start_with(
        &host,
        Options {
            config: "low_space_mib = 100000000\n".to_owned(),
            ..Options::default()
        },
    );
    let before = daemon.inventory();
    let image = berth_testkit::tiny_image();
    let refusals: [&[&str]; 3] = [
        &["volume", "create", "more", "--size", "1"],
        &["image", "import", image.to_str().unwrap(), "--name", "again"],
        &["image", "create-from-volume", "data", "--name", "saved"],
    ];
    for asked in refusals {
        let output = daemon.berth(["-o", "json"]).args(asked).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{asked:?}: {said}");
        assert!(
            said.contains("no_capacity") || said.contains("storage_full"),
            "{asked:?}: {said}"
        );
    }
    assert_eq!(daemon.inventory(), before);
    assert_eq!(crate::volume::state(&daemon, "data"), "Available");
}

#[test]
fn a_volume_does_no_more_than_its_type_allows() {
    let host = Host::new(Libvirt::Started);
    let daemon = with(
        &host,
        "[[volume_types]]\nname = \"ssd\"\n[[volume_types]]\nname = \"slow\"\niops = 200\nmib_per_second = 2\n",
    );
    let key = Key::create(&daemon, "laptop");
    daemon.ok(["volume", "create", "data", "--size", "1", "--type", "slow"]);
    let (refused, _) = daemon.refuses(["volume", "create", "more", "--size", "1", "--type", "tape"]);
    assert_eq!(refused["field"], "type");
    let guest = web(&daemon, &key, &[]);
    daemon.ok(["volume", "attach", "data", "web"]);
    let tuned = daemon.host().virsh(["blkdeviotune", &daemon.id("web"), "vdc"]);
    let has = |line: &str| {
        tuned
            .lines()
            .any(|one| one.split_whitespace().collect::<String>() == line)
    };
    assert!(has("total_bytes_sec:2097152") && has("total_iops_sec:200"), "{tuned}");
    // Ten MiB at two a second; the first second's worth may go at once.
    let timed = "a=$(cut -d. -f1 /proc/uptime); dd if=/dev/zero of=$d bs=1M count=10 conv=fsync 2>/dev/null; \
                 b=$(cut -d. -f1 /proc/uptime); echo $((b-a))";
    let took: u32 = on(&guest, &key, &id(&daemon, "data"), timed).trim().parse().unwrap();
    assert!(took >= 3, "{took} s for 10 MiB");
}

#[test]
fn a_disk_that_is_full_leaves_volumes_as_they_were() {
    let host = Host::new(Libvirt::Started);
    let state = host.dir().join("state");
    std::fs::create_dir(&state).unwrap();
    let path = state.to_str().unwrap();
    host.run("mount", ["-t", "tmpfs", "-o", "size=300m", "tmpfs", path]);
    let database = format!("sqlite:{}", host.dir().join("berth.db").display());
    let daemon = Daemon::start_with(
        &host,
        Options {
            tiny: true,
            config: format!("low_space_mib = 0\ndisk_overcommit = 100\ndatabase = {database:?}\n"),
            ..Options::default()
        },
    );
    daemon.ok(["volume", "create", "data", "--size", "1"]);
    let files = || host.run("sh", ["-c", "cd $0 && find volumes images tmp -type f | sort", path]);
    let before = files();
    let filler = state.join("filler");
    // It ends when the disk is full, which is no success.
    let fill = ["-c", "cat /dev/zero > $0; true", filler.to_str().unwrap()];
    host.run("sh", fill);
    for asked in [
        &["snapshot", "create", "one", "--volume", "data"][..],
        &["volume", "create", "more", "--size", "1"],
        &["image", "create-from-volume", "data", "--name", "saved"],
    ] {
        let output = daemon.berth(["-o", "json"]).args(asked).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(6), "{asked:?}: {said}");
        assert!(said.contains("storage_full"), "{asked:?}: {said}");
    }
    assert_eq!(files(), before);
    assert_eq!(crate::volume::state(&daemon, "data"), "Available");
    assert_eq!(crate::volume::state(&daemon, "more"), "Error");
    host.run("rm", [filler.to_str().unwrap()]);
    daemon.ok(["volume", "delete", "more"]);
    daemon.ok(["snapshot", "create", "one", "--volume", "data"]);
}
