//! What a domain should be, in our words.

use std::path::{Path, PathBuf};

use berth_model::{DiskBus, DiskFormat, Firmware, GuestClock, InstanceId, Mac, Mib, NicModel, OsFamily, OwnerId};

use crate::XmlError;
use crate::domain::Domain;

/// What executes the guest's instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Accel {
    /// The CPU itself, through the kernel.
    Kvm,
    /// QEMU's translator.
    Tcg,
}

/// A domain as it should be. All of it is decided by the caller; nothing is looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainSpec {
    /// The instance, and the domain's UUID.
    pub id: InstanceId,
    /// The installation that the instance belongs to.
    pub owner: OwnerId,
    /// The domain's name, unique on the host.
    pub name: String,
    /// The instance's name, as people see it.
    pub title: String,
    /// The project of the instance.
    pub project: String,
    /// What executes the guest's instructions.
    pub accel: Accel,
    /// Virtual CPUs.
    pub vcpus: u32,
    /// Memory in MiB.
    pub memory: Mib,
    /// What starts the guest.
    pub firmware: Firmware,
    /// Whether the guest has a TPM 2.0.
    pub tpm: bool,
    /// Decides on the pointer.
    pub os: OsFamily,
    /// What the hardware clock shows.
    pub clock: GuestClock,
    /// Whether the guest may speak with Hyper-V's interfaces; only KVM has them, TCG goes without.
    pub hyperv: bool,
    /// Disks in the order the guest sees them.
    pub disks: Vec<Disk>,
    /// NICs in the order the guest sees them; none is fine.
    pub nics: Vec<Nic>,
    /// Where QEMU makes its sockets and files.
    pub paths: Paths,
}

/// A disk of a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// The image file.
    pub path: PathBuf,
    /// How the file is written down.
    pub format: DiskFormat,
    /// What it hangs on. QEMU has no read-only disk on SATA: such a one is a stick on USB.
    pub bus: DiskBus,
    /// What the guest reads as the disk's serial number: virtio and SATA show the first 20 bytes.
    pub serial: Option<String>,
    /// The guest may not write.
    pub read_only: bool,
    /// Bypass the host's page cache (`O_DIRECT`); the file system must be able to.
    pub direct: bool,
    /// The firmware may boot from it; several are tried in their order here.
    pub boot: bool,
    /// Its place among the disks of the guest, from 0: `vda`, `vdb` …
    pub slot: u32,
    /// How much it may do.
    pub limits: Limits,
}

/// How much a disk may do; no limit if none is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Reads and writes a second.
    pub iops: Option<u64>,
    /// Bytes a second, read and written.
    pub bytes: Option<u64>,
}

/// A NIC of a domain, on a tap that is there before the domain starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nic {
    /// Its address.
    pub mac: Mac,
    /// The tap's name in the namespace in which QEMU starts.
    pub tap: String,
    /// The MTU in bytes: the tap's, and what a virtio NIC tells the guest.
    pub mtu: u32,
    /// What it looks like to the guest.
    pub model: NicModel,
}

/// Where QEMU makes its sockets and files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// The unix socket of the serial console; QEMU listens.
    pub console_socket: PathBuf,
    /// Where all that the console says is kept.
    pub console_log: PathBuf,
    /// The unix socket of the screen (VNC); QEMU listens.
    pub vnc_socket: PathBuf,
    /// The variables of UEFI; made by libvirt, not used with BIOS.
    pub nvram: PathBuf,
}

impl DomainSpec {
    /// The domain as libvirt's XML.
    ///
    /// Equal specs give equal text.
    pub fn to_xml(&self) -> Result<String, XmlError> {
        for (field, text) in [("name", &self.name), ("title", &self.title), ("project", &self.project)] {
            check(field, text)?;
        }
        let mut xml = String::new();
        let mut writer = quick_xml::se::Serializer::with_root(&mut xml, Some("domain"))?;
        writer.indent(' ', 2);
        serde::Serialize::serialize(&Domain::of(self)?, writer)?;
        xml.push('\n');
        Ok(xml)
    }
}

/// A path as XML can hold it.
pub(crate) fn path(path: &Path) -> Result<&str, XmlError> {
    let text = path.to_str().ok_or_else(|| XmlError::Path(path.to_owned()))?;
    check("path", text)
}

/// A text as XML can hold it. Tabs and line ends would pass, and come back as spaces: refused like the others.
pub(crate) fn check<'a>(field: &'static str, text: &'a str) -> Result<&'a str, XmlError> {
    // U+FFFE and U+FFFF are outside of XML's `Char` (XML 1.0, 2.2).
    if text
        .chars()
        .any(|char| char.is_control() || matches!(char, '\u{FFFE}' | '\u{FFFF}'))
    {
        return Err(XmlError::Unwritable {
            field,
            text: text.to_owned(),
        });
    }
    Ok(text)
}
