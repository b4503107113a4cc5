//! A real Debian with cloud-init, openssh and the guest agent.

use berth_testkit::{Daemon, Guest, Host, Key, Libvirt, Options, debian_image};

#[test]
fn debian_takes_its_hostname_key_and_user_data_from_cloud_init() {
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
    std::fs::write(
        &data,
        "#cloud-config\nwrite_files:\n- path: /tmp/proof\n  content: made by cloud-init\n",
    )
    .unwrap();
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
    assert_eq!(guest.ssh(&key, "hostname").trim(), "deb");
    guest.ssh(&key, "cloud-init status --wait");
    assert_eq!(guest.ssh(&key, "cat /tmp/proof").trim(), "made by cloud-init");
    let id = daemon.id("deb");
    let answer = host.virsh(["qemu-agent-command", &id, r#"{"execute":"guest-ping"}"#]);
    assert_eq!(answer, r#"{"return":{}}"#);
}
