//! KVM for real: a guest of 512 bytes, which also runs where `/dev/kvm` is no more than a page-table KVM.

use berth_testkit::{Daemon, Guest, Host, Libvirt, Options};

/// Real-mode code that the BIOS loads to 0x7c00: writes what follows it to the serial port, then halts.
const CODE: [u8; 22] = [
    0x31, 0xc0, // xor ax, ax
    0x8e, 0xd8, // mov ds, ax
    0xbe, 0x16, 0x7c, // mov si, 0x7c16
    0xac, // next: lodsb
    0x84, 0xc0, // test al, al
    0x74, 0x06, // jz end
    0xba, 0xf8, 0x03, // mov dx, 0x3f8
    0xee, // out dx, al
    0xeb, 0xf5, // jmp next
    0xfa, // end: cli
    0xf4, // hlt
    0xeb, 0xfc, // jmp end
];

/// A disk that does no more than say something.
pub(crate) fn boot_sector(says: &str) -> Vec<u8> {
    let mut sector = CODE.to_vec();
    sector.extend(says.as_bytes());
    sector.resize(510, 0);
    sector.extend([0x55, 0xaa]);
    sector
}

#[test]
fn needs_kvm_a_guest_runs_on_the_kvm_of_this_machine() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start_with(
        &host,
        Options {
            config: "accelerator = \"kvm\"".to_owned(),
            ..Options::default()
        },
    );
    let image = host.dir().join("boot-sector.img");
    std::fs::write(&image, boot_sector("I-RUN-ON-KVM\r\n")).unwrap();
    daemon.ok([
        "image",
        "import",
        image.to_str().unwrap(),
        "--name",
        "sector",
        "--os",
        "other",
    ]);
    daemon.ok(["instance", "create", "sector", "--image", "sector", "--type", "t1.nano"]);
    let shown = daemon.json(["instance", "show", "sector"]);
    let id = shown["id"].as_str().unwrap();
    assert_eq!(shown["state"], "Active");
    assert!(host.virsh(["dumpxml", id]).starts_with("<domain type='kvm'"));
    Guest::of(&daemon, "sector").wait_for("I-RUN-ON-KVM", 1);
    // Once more, from a definition made anew.
    daemon.ok(["instance", "reboot", "sector", "--hard"]);
    Guest::of(&daemon, "sector").wait_for("I-RUN-ON-KVM", 2);
    daemon.ok(["instance", "delete", "sector"]);
    assert_eq!(host.virsh(["list", "--all", "--name"]), "");
}
