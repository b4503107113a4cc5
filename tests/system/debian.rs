//! A real Debian with cloud-init, openssh and the guest agent, from its image to its life after the shelf: one guest, and
//! two boots, each of which takes most of a minute under emulation.

use berth_testkit::{Daemon, Guest, Host, Key, Libvirt, Options, debian_image};

const USER_DATA: &str = "\
#cloud-config
users:
- default
- name: ada
  shell: /bin/bash
write_files:
- path: /etc/proof
  content: |
    made by cloud-init
";

/// What a number that the guest prints has to lie between.
fn between(guest: &Guest<'_>, key: &Key, command: &str, (least, most): (u64, u64)) {
    let printed = guest.ssh(key, command);
    let number: u64 = printed
        .trim()
        .parse()
        .unwrap_or_else(|_| panic!("{command}: {printed:?}"));
    assert!(
        (least..=most).contains(&number),
        "{command}: {number} is not within {least} and {most}"
    );
}

/// MiB of the root file system, and of memory.
const ROOT_MIB: &str = "df -BM --output=size / | tail -1 | tr -dc 0-9";
const MEMORY_MIB: &str = "awk '/MemTotal/ { print int($2 / 1024) }' /proc/meminfo";

#[test]
fn debian_takes_what_cloud_init_is_told_and_keeps_it_through_resize_and_shelf() {
    let image = debian_image();
    assert!(
        image.exists(),
        "{} is not built: run images/debian/build or scripts/test",
        image.display()
    );
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start_with(&host, Options::default());
    daemon.ok([
        "image",
        "import",
        image.to_str().unwrap(),
        "--name",
        "debian",
        "--user",
        "debian",
    ]);
    let key = Key::create(&daemon, "laptop");
    let data = host.dir().join("user-data");
    std::fs::write(&data, USER_DATA).unwrap();
    daemon.ok([
        "instance",
        "create",
        "deb",
        "--image",
        "debian",
        "--type",
        "t1.micro",
        "--key",
        &key.name,
        "--user-data",
        data.to_str().unwrap(),
    ]);
    let guest = Guest::of(&daemon, "deb").slow();

    // What the seed says: the hostname, the image's user with the key, what the user data ask for.
    assert_eq!(
        guest.ssh(&key, "hostname; whoami; sudo -n id -un"),
        "deb\ndebian\nroot\n"
    );
    guest.ssh(&key, "cloud-init status --wait");
    assert_eq!(
        guest.ssh(&key, "cat /etc/proof; id -un ada"),
        "made by cloud-init\nada\n"
    );
    // The file system is as large as the volume, which is the type's and not the image's.
    between(&guest, &key, ROOT_MIB, (4500, 5120));
    between(&guest, &key, MEMORY_MIB, (400, 512));

    // The agent tells the addresses, and freezes the file systems.
    let shown = daemon.json(["instance", "show", "deb"]);
    let (id, address) = (shown["id"].as_str().unwrap(), &shown["addresses"][0]["address"]);
    let told = host.virsh(["domifaddr", id, "--source", "agent"]);
    assert!(told.contains(address.as_str().unwrap()), "{address}: {told}");
    daemon.ok(["snapshot", "create", "monday", "--instance", "deb"]);
    let taken = daemon.json(["snapshot", "list"]);
    assert_eq!(taken[0]["consistency"], "application", "{taken}");
    let snapshot = taken[0]["id"].as_str().unwrap();
    daemon.ok(["snapshot", "delete", snapshot]);

    let identity = "cat /etc/machine-id /etc/ssh/ssh_host_ed25519_key.pub";
    let before = guest.ssh(&key, identity);
    guest.ssh(&key, "sudo sh -c 'echo kept > /root/mine; sync'");
    daemon.ok(["instance", "stop", "deb"]);
    daemon.ok(["instance", "resize", "deb", "--type", "t1.small"]);
    daemon.ok(["instance", "resize-confirm", "deb"]);
    daemon.ok(["instance", "shelve", "deb"]);
    assert_eq!(daemon.state("deb"), "Shelved_offloaded");
    daemon.ok(["instance", "unshelve", "deb"]);

    // The same guest on a larger machine: nothing was made anew, and the file system has grown with the volume.
    assert_eq!(guest.ssh(&key, identity), before);
    assert_eq!(
        guest.ssh(&key, "hostname; sudo cat /root/mine /etc/proof"),
        "deb\nkept\nmade by cloud-init\n"
    );
    guest.ssh(&key, "cloud-init status --wait");
    between(&guest, &key, ROOT_MIB, (9500, 10_240));
    between(&guest, &key, MEMORY_MIB, (1800, 2048));
    assert_eq!(
        daemon.json(["instance", "show", "deb"])["addresses"],
        shown["addresses"]
    );
}
