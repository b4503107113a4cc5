//! Properties of images: what they ask of an instance is checked before anything is written, what they say of the
//! machine is what the guest finds.

use berth_testkit::{Daemon, Guest, Host, Key, Libvirt, Options};

use crate::kvm::boot_sector;

#[test]
fn an_instance_that_does_not_fit_its_image_is_refused_with_the_numbers() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    let files = || {
        let all = daemon.inventory().into_iter();
        all.filter(|line| line.starts_with("file ")).collect::<Vec<_>>()
    };
    let before = files();
    let set = |flags: [&str; 2]| daemon.json(["image", "set", "tiny", flags[0], flags[1]]);
    let create = |kind: &str, says: &str| {
        let (problem, exit) = daemon.refuses(["instance", "create", "web", "--image", "tiny", "--type", kind]);
        assert_eq!((problem["code"].as_str(), exit), (Some("invalid_argument"), 2));
        assert_eq!(
            (problem["field"].as_str(), problem["detail"].as_str()),
            (Some("type"), Some(says))
        );
    };

    assert_eq!(set(["--min-memory", "129"])["min_memory"], 129);
    create(
        "t1.nano",
        "type: t1.nano has 128 MiB of memory, and the image needs at least 129 MiB (min_memory)",
    );
    set(["--max-volume-size", "4"]);
    create(
        "t1.micro",
        "type: t1.micro has a root volume of 5 GiB, and the image allows at most 4 GiB (max_volume_size)",
    );
    assert_eq!(daemon.json(["instance", "list"]), serde_json::json!([]));
    assert_eq!(files(), before);

    // What a type gives too little of is made up for, as for an image whose own disk is larger.
    set(["--min-memory", "0"]);
    set(["--min-disk", "3"]);
    daemon.create("web");
    let file = daemon.disk_file("web");
    let found = host.run("qemu-img", ["info", "-U", "--output=json", file.to_str().unwrap()]);
    let found: serde_json::Value = serde_json::from_str(&found).unwrap();
    assert_eq!(found["virtual-size"], 3u64 << 30);
}

