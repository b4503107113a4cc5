//! The disks of a domain, all of virtio through one I/O thread.

use berth_model::{DiskBus, DiskFormat};
use serde::Serialize;

use crate::domain::IOTHREAD;
use crate::spec::{check, path};
use crate::target::disk_target;
use crate::{Disk, XmlError};

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
    serial: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    boot: Option<Boot>,
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
            format: match disk.format {
                DiskFormat::Qcow2 => "qcow2",
                DiskFormat::Raw => "raw",
            },
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
    (0..)
        .zip(disks)
        .map(|(index, disk)| DiskXml::of(index, disk, order(disk.boot)))
        .collect()
}

impl<'a> DiskXml<'a> {
    fn of(index: u32, disk: &'a Disk, boot: Option<Boot>) -> Result<Self, XmlError> {
        Ok(Self {
            kind: "file",
            device: "disk",
            driver: Driver::of(disk),
            source: File {
                file: path(&disk.path)?,
            },
            target: Target {
                dev: disk_target(disk.bus, index),
                bus: bus(disk),
            },
            readonly: disk.read_only.then_some(()),
            serial: disk
                .serial
                .as_deref()
                .map(|serial| check("serial", serial))
                .transpose()?,
            boot,
        })
    }
}
