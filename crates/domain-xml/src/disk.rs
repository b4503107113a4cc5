//! The disks of a domain, all of virtio through one I/O thread.
//!
//! One that is plugged into a guest that runs has the same element as one that is there from the start.

use berth_model::DiskBus;
use serde::Serialize;

use crate::domain::IOTHREAD;
use crate::spec::{check, path};
use crate::target::disk_target;
use crate::{Disk, Limits, XmlError};

#[derive(Serialize)]
pub(crate) struct DiskXml<'a> {
    #[serde(rename = "@type")]
    kind: &'static str,
    #[serde(rename = "@device")]
    device: &'static str,
    driver: Driver,
    source: File<'a>,
    target: Target,
    #[serde(skip_serializing_if = "Option::is_none")]
    readonly: Option<()>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iotune: Option<IoTune>,
    #[serde(skip_serializing_if = "Option::is_none")]
    serial: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    boot: Option<Boot>,
}

/// libvirt's limits on a disk; each second may borrow nothing from the next.
#[derive(Serialize)]
struct IoTune {
    #[serde(rename = "total_bytes_sec", skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    #[serde(rename = "total_iops_sec", skip_serializing_if = "Option::is_none")]
    iops: Option<u64>,
}

impl IoTune {
    fn of(limits: Limits) -> Option<Self> {
        let Limits { iops, bytes } = limits;
        (iops.is_some() || bytes.is_some()).then_some(Self { bytes, iops })
    }
}

#[derive(Serialize)]
struct Driver {
    #[serde(rename = "@name")]
    name: &'static str,
    #[serde(rename = "@type")]
    format: &'static str,
    #[serde(rename = "@cache")]
    cache: &'static str,
    #[serde(rename = "@io")]
    io: &'static str,
    #[serde(rename = "@error_policy")]
    error_policy: &'static str,
    #[serde(rename = "@discard", skip_serializing_if = "Option::is_none")]
    discard: Option<&'static str>,
    #[serde(rename = "@detect_zeroes", skip_serializing_if = "Option::is_none")]
    detect_zeroes: Option<&'static str>,
    #[serde(rename = "@iothread", skip_serializing_if = "Option::is_none")]
    iothread: Option<u32>,
}

#[derive(Serialize)]
struct File<'a> {
    #[serde(rename = "@file")]
    file: &'a str,
}

#[derive(Serialize)]
struct Target {
    #[serde(rename = "@dev")]
    dev: String,
    #[serde(rename = "@bus")]
    bus: &'static str,
}

#[derive(Serialize)]
struct Boot {
    #[serde(rename = "@order")]
    order: u32,
}

impl Driver {
    fn of(disk: &Disk) -> Self {
        let (cache, io) = if disk.direct {
            ("none", "native")
        } else {
            ("writeback", "threads")
        };
        // What the guest frees, or fills with zeroes, goes back to the host's file system.
        let unmap = (!disk.read_only).then_some("unmap");
        Self {
            name: "qemu",
            format: disk.format.qemu_name(),
            cache,
            io,
            // The guest is held rather than told: a file system that has seen an I/O error stays read-only for good,
            // a guest that was held goes on once there is room again.
            error_policy: "stop",
            discard: unmap,
            detect_zeroes: unmap,
            // A SCSI disk's is its controller's; no other bus has any.
            iothread: (disk.bus == DiskBus::Virtio).then_some(IOTHREAD),
        }
    }
}

/// libvirt's word for what a disk hangs on.
fn bus(disk: &Disk) -> &'static str {
    match disk.bus {
        DiskBus::Virtio => "virtio",
        DiskBus::Sata if on_usb(disk) => "usb",
        DiskBus::Sata => "sata",
        DiskBus::Scsi => "scsi",
    }
}

/// Whether the disk has to be a stick: QEMU has no read-only disks on SATA, and every system with SATA knows USB.
pub(crate) fn on_usb(disk: &Disk) -> bool {
    disk.bus == DiskBus::Sata && disk.read_only
}

pub(crate) fn disks(disks: &[Disk]) -> Result<Vec<DiskXml<'_>>, XmlError> {
    let mut boots = 0;
    let mut order = |boot: bool| {
        boot.then(|| {
            boots += 1;
            Boot { order: boots }
        })
    };
    disks.iter().map(|disk| DiskXml::of(disk, order(disk.boot))).collect()
}

impl Disk {
    /// The disk as libvirt's XML, to be plugged into a guest that runs. The firmware doesn't boot from it.
    pub fn to_xml(&self) -> Result<String, XmlError> {
        let mut xml = String::new();
        let mut writer = quick_xml::se::Serializer::with_root(&mut xml, Some("disk"))?;
        writer.indent(' ', 2);
        DiskXml::of(self, None)?.serialize(writer)?;
        xml.push('\n');
        Ok(xml)
    }

    /// Its name in the domain.
    pub fn target(&self) -> String {
        disk_target(self.bus, self.slot)
    }
}

impl<'a> DiskXml<'a> {
    fn of(disk: &'a Disk, boot: Option<Boot>) -> Result<Self, XmlError> {
        Ok(Self {
            kind: "file",
            device: "disk",
            driver: Driver::of(disk),
            source: File {
                file: path(&disk.path)?,
            },
            target: Target {
                dev: disk.target(),
                bus: bus(disk),
            },
            readonly: disk.read_only.then_some(()),
            iotune: IoTune::of(disk.limits),
            serial: disk
                .serial
                .as_deref()
                .map(|serial| check("serial", serial))
                .transpose()?,
            boot,
        })
    }
}
