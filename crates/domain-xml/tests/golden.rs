//! The XML of each kind of guest, under review and held against libvirt's own schema.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

mod common;

use std::os::unix::ffi::OsStringExt as _;
use std::process::Command;

use berth_domain_xml::{Accel, DomainSpec, XmlError};
use berth_model::{DiskBus, Firmware, GuestClock, NicModel, OsFamily};

/// Whether libvirt's schema (virt-xml-validate of libvirt-clients, with xmllint) takes it.
fn validate(name: &str, xml: &str) {
    let file = std::env::temp_dir().join(format!("berth-golden-{}-{name}.xml", std::process::id()));
    std::fs::write(&file, xml).unwrap();
    let output = Command::new("virt-xml-validate").arg(&file).arg("domain").output();
    std::fs::remove_file(&file).unwrap();
    match output {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
            assert!(
                output.status.success(),
                "{name} is against libvirt's schema: {said}\n{xml}"
            );
        }
        Err(error) => eprintln!("SKIPPED: {name} is not validated, virt-xml-validate can't be run: {error}"),
    }
}

fn golden(name: &str, spec: &DomainSpec) {
    let xml = spec.to_xml().unwrap();
    validate(name, &xml);
    insta::assert_snapshot!(name, xml);
}

#[test]
fn linux_bios_kvm() {
    golden("linux_bios_kvm", &common::linux());
}

#[test]
fn linux_bios_tcg() {
    golden(
        "linux_bios_tcg",
        &DomainSpec {
            accel: Accel::Tcg,
            ..common::linux()
        },
    );
}

#[test]
fn linux_uefi_kvm() {
    golden(
        "linux_uefi_kvm",
        &DomainSpec {
            firmware: Firmware::Uefi,
            ..common::linux()
        },
    );
}

/// A guest as Windows likes it: Hyper-V's interfaces and local time.
fn windows() -> DomainSpec {
    DomainSpec {
        os: OsFamily::Windows,
        clock: GuestClock::Localtime,
        hyperv: true,
        ..common::linux()
    }
}

#[test]
fn windows_secure_boot_kvm() {
    golden(
        "windows_secure_boot_kvm",
        &DomainSpec {
            firmware: Firmware::UefiSecureBoot,
            tpm: true,
            ..windows()
        },
    );
}

#[test]
fn windows_without_virtio_drivers() {
    let mut spec = DomainSpec {
        disks: on(DiskBus::Sata).disks,
        ..windows()
    };
    spec.nics[0].model = NicModel::E1000e;
    golden("windows_without_virtio_drivers", &spec);
}

/// Both disks of the usual guest on that bus.
fn on(bus: DiskBus) -> DomainSpec {
    let mut spec = common::linux();
    for disk in &mut spec.disks {
        disk.bus = bus;
    }
    spec
}

#[test]
fn linux_sata() {
    golden("linux_sata", &on(DiskBus::Sata));
}

#[test]
fn linux_scsi() {
    golden("linux_scsi", &on(DiskBus::Scsi));
}

#[test]
fn every_other_combination_is_valid_too() {
    for accel in [Accel::Kvm, Accel::Tcg] {
        for firmware in [Firmware::Bios, Firmware::Uefi, Firmware::UefiSecureBoot] {
            for os in [OsFamily::Linux, OsFamily::Windows, OsFamily::Other] {
                let spec = DomainSpec {
                    accel,
                    firmware,
                    os,
                    disks: vec![],
                    nics: vec![],
                    ..common::linux()
                };
                validate(&format!("{accel:?}-{firmware:?}-{os:?}"), &spec.to_xml().unwrap());
                let (tpm, hyperv, clock) = (true, true, GuestClock::Localtime);
                let spec = DomainSpec {
                    tpm,
                    hyperv,
                    clock,
                    ..spec
                };
                validate(&format!("{accel:?}-{firmware:?}-{os:?}-all"), &spec.to_xml().unwrap());
            }
        }
    }
}

#[test]
fn hostile_text_is_escaped() {
    let title = r#"</title><on_crash>restart</on_crash> & "quotes' ]]> é 😀"#.to_owned();
    let spec = DomainSpec {
        project: title.clone(),
        title,
        ..common::linux()
    };
    let xml = spec.to_xml().unwrap();
    assert!(!xml.contains("<on_crash>restart"), "{xml}");
    validate("hostile", &xml);
    assert_eq!(
        berth_domain_xml::observe(&xml).unwrap().identity.unwrap().instance,
        spec.id
    );
}

#[test]
fn what_xml_can_not_hold_is_refused() {
    for title in [
        "a\0b",
        "a\nb",
        "a\tb",
        "\u{1b}[2J",
        "a\u{7f}",
        "a\u{85}",
        "a\u{ffff}",
        "a\u{fffe}",
    ] {
        let refused = DomainSpec {
            title: title.to_owned(),
            ..common::linux()
        }
        .to_xml();
        assert!(
            matches!(refused, Err(XmlError::Unwritable { field: "title", .. })),
            "{title:?}: {refused:?}"
        );
    }
    let mut spec = common::linux();
    spec.disks[0].path = std::ffi::OsString::from_vec(b"/\xff".to_vec()).into();
    assert!(matches!(spec.to_xml(), Err(XmlError::Path(_))));
}
