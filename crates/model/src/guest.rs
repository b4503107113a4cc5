//! What libvirt can say of a guest, in types: its status when asked, and the events it sends by itself.
//!
//! Only the words are here. `berth-hypervisor` produces them, `observe` of `berth-engine` says what they mean.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What libvirt answers when asked for the state of a domain (`virDomainGetState`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuestStatus {
    /// The domain is defined and has no QEMU process.
    Off(OffReason),
    /// Its virtual CPUs run.
    Running,
    /// Its virtual CPUs are held.
    Paused(PauseReason),
    /// The guest has asked to be switched off and QEMU hasn't ended yet.
    ShuttingDown,
    /// The guest's kernel panicked, and the domain is kept for inspection.
    Crashed,
}

/// Why a domain is off or has stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OffReason {
    /// The guest shut itself down.
    Shutdown,
    /// Somebody pulled the plug.
    Destroyed,
    /// QEMU or the guest crashed.
    Crashed,
    /// QEMU could not be started, or ended with an error.
    Failed,
    /// Anything else: migrated away, saved, restored from a snapshot, never started, or not known.
    Other,
}

/// Why a domain is paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PauseReason {
    /// Somebody asked for it.
    Asked,
    /// A disk could not be written or read.
    IoError,
    /// It was started paused and not resumed yet.
    StartingUp,
    /// Anything else: a migration, a snapshot, a watchdog.
    Other,
}

/// An event that libvirt sends by itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuestEvent {
    /// The definition was made or changed.
    Defined,
    /// The definition was removed.
    Undefined,
    /// QEMU was started.
    Started,
    /// The virtual CPUs are held.
    Suspended(PauseReason),
    /// The virtual CPUs run again.
    Resumed,
    /// QEMU has ended.
    Stopped(OffReason),
    /// The guest has finished its shutdown; QEMU ends next.
    ShutdownFinished,
    /// The guest's kernel panicked.
    Panicked,
    /// The guest was reset, by itself or by us (`VIR_DOMAIN_EVENT_ID_REBOOT`).
    Rebooted,
    /// A disk reported an I/O error.
    IoError {
        /// The disk's target in the domain XML, e.g. `vda`.
        disk: String,
        /// libvirt's word for it, e.g. `enospc`.
        reason: String,
    },
    /// The guest let go of a device that it was asked to give back.
    DeviceRemoved {
        /// QEMU's name of the device.
        device: String,
    },
    /// The guest refused to let go of a device.
    DeviceKept {
        /// QEMU's name of the device.
        device: String,
    },
    /// A job on a disk's files has ended, or waits to be ended.
    BlockJob {
        /// The disk's target in the domain XML, e.g. `vda`.
        disk: String,
        /// Whether it did what it was to do.
        done: bool,
    },
    /// The guest agent connected or left.
    Agent {
        /// Whether it is there now.
        connected: bool,
    },
}

impl fmt::Display for OffReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shutdown => "shutdown",
            Self::Destroyed => "destroyed",
            Self::Crashed => "crashed",
            Self::Failed => "failed",
            Self::Other => "other",
        })
    }
}

impl fmt::Display for PauseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Asked => "asked",
            Self::IoError => "I/O error",
            Self::StartingUp => "starting up",
            Self::Other => "other",
        })
    }
}

/// In libvirt's own words, as they are kept in the journal and the event log.
impl fmt::Display for GuestEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Defined => f.write_str("defined"),
            Self::Undefined => f.write_str("undefined"),
            Self::Started => f.write_str("started"),
            Self::Suspended(reason) => write!(f, "suspended ({reason})"),
            Self::Resumed => f.write_str("resumed"),
            Self::Stopped(reason) => write!(f, "stopped ({reason})"),
            Self::ShutdownFinished => f.write_str("shutdown finished"),
            Self::Panicked => f.write_str("crashed (panicked)"),
            Self::Rebooted => f.write_str("reboot"),
            Self::IoError { disk, reason } => write!(f, "I/O error on {disk} ({reason})"),
            Self::DeviceRemoved { device } => write!(f, "device removed ({device})"),
            Self::DeviceKept { device } => write!(f, "device removal failed ({device})"),
            Self::BlockJob { disk, done: true } => write!(f, "block job completed on {disk}"),
            Self::BlockJob { disk, done: false } => write!(f, "block job ended early on {disk}"),
            Self::Agent { connected: true } => f.write_str("guest agent connected"),
            Self::Agent { connected: false } => f.write_str("guest agent disconnected"),
        }
    }
}
