//! The root of the XML: a domain from its spec.

use berth_model::InstanceId;
use serde::Serialize;

use crate::devices::Devices;
use crate::identity::Metadata;
use crate::parts::{Clock, Cpu, Features, Os, PowerManagement};
use crate::{Accel, DomainSpec, XmlError};

/// The one architecture of guests.
pub(crate) const ARCH: &str = "x86_64";

/// One thread does the I/O of all disks, beside QEMU's main loop: enough to keep a slow monitor command from
/// holding up a disk.
pub(crate) const IOTHREAD: u32 = 1;

#[derive(Serialize)]
pub(crate) struct Domain<'a> {
    #[serde(rename = "@type")]
    kind: &'static str,
    name: &'a str,
    uuid: InstanceId,
    title: &'a str,
    metadata: Metadata<'a>,
    memory: Memory,
    vcpu: u32,
    iothreads: u32,
    os: Os<'a>,
    features: Features,
    cpu: Cpu,
    clock: Clock,
    on_poweroff: &'static str,
    on_reboot: &'static str,
    on_crash: &'static str,
    pm: PowerManagement,
    devices: Devices<'a>,
}

#[derive(Serialize)]
struct Memory {
    #[serde(rename = "@unit")]
    unit: &'static str,
    #[serde(rename = "$text")]
    amount: u64,
}

impl<'a> Domain<'a> {
    pub(crate) fn of(spec: &'a DomainSpec) -> Result<Self, XmlError> {
        Ok(Self {
            kind: match spec.accel {
                Accel::Kvm => "kvm",
                Accel::Tcg => "qemu",
            },
            name: &spec.name,
            uuid: spec.id,
            title: &spec.title,
            metadata: Metadata::of(spec),
            memory: Memory {
                unit: "MiB",
                amount: spec.memory.0,
            },
            vcpu: spec.vcpus,
            iothreads: IOTHREAD,
            os: Os::of(spec)?,
            features: Features::of(spec),
            cpu: Cpu::of(spec),
            clock: Clock::of(spec),
            on_poweroff: "destroy",
            on_reboot: "restart",
            // A guest whose kernel panicked is held as it is: libvirt says CRASHED/PANICKED for as long as it lasts
            // (even to a daemon that wasn't there when it happened), and screen and memory can be looked at. What
            // becomes of it is the engine's decision; `destroy` would have taken it.
            on_crash: "preserve",
            pm: PowerManagement::NONE,
            devices: Devices::of(spec)?,
        })
    }
}