#[test]
fn an_image_is_changed_and_a_bad_change_leaves_it_as_it_was() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    daemon.ok([
        "image",
        "set",
        "tiny",
        "--name",
        "small",
        "--default",
        "--os-name",
        "Tiny",
        "--os-version",
        "1",
        "--tpm",
        "on",
        "--stop-grace",
        "7",
    ]);
    let small = daemon.json(["image", "show", "small"]);
    for (field, value) in [
        ("visibility", serde_json::json!("default")),
        ("tpm", true.into()),
        ("stop_grace", 7.into()),
        ("os_name", "Tiny".into()),
    ] {
        assert_eq!(small[field], value, "{field}");
    }
    let names = |which| {
        let list = daemon.json(["image", "list", which]);
        list.as_array()
            .unwrap()
            .iter()
            .map(|image| image["name"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!((names("--default"), names("--mine")), (vec!["small".into()], vec![]));

    let table: [(&[&str; 4], &str, &str); 4] = [
        (
            &["--min-disk", "9", "--max-volume-size", "8"],
            "max_volume_size",
            "8 GiB is less than min_disk, which is 9 GiB",
        ),
        (
            &["--min-disk", "0", "--user", "root"],
            "min_disk",
            "0 GiB is not between 1 GiB and 5120 GiB",
        ),
        (
            &["--name", "other", "--user", "-oProxyCommand=x"],
            "user",
            "is not a login name",
        ),
        (
            &["--stop-grace", "0", "--clock", "utc"],
            "stop_grace",
            "0 is not between 1 and 3600 seconds",
        ),
    ];
    for (flags, field, says) in table {
        let [a, b, c, d] = flags;
        let joined = format!("{c}={d}");
        let (problem, exit) = daemon.refuses(["image", "set", "small", a, b, &joined]);
        assert_eq!((problem["field"].as_str(), exit), (Some(field), 2), "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(says), "{problem}");
    }
    assert_eq!(daemon.json(["image", "show", "small"]), small);
    daemon.ok(["image", "set", "small", "--tpm", "default", "--mine"]);
    assert_eq!(daemon.json(["image", "show", "small"])["tpm"], false);
}

#[test]
fn a_guest_finds_the_bus_and_the_card_that_its_image_says() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    let key = Key::create(&daemon, "laptop");
    daemon.ok(["image", "set", "tiny", "--disk-bus", "scsi", "--clock", "localtime"]);
    daemon.ok([
        "instance", "create", "web", "--image", "tiny", "--type", "t1.nano", "--key", "laptop",
    ]);
    let web = Guest::of(&daemon, "web");
    let mounts = web.ssh(
        &key,
        "cat /proc/mounts; cat /sys/block/sda/device/vendor; cat /sys/block/sd[ab]/ro | sort",
    );
    // Which of the two comes first is the guest's affair; the seed disk is the one that is read only.
    assert!(
        mounts.contains("/dev/sd") && mounts.ends_with("QEMU    \n0\n1\n"),
        "{mounts}"
    );
    let xml = host.virsh(["dumpxml", &daemon.id("web")]);
    assert!(xml.contains("<clock offset='localtime'"), "{xml}");

    // No virtio at all, as for a system that has no drivers for it: the BIOS starts it from SATA.
    let sector = host.dir().join("sector.img");
    std::fs::write(&sector, boot_sector("I-CAME-FROM-SATA\r\n")).unwrap();
    daemon.ok([
        "image",
        "import",
        sector.to_str().unwrap(),
        "--name",
        "bare",
        "--os",
        "windows",
        "--disk-bus",
        "sata",
        "--nic-model",
        "e1000e",
        "--stop-grace",
        "1",
    ]);
    daemon.ok(["instance", "create", "bare", "--image", "bare", "--type", "t1.nano"]);
    Guest::of(&daemon, "bare").wait_for("I-CAME-FROM-SATA", 1);
    let xml = host.virsh(["dumpxml", &daemon.id("bare")]);
    for part in [
        "<target dev='sda' bus='sata'/>",
        "<target dev='sdb' bus='usb'/>",
        "<model type='e1000e'/>",
    ] {
        assert!(xml.contains(part), "{part} is not in {xml}");
    }
    // It never shuts down by itself: the plug is pulled after the image's second, not after the host's minute.
    let began = std::time::Instant::now();
    daemon.ok(["instance", "stop", "bare"]);
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
}

#[test]
fn the_catalog_is_the_one_that_is_built_in_or_the_operators() {
    let host = Host::new(Libvirt::Absent);
    let options = |config: &str| Options {
        config: config.to_owned(),
        ..Options::default()
    };
    let daemon = Daemon::start_with(&host, options("image_mirror = \"http://mirror:8080/os/\""));
    let listed = daemon.json(["image", "catalog"]);
    let names: Vec<_> = listed.as_array().unwrap().iter().map(|entry| &entry["name"]).collect();
    assert_eq!((names.len(), names[4].as_str()), (13, Some("ubuntu-24.04")));
    let path = "releases/noble/release/ubuntu-24.04-server-cloudimg-amd64.img";
    assert_eq!(listed[4]["url"], format!("http://mirror:8080/os/{path}"));
    assert!(
        daemon
            .ok(["image", "catalog", "windows-2022"])
            .contains("evaluation ISO")
    );
    let (problem, exit) = daemon.refuses(["image", "catalog", "ubuntu-2404"]);
    assert_eq!((problem["code"].as_str(), exit), (Some("not_found"), 3));
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("did you mean ubuntu-24.04"),
        "{problem}"
    );
    drop(daemon);

    let file = host.dir().join("catalog.toml");
    let own = "[[image]]\nname = 'own'\ntitle = 'Our own'\nmanual = 'ask Ann'\n[image.properties]\nmin_disk = 7\n";
    std::fs::write(&file, own).unwrap();
    let daemon = Daemon::start_with(&host, options(&format!("catalog = {file:?}")));
    let own = daemon.json(["image", "catalog", "own"]);
    assert_eq!((&own["manual"], &own["min_disk"]), (&"ask Ann".into(), &7.into()));
}
