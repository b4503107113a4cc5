//! What is written is what is read, for any spec.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use berth_domain_xml::{
    Accel, Disk, DomainSpec, Identity, Limits, Nic, Observed, ObservedDisk, ObservedNic, disk_target, observe,
};
use berth_model::{DiskBus, DiskFormat, Firmware, GuestClock, Mac, Mib, NicModel, OsFamily};
use proptest::prelude::*;

/// Text with what XML has to escape in it, and no control characters.
fn text() -> impl Strategy<Value = String> {
    "[a-z/<>&\"'\\]\\[;#é😀\u{2028}-]{1,12}( [<>&\"'x]{1,3})?"
}

fn disk() -> impl Strategy<Value = Disk> {
    let bus = prop_oneof![Just(DiskBus::Virtio), Just(DiskBus::Sata), Just(DiskBus::Scsi)];
    (
        text(),
        any::<bool>(),
        bus,
        proptest::option::of(text()),
        any::<[bool; 3]>(),
    )
        .prop_map(|(path, raw, bus, serial, [read_only, direct, boot])| Disk {
            path: format!("/{path}").into(),
            format: if raw { DiskFormat::Raw } else { DiskFormat::Qcow2 },
            bus,
            serial,
            read_only,
            direct,
            boot,
            slot: 0,
            limits: Limits::default(),
        })
}

fn nic() -> impl Strategy<Value = Nic> {
    let model = prop_oneof![Just(NicModel::Virtio), Just(NicModel::E1000e)];
    (text(), any::<u32>(), model).prop_map(|(tap, mtu, model)| Nic {
        mac: Mac::random(),
        tap,
        mtu,
        model,
    })
}

fn spec() -> impl Strategy<Value = DomainSpec> {
    let texts = (text(), text(), text());
    let parts = (
        prop_oneof![Just(Accel::Kvm), Just(Accel::Tcg)],
        prop_oneof![
            Just(Firmware::Bios),
            Just(Firmware::Uefi),
            Just(Firmware::UefiSecureBoot)
        ],
        prop_oneof![Just(OsFamily::Linux), Just(OsFamily::Windows), Just(OsFamily::Other)],
        prop_oneof![Just(GuestClock::Utc), Just(GuestClock::Localtime)],
        any::<[bool; 2]>(),
    );
    let devices = (
        proptest::collection::vec(disk(), 0..4),
        proptest::collection::vec(nic(), 0..3),
    );
    (texts, parts, devices, 1..512u32, 1..1u64 << 30).prop_map(
        |((name, title, project), (accel, firmware, os, clock, [tpm, hyperv]), (mut disks, nics), vcpus, memory)| {
            for (slot, disk) in (0..).zip(&mut disks) {
                disk.slot = slot;
            }
            DomainSpec {
                name,
                title,
                project,
                accel,
                firmware,
                tpm,
                os,
                clock,
                hyperv,
                disks,
                nics,
                vcpus,
                memory: Mib(memory),
                ..common::linux()
            }
        },
    )
}

fn expected(spec: &DomainSpec) -> Observed {
    let disk = |disk: &Disk| ObservedDisk {
        path: Some(disk.path.clone()),
        target: disk_target(disk.bus, disk.slot),
        serial: disk.serial.clone(),
    };
    let nic = |nic: &Nic| ObservedNic {
        mac: Some(nic.mac),
        tap: Some(nic.tap.clone()),
    };
    Observed {
        id: spec.id,
        name: spec.name.clone(),
        identity: Some(Identity {
            instance: spec.id,
            owner: spec.owner,
        }),
        accel: Some(spec.accel),
        vcpus: spec.vcpus,
        memory: spec.memory,
        disks: spec.disks.iter().map(disk).collect(),
        nics: spec.nics.iter().map(nic).collect(),
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(spec in spec()) {
        let xml = spec.to_xml().unwrap();
        prop_assert_eq!(observe(&xml).unwrap(), expected(&spec));
    }

    #[test]
    fn nothing_read_panics(xml in "[<>/a-z='\" &;!\\[\\]?-]{0,200}") {
        let _ = observe(&xml);
        let _ = Identity::from_metadata(&xml);
        let _ = berth_domain_xml::offers_kvm(&xml);
    }
}

#[test]
fn what_others_define_is_read_leniently() {
    let xml = "<domain type='xen' id='3'><name>theirs</name><uuid>0198f3c2-7a10-7e1b-9d0a-5c1f6f4e2b11</uuid>
        <memory>1048576</memory><vcpu placement='static' current='1'>4</vcpu><unknown><deep/></unknown>
        <devices><emulator>/usr/bin/qemu</emulator>
        <disk type='block'><source dev='/dev/sda'/><target dev='sda'/></disk>
        <interface type='user'><mac address='01:00:00:00:00:00'/></interface>
        <disk device='cdrom'><target dev='hda'/></disk><disk><source file='/a'/><target dev='vda'/></disk></devices></domain>";
    let theirs = observe(xml).unwrap();
    assert_eq!(
        (theirs.accel, theirs.identity, theirs.vcpus, theirs.memory),
        (None, None, 4, Mib(1024))
    );
    let disks: Vec<_> = theirs
        .disks
        .iter()
        .map(|disk| (disk.target.as_str(), disk.path.is_some()))
        .collect();
    assert_eq!(disks, [("sda", false), ("hda", false), ("vda", true)]);
    assert_eq!(theirs.nics, [ObservedNic { mac: None, tap: None }]);
}

#[test]
fn what_is_no_domain_is_an_error() {
    for xml in [
        "",
        "<domain",
        "<domain type='kvm'/>",
        "<domain type='kvm'><name>x</name><uuid>x</uuid>",
        "text",
    ] {
        assert!(observe(xml).is_err(), "{xml}");
    }
}
