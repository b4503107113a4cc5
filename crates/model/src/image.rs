//! Images: what a root volume is made from, and the properties that shape the domain.

use serde::{Deserialize, Serialize};

/// The family of operating systems in an image; it decides on clock, enlightenments and buses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OsFamily {
    /// Linux: virtio everywhere, clock in UTC.
    #[default]
    Linux,
    /// Windows: Hyper-V enlightenments, clock in local time.
    Windows,
    /// Anything else: as Linux, without assumptions about a guest agent.
    Other,
}

/// What starts the guest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Firmware {
    /// SeaBIOS.
    #[default]
    Bios,
    /// OVMF.
    Uefi,
    /// OVMF with secure boot, and a TPM 2.0.
    UefiSecureBoot,
}

/// How a disk image is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DiskFormat {
    /// QEMU's own format.
    Qcow2,
    /// The bytes of the disk, one after the other.
    Raw,
}
