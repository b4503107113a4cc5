//! The devices of a domain.
//!
//! virtio unless the image says otherwise, on PCI Express. The rest is what a guest needs before it has drivers: a
//! serial port, VGA.

use berth_model::{DiskBus, OsFamily};
use serde::Serialize;

use crate::disk::{DiskXml, disks, on_usb};
use crate::domain::IOTHREAD;
use crate::nic::Interface;
use crate::parts::enlightened;
use crate::spec::path;
use crate::{DomainSpec, XmlError};

/// Ports for PCI Express devices, which q35 can't add while the guest runs. A guest with two disks and a NIC has six
/// in use (with the agent's channel, balloon and random numbers); the rest are room for volumes and NICs.
const ROOT_PORTS: u32 = 16;

/// How often the guest tells its memory statistics, in seconds.
const BALLOON_PERIOD: u32 = 10;

/// A device that is all said with one or two attributes.
#[derive(Serialize)]
pub(crate) struct Simple {
    #[serde(rename = "@type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(rename = "@bus", skip_serializing_if = "Option::is_none")]
    bus: Option<&'static str>,
    #[serde(rename = "@model", skip_serializing_if = "Option::is_none")]
    model: Option<&'static str>,
}

impl Simple {
    const EMPTY: Self = Self {
        kind: None,
        bus: None,
        model: None,
    };

    pub(crate) const fn kind(kind: &'static str) -> Self {
        Self {
            kind: Some(kind),
            ..Self::EMPTY
        }
    }

    const fn model(model: &'static str) -> Self {
        Self {
            model: Some(model),
            ..Self::EMPTY
        }
    }
}

#[derive(Serialize)]
pub(crate) struct Devices<'a> {
    disk: Vec<DiskXml<'a>>,
    controller: Vec<Controller>,
    interface: Vec<Interface<'a>>,
    serial: Serial<'a>,
    channel: Channel,
    input: Vec<Simple>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tpm: Option<Tpm>,
    graphics: Graphics<'a>,
    video: Video,
    memballoon: Balloon,
    rng: Rng,
    panic: Vec<Simple>,
}

impl<'a> Devices<'a> {
    pub(crate) fn of(spec: &'a DomainSpec) -> Result<Self, XmlError> {
        let windows = spec.os == OsFamily::Windows;
        let tablet = Simple {
            kind: Some("tablet"),
            bus: Some("usb"),
            model: None,
        };
        // Port 0x505 of the ISA model is known to every guest with a pvpanic driver; Windows has none, and Hyper-V's.
        let mut panic = vec![Simple::model("isa")];
        panic.extend(enlightened(spec).then_some(Simple::model("hyperv")));
        Ok(Self {
            disk: disks(&spec.disks)?,
            controller: controllers(spec),
            interface: spec.nics.iter().map(Interface::of).collect::<Result<_, _>>()?,
            serial: Serial::of(spec)?,
            channel: Channel {
                kind: "unix",
                target: ChannelTarget {
                    kind: "virtio",
                    name: "org.qemu.guest_agent.0",
                },
            },
            input: windows.then_some(tablet).into_iter().collect(),
            tpm: spec.tpm.then_some(Tpm {
                model: "tpm-crb",
                backend: TpmBackend {
                    kind: "emulator",
                    version: "2.0",
                },
            }),
            graphics: Graphics {
                kind: "vnc",
                listen: Listen {
                    kind: "socket",
                    socket: path(&spec.paths.vnc_socket)?,
                },
            },
            // Plain VGA: firmware, boot loaders, and every system's own driver draw on it.
            video: Video {
                model: Simple::kind("vga"),
            },
            memballoon: Balloon {
                model: "virtio",
                stats: Stats { period: BALLOON_PERIOD },
            },
            rng: Rng {
                model: "virtio",
                backend: RngBackend {
                    model: "random",
                    source: "/dev/urandom",
                },
            },
            panic,
        })
    }
}

#[derive(Serialize)]
struct Controller {
    #[serde(rename = "@type")]
    kind: &'static str,
    #[serde(rename = "@index")]
    index: u32,
    #[serde(rename = "@model")]
    model: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    driver: Option<ControllerDriver>,
}

