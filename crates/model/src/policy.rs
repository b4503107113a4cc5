//! What becomes of an instance by itself: after its guest crashed, and after its host was rebooted.

use serde::{Deserialize, Serialize};

/// What becomes of an instance by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Policy {
    /// When its guest or QEMU crashed.
    #[serde(default)]
    pub on_crash: OnCrash,
    /// When its host was rebooted while it was Active.
    #[serde(default)]
    pub on_boot: OnBoot,
}

/// What becomes of an instance whose guest, or QEMU, crashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnCrash {
    /// It stays in Error, as it is, to be looked at.
    #[default]
    Stay,
    /// A hard reboot, after a pause that doubles with each crash.
    Reboot,
}

/// What becomes of an instance that was Active when its host went down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnBoot {
    /// It is started again.
    #[default]
    Start,
    /// It is Stopped.
    Stay,
}
