//! The parts of a domain that aren't devices: firmware, CPU, features, clock.
//!
//! A guest gets Hyper-V's interfaces under KVM only: KVM implements them, QEMU's translator (TCG) doesn't.

use berth_model::{Firmware, GuestClock};
use serde::Serialize;

use crate::domain::ARCH;
use crate::spec::path;
use crate::{Accel, DomainSpec, XmlError};

/// How often a guest tries a spinlock before it tells the hypervisor; the value that Hyper-V's own guests ask for
/// (`HvNotifyLongSpinWait`, and libvirt's and virt-install's default).
const SPINLOCK_RETRIES: u32 = 8191;

#[derive(Serialize)]
pub(crate) struct Switch {
    #[serde(rename = "@state")]
    state: &'static str,
}

const ON: Switch = Switch { state: "on" };

#[derive(Serialize)]
pub(crate) struct Enabled {
    #[serde(rename = "@enabled")]
    enabled: &'static str,
}

#[derive(Serialize)]
pub(crate) struct Os<'a> {
    #[serde(rename = "@firmware", skip_serializing_if = "Option::is_none")]
    firmware: Option<&'static str>,
    #[serde(rename = "type")]
    kind: OsType,
    #[serde(rename = "firmware", skip_serializing_if = "Option::is_none")]
    features: Option<FirmwareFeatures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nvram: Option<&'a str>,
}

#[derive(Serialize)]
struct OsType {
    #[serde(rename = "@arch")]
    arch: &'static str,
    #[serde(rename = "@machine")]
    machine: &'static str,
    #[serde(rename = "$text")]
    kind: &'static str,
}

#[derive(Serialize)]
struct FirmwareFeatures {
    feature: [FirmwareFeature; 2],
}

#[derive(Serialize)]
struct FirmwareFeature {
    #[serde(rename = "@enabled")]
    enabled: &'static str,
    #[serde(rename = "@name")]
    name: &'static str,
}

impl<'a> Os<'a> {
    /// libvirt finds the firmware's files by what they can do, so that no path of a distribution is written here.
    pub(crate) fn of(spec: &'a DomainSpec) -> Result<Self, XmlError> {
        let secure = match spec.firmware {
            Firmware::Bios => None,
            Firmware::Uefi => Some("no"),
            Firmware::UefiSecureBoot => Some("yes"),
        };
        let features = secure.map(|enabled| FirmwareFeatures {
            feature: ["enrolled-keys", "secure-boot"].map(|name| FirmwareFeature { enabled, name }),
        });
        Ok(Self {
            firmware: secure.map(|_| "efi"),
            kind: OsType {
                arch: ARCH,
                machine: "q35",
                kind: "hvm",
            },
            features,
            nvram: secure.map(|_| path(&spec.paths.nvram)).transpose()?,
        })
    }
}

#[derive(Serialize)]
pub(crate) struct Features {
    acpi: (),
    apic: (),
    #[serde(skip_serializing_if = "Option::is_none")]
    hyperv: Option<Hyperv>,
    #[serde(skip_serializing_if = "Option::is_none")]
    smm: Option<Switch>,
}

#[derive(Serialize)]
struct Hyperv {
    relaxed: Switch,
    vapic: Switch,
    spinlocks: Spinlocks,
    vpindex: Switch,
    runtime: Switch,
    synic: Switch,
    stimer: Switch,
    reset: Switch,
    frequencies: Switch,
    tlbflush: Switch,
    ipi: Switch,
}

#[derive(Serialize)]
struct Spinlocks {
    #[serde(rename = "@state")]
    state: &'static str,
    #[serde(rename = "@retries")]
    retries: u32,
}

impl Features {
    pub(crate) fn of(spec: &DomainSpec) -> Self {
        let hyperv = enlightened(spec).then_some(Hyperv {
            relaxed: ON,
            vapic: ON,
            spinlocks: Spinlocks {
                state: "on",
                retries: SPINLOCK_RETRIES,
            },
            vpindex: ON,
            runtime: ON,
            synic: ON,
            stimer: ON,
            reset: ON,
            frequencies: ON,
            tlbflush: ON,
            ipi: ON,
        });
        // Secure boot is worth something only if the guest's kernel can't write the firmware's variables.
        let smm = (spec.firmware == Firmware::UefiSecureBoot).then_some(ON);
        Self {
            acpi: (),
            apic: (),
            hyperv,
            smm,
        }
    }
}

#[derive(Serialize)]
pub(crate) struct Cpu {
    #[serde(rename = "@mode")]
    mode: &'static str,
    topology: Topology,
}

#[derive(Serialize)]
struct Topology {
    #[serde(rename = "@sockets")]
    sockets: u32,
    #[serde(rename = "@cores")]
    cores: u32,
    #[serde(rename = "@threads")]
    threads: u32,
}

impl Cpu {
    /// KVM: `host-model`, all that the host's CPU can do *by name*. `host-passthrough` would add little, and a guest
    /// on it could never move to another host. TCG: all that the translator can do; distributions of today want
    /// x86-64-v2, which QEMU's default model lacks.
    ///
    /// One socket with all cores: desktop Windows uses two sockets at most, and nothing minds.
    pub(crate) fn of(spec: &DomainSpec) -> Self {
        let mode = match spec.accel {
            Accel::Kvm => "host-model",
            Accel::Tcg => "maximum",
        };
        Self {
            mode,
            topology: Topology {
                sockets: 1,
                cores: spec.vcpus,
                threads: 1,
            },
        }
    }
}

#[derive(Serialize)]
pub(crate) struct Clock {
    #[serde(rename = "@offset")]
    offset: &'static str,
    timer: Vec<Timer>,
}

#[derive(Serialize)]
struct Timer {
    #[serde(rename = "@name")]
    name: &'static str,
    #[serde(rename = "@tickpolicy", skip_serializing_if = "Option::is_none")]
    tickpolicy: Option<&'static str>,
    #[serde(rename = "@present", skip_serializing_if = "Option::is_none")]
    present: Option<&'static str>,
}

impl Clock {
    /// Lost ticks are made up for by the RTC and delayed by the PIT, as virt-install has it. No HPET: it costs the
    /// host CPU time in an idle guest and every guest has something better.
    pub(crate) fn of(spec: &DomainSpec) -> Self {
        let policy = |name, policy| Timer {
            name,
            tickpolicy: Some(policy),
            present: None,
        };
        let present = |name, present| Timer {
            name,
            tickpolicy: None,
            present: Some(present),
        };
        let mut timer = vec![policy("rtc", "catchup"), policy("pit", "delay"), present("hpet", "no")];
        if enlightened(spec) {
            timer.push(present("hypervclock", "yes"));
        }
        let offset = match spec.clock {
            GuestClock::Localtime => "localtime",
            GuestClock::Utc => "utc",
        };
        Self { offset, timer }
    }
}

/// A guest that sleeps would look switched off and wake by nothing: suspend isn't offered to it.
#[derive(Serialize)]
pub(crate) struct PowerManagement {
    #[serde(rename = "suspend-to-mem")]
    memory: Enabled,
    #[serde(rename = "suspend-to-disk")]
    disk: Enabled,
}

impl PowerManagement {
    pub(crate) const NONE: Self = Self {
        memory: Enabled { enabled: "no" },
        disk: Enabled { enabled: "no" },
    };
}

/// Whether the guest talks Hyper-V and there is somebody to talk to.
pub(crate) fn enlightened(spec: &DomainSpec) -> bool {
    spec.hyperv && spec.accel == Accel::Kvm
}
