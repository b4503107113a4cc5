//! Names of disks in a domain: `vda` in the XML and `virtio-disk0` in QEMU are the same one.

use berth_model::DiskBus;

const LETTERS: u32 = 26;

/// Disks on one AHCI controller, and on one of SCSI; there the controller itself is unit 7 (libvirt's
/// `virDomainDiskDefAssignAddress`).
const SATA_UNITS: u32 = 6;
const SCSI_UNITS: u32 = 15;
const SCSI_SELF: u32 = 7;

/// The target of the disk at that place, counted from 0: vda … vdz, vdaa, vdab …; on SATA and SCSI sda ….
pub fn disk_target(bus: DiskBus, index: u32) -> String {
    match bus {
        DiskBus::Virtio => named("vd", index),
        DiskBus::Sata | DiskBus::Scsi => named("sd", index),
    }
}

fn named(prefix: &str, index: u32) -> String {
    let mut letters = Vec::new();
    let mut rest = index;
    loop {
        letters.push(char::from(b'a' + u8::try_from(rest % LETTERS).unwrap_or_default()));
        if rest < LETTERS {
            break;
        }
        rest = rest / LETTERS - 1;
    }
    std::iter::once(prefix)
        .map(str::to_owned)
        .chain(letters.iter().rev().map(char::to_string))
        .collect()
}

/// The target of the disk that QEMU calls `virtio-diskN`, `usb-diskN`, `sataC-0-U` or `scsiC-0-0-U`; libvirt counts
/// them from the target. Another alias stays as it is: there is nothing better to call it.
pub fn target_of_alias(alias: &str) -> String {
    counted(alias, "virtio-disk")
        .map(|index| named("vd", index))
        .or_else(|| {
            counted(alias, "usb-disk")
                .or_else(|| addressed(alias))
                .map(|index| named("sd", index))
        })
        .unwrap_or_else(|| alias.to_owned())
}

fn counted(alias: &str, prefix: &str) -> Option<u32> {
    alias.strip_prefix(prefix)?.parse().ok()
}

/// The place of a disk that is known by controller and unit.
fn addressed(alias: &str) -> Option<u32> {
    let (units, address) = match alias.strip_prefix("sata") {
        Some(address) => (SATA_UNITS, address),
        None => (SCSI_UNITS, alias.strip_prefix("scsi")?),
    };
    let (controller, rest) = address.split_once('-')?;
    let controller: u32 = controller.parse().ok()?;
    let unit: u32 = rest.rsplit('-').next()?.parse().ok()?;
    let skipped = u32::from(units == SCSI_UNITS && unit > SCSI_SELF);
    controller.checked_mul(units)?.checked_add(unit - skipped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_count_like_spreadsheet_columns() {
        let expected = [
            (0, "vda"),
            (1, "vdb"),
            (25, "vdz"),
            (26, "vdaa"),
            (51, "vdaz"),
            (52, "vdba"),
            (702, "vdaaa"),
        ];
        for (index, target) in expected {
            assert_eq!(disk_target(DiskBus::Virtio, index), target);
            assert_eq!(target_of_alias(&format!("virtio-disk{index}")), target);
        }
        assert_eq!(disk_target(DiskBus::Sata, 27), "sdab");
        assert_eq!(disk_target(DiskBus::Scsi, 2), "sdc");
    }

    #[test]
    fn an_alias_of_any_bus_leads_back_to_its_target() {
        let expected = [
            ("sata0-0-0", "sda"),
            ("sata1-0-2", "sdi"),
            ("scsi0-0-0-6", "sdg"),
            ("scsi0-0-0-8", "sdh"),
            ("scsi1-0-0-0", "sdp"),
            ("usb-disk1", "sdb"),
        ];
        for (alias, target) in expected {
            assert_eq!(target_of_alias(alias), target);
        }
        for alias in [
            "ua-mine",
            "virtio-disk",
            "sata0",
            "sata-0-0",
            "scsi4294967295-0-0-9",
            "scsi",
        ] {
            assert_eq!(target_of_alias(alias), alias);
        }
    }
}
