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

impl OsFamily {
    /// Every family.
    pub const ALL: &'static [Self] = &[Self::Linux, Self::Windows, Self::Other];

    /// The family as it is on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Linux => "linux",
            Self::Windows => "windows",
            Self::Other => "other",
        }
    }
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
    /// OVMF with secure boot, and a TPM 2.0 unless the image does without.
    UefiSecureBoot,
}

/// What the guest's disks hang on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DiskBus {
    /// virtio-blk: the quickest, with an I/O thread of its own.
    #[default]
    Virtio,
    /// AHCI: every system has a driver for it, but nothing on it can be plugged in while the guest runs.
    Sata,
    /// virtio-scsi: many disks on one PCI slot.
    Scsi,
}

/// What the guest's NICs look like to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NicModel {
    /// virtio-net: the quickest.
    #[default]
    Virtio,
    /// Intel's 82574L, for systems without a virtio driver.
    E1000e,
}

/// What the guest takes its hardware clock to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuestClock {
    /// UTC, as everything but Windows has it.
    Utc,
    /// The host's local time, as Windows has it.
    Localtime,
}

/// Who an image is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// A default image: every project's, put there by the operator.
    Default,
    /// My image: one project's own.
    #[default]
    Private,
}

impl Visibility {
    /// Both of them.
    pub const ALL: &'static [Self] = &[Self::Default, Self::Private];

    /// The visibility as it is on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Private => "private",
        }
    }
}

/// How a disk image is written down. What guests run on is always qcow2, and the seed disk is raw; the others are taken
/// from who brings them, and converted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DiskFormat {
    /// QEMU's own format.
    Qcow2,
    /// The bytes of the disk, one after the other.
    Raw,
    /// VMware's, in one file.
    Vmdk,
    /// VirtualBox's.
    Vdi,
    /// Connectix' and Microsoft's older one.
    Vhd,
    /// Microsoft's newer one.
    Vhdx,
}

impl DiskFormat {
    /// The format as people write it, and as it is on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Qcow2 => "qcow2",
            Self::Raw => "raw",
            Self::Vmdk => "vmdk",
            Self::Vdi => "vdi",
            Self::Vhd => "vhd",
            Self::Vhdx => "vhdx",
        }
    }

    /// QEMU's name of the driver that reads it (`qemu-img -f`, libvirt's `<driver type=…>`).
    pub const fn qemu_name(self) -> &'static str {
        match self {
            Self::Vhd => "vpc",
            other => other.as_str(),
        }
    }
}

impl std::fmt::Display for DiskFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