#[derive(Serialize)]
struct ControllerDriver {
    #[serde(rename = "@iothread")]
    iothread: u32,
}

/// What devices hang on; libvirt adds AHCI's, which is part of q35, and PCI's root, which is controller 0.
fn controllers(spec: &DomainSpec) -> Vec<Controller> {
    let controller = |kind, index, model| Controller {
        kind,
        index,
        model,
        driver: None,
    };
    // Windows' pointer is usable on a screen only as a tablet, and that is USB.
    let usb = spec.os == OsFamily::Windows || spec.disks.iter().any(on_usb);
    let mut all = vec![controller("usb", 0, if usb { "qemu-xhci" } else { "none" })];
    all.extend((1..=ROOT_PORTS).map(|index| controller("pci", index, "pcie-root-port")));
    if spec.disks.iter().any(|disk| disk.bus == DiskBus::Scsi) {
        all.push(Controller {
            driver: Some(ControllerDriver { iothread: IOTHREAD }),
            ..controller("scsi", 0, "virtio-scsi")
        });
    }
    all
}

/// The console: QEMU listens, whoever connects takes part, and virtlogd keeps a copy of bounded size.
#[derive(Serialize)]
struct Serial<'a> {
    #[serde(rename = "@type")]
    kind: &'static str,
    source: Socket<'a>,
    log: Log<'a>,
    target: SerialTarget,
}

#[derive(Serialize)]
struct Socket<'a> {
    #[serde(rename = "@mode")]
    mode: &'static str,
    #[serde(rename = "@path")]
    path: &'a str,
}

#[derive(Serialize)]
struct Log<'a> {
    #[serde(rename = "@file")]
    file: &'a str,
    #[serde(rename = "@append")]
    append: &'static str,
}

#[derive(Serialize)]
struct SerialTarget {
    #[serde(rename = "@type")]
    kind: &'static str,
    #[serde(rename = "@port")]
    port: u32,
}

impl<'a> Serial<'a> {
    fn of(spec: &'a DomainSpec) -> Result<Self, XmlError> {
        Ok(Self {
            kind: "unix",
            source: Socket {
                mode: "bind",
                path: path(&spec.paths.console_socket)?,
            },
            log: Log {
                file: path(&spec.paths.console_log)?,
                append: "on",
            },
            target: SerialTarget {
                kind: "isa-serial",
                port: 0,
            },
        })
    }
}

/// The guest agent's channel; libvirt chooses the socket.
#[derive(Serialize)]
struct Channel {
    #[serde(rename = "@type")]
    kind: &'static str,
    target: ChannelTarget,
}

#[derive(Serialize)]
struct ChannelTarget {
    #[serde(rename = "@type")]
    kind: &'static str,
    #[serde(rename = "@name")]
    name: &'static str,
}

#[derive(Serialize)]
struct Tpm {
    #[serde(rename = "@model")]
    model: &'static str,
    backend: TpmBackend,
}

#[derive(Serialize)]
struct TpmBackend {
    #[serde(rename = "@type")]
    kind: &'static str,
    #[serde(rename = "@version")]
    version: &'static str,
}

#[derive(Serialize)]
struct Graphics<'a> {
    #[serde(rename = "@type")]
    kind: &'static str,
    listen: Listen<'a>,
}

#[derive(Serialize)]
struct Listen<'a> {
    #[serde(rename = "@type")]
    kind: &'static str,
    #[serde(rename = "@socket")]
    socket: &'a str,
}

#[derive(Serialize)]
struct Video {
    model: Simple,
}

#[derive(Serialize)]
struct Balloon {
    #[serde(rename = "@model")]
    model: &'static str,
    stats: Stats,
}

#[derive(Serialize)]
struct Stats {
    #[serde(rename = "@period")]
    period: u32,
}

#[derive(Serialize)]
struct Rng {
    #[serde(rename = "@model")]
    model: &'static str,
    backend: RngBackend,
}

#[derive(Serialize)]
struct RngBackend {
    #[serde(rename = "@model")]
    model: &'static str,
    #[serde(rename = "$text")]
    source: &'static str,
}
