//! What a domain is, from libvirt's own XML.
//!
//! Lenient: libvirt fills in much that we didn't ask for, versions differ, and people edit. What isn't known is passed
//! over; only what every domain has must be there.

use std::path::PathBuf;

use berth_model::{InstanceId, Mac, Mib};
use serde::Deserialize;

use crate::{Accel, Identity, XmlError};

/// A domain as libvirt has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// The domain's UUID.
    pub id: InstanceId,
    /// Its name.
    pub name: String,
    /// Whose it is, if it is ours.
    pub identity: Option<Identity>,
    /// What executes its instructions; none if it is neither KVM nor TCG.
    pub accel: Option<Accel>,
    /// Virtual CPUs, as many as there may be.
    pub vcpus: u32,
    /// Memory in MiB, as much as there may be, rounded down.
    pub memory: Mib,
    /// Its disks.
    pub disks: Vec<ObservedDisk>,
    /// Its NICs.
    pub nics: Vec<ObservedNic>,
}

/// A disk of a domain as libvirt has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedDisk {
    /// The image file; none if the disk is something else or an empty drive.
    pub path: Option<PathBuf>,
    /// Its target, e.g. `vda`.
    pub target: String,
    /// Its serial number.
    pub serial: Option<String>,
}

/// A NIC of a domain as libvirt has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedNic {
    /// Its address; none if it has none that a NIC may have.
    pub mac: Option<Mac>,
    /// Its tap.
    pub tap: Option<String>,
}

#[derive(Deserialize)]
struct DomainXml {
    #[serde(rename = "@type")]
    kind: String,
    name: String,
    uuid: String,
    memory: MemoryXml,
    vcpu: VcpuXml,
    #[serde(default)]
    devices: DevicesXml,
}

#[derive(Deserialize)]
struct MemoryXml {
    #[serde(rename = "@unit")]
    unit: Option<String>,
    #[serde(rename = "$text")]
    amount: u64,
}

#[derive(Deserialize)]
struct VcpuXml {
    #[serde(rename = "$text")]
    count: u32,
}

/// A list of choices rather than a field a kind: libvirt groups devices by kind, people don't.
#[derive(Default, Deserialize)]
struct DevicesXml {
    #[serde(rename = "$value", default)]
    all: Vec<DeviceXml>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum DeviceXml {
    Disk(DiskXml),
    Interface(InterfaceXml),
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct DiskXml {
    source: Option<SourceXml>,
    target: TargetXml,
    serial: Option<String>,
}

#[derive(Deserialize)]
struct SourceXml {
    #[serde(rename = "@file")]
    file: Option<PathBuf>,
}

#[derive(Deserialize)]
struct TargetXml {
    #[serde(rename = "@dev")]
    dev: String,
}

#[derive(Deserialize)]
struct InterfaceXml {
    mac: Option<MacXml>,
    target: Option<TargetXml>,
}

#[derive(Deserialize)]
struct MacXml {
    #[serde(rename = "@address")]
    address: String,
}

/// Reads libvirt's domain XML (`virDomainGetXMLDesc`).
pub fn observe(xml: &str) -> Result<Observed, XmlError> {
    let domain: DomainXml = quick_xml::de::from_str(xml)?;
    let mut observed = Observed {
        id: domain
            .uuid
            .parse()
            .map_err(|error: berth_model::ParseIdError| XmlError::Read(error.to_string()))?,
        name: domain.name,
        identity: Identity::in_domain(xml)?,
        accel: match domain.kind.as_str() {
            "kvm" => Some(Accel::Kvm),
            "qemu" => Some(Accel::Tcg),
            _ => None,
        },
        vcpus: domain.vcpu.count,
        memory: mib(&domain.memory)?,
        disks: Vec::new(),
        nics: Vec::new(),
    };
    for device in domain.devices.all {
        match device {
            DeviceXml::Disk(disk) => observed.disks.push(ObservedDisk {
                path: disk.source.and_then(|source| source.file),
                target: disk.target.dev,
                serial: disk.serial,
            }),
            DeviceXml::Interface(nic) => observed.nics.push(ObservedNic {
                mac: nic.mac.and_then(|mac| mac.address.parse().ok()),
                tap: nic.target.map(|target| target.dev),
            }),
            DeviceXml::Other => {}
        }
    }
    Ok(observed)
}

/// Memory in MiB; the units are those of libvirt's `scaledInteger`.
fn mib(memory: &MemoryXml) -> Result<Mib, XmlError> {
    let unit = memory.unit.as_deref().unwrap_or("KiB");
    let bytes: u64 = match unit {
        "b" | "bytes" => 1,
        "KB" => 1000,
        "k" | "K" | "KiB" => 1 << 10,
        "MB" => 1_000_000,
        "M" | "MiB" => 1 << 20,
        "GB" => 1_000_000_000,
        "G" | "GiB" => 1 << 30,
        "TB" => 1_000_000_000_000,
        "T" | "TiB" => 1 << 40,
        _ => return Err(XmlError::Read(format!("'{unit}' is no unit of memory"))),
    };
    let too_much = || XmlError::Read(format!("{} {unit} of memory is more than there can be", memory.amount));
    Ok(Mib(memory.amount.checked_mul(bytes).ok_or_else(too_much)? >> 20))
}
