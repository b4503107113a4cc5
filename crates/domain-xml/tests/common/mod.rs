//! Specs that the tests share.

#![allow(clippy::unwrap_used, reason = "tests")]

use berth_domain_xml::{Accel, Disk, DomainSpec, Limits, Nic, Paths};
use berth_model::{DiskBus, DiskFormat, Firmware, GuestClock, Mib, NicModel, OsFamily};

/// A Linux guest under KVM with BIOS, two disks and a NIC.
pub(crate) fn linux() -> DomainSpec {
    let dir = std::path::Path::new("/var/lib/berth/instances/web");
    DomainSpec {
        id: "0198f3c2-7a10-7e1b-9d0a-5c1f6f4e2b11".parse().unwrap(),
        owner: "0198f3c2-7a10-7e1b-9d0a-5c1f6f4e2b12".parse().unwrap(),
        name: "berth-0198f3c2-7a10-7e1b-9d0a-5c1f6f4e2b11".to_owned(),
        title: "web".to_owned(),
        project: "default".to_owned(),
        accel: Accel::Kvm,
        vcpus: 2,
        memory: Mib(2048),
        firmware: Firmware::Bios,
        tpm: false,
        os: OsFamily::Linux,
        clock: GuestClock::Utc,
        hyperv: false,
        disks: vec![
            Disk {
                path: "/var/lib/berth/volumes/root.qcow2".into(),
                format: DiskFormat::Qcow2,
                bus: DiskBus::Virtio,
                serial: Some("0198f3c2-7a10-7e1b-9d0a-5c1f6f4e2b13".to_owned()),
                read_only: false,
                direct: true,
                boot: true,
                slot: 0,
                limits: Limits::default(),
            },
            Disk {
                path: dir.join("seed.img"),
                format: DiskFormat::Raw,
                bus: DiskBus::Virtio,
                serial: None,
                read_only: true,
                direct: false,
                boot: false,
                slot: 1,
                limits: Limits::default(),
            },
        ],
        nics: vec![Nic {
            mac: "52:54:00:12:34:56".parse().unwrap(),
            tap: "btap1".to_owned(),
            mtu: 1450,
            model: NicModel::Virtio,
        }],
        paths: Paths {
            console_socket: dir.join("console.sock"),
            console_log: dir.join("console.log"),
            vnc_socket: dir.join("vnc.sock"),
            nvram: dir.join("nvram.fd"),
        },
    }
}
