//! A guest lets go of a device: asked, and asked again, until it has, refuses, or the time is up. Pulled from under it, what
//! it hasn't written or sent yet would be lost.

use std::time::{Duration, Instant};

use berth_model::{Code, GuestEvent};
use berth_ops::Failure;

use crate::context::Watch;

/// How a guest is asked for a device, and what is told if it keeps it.
pub(crate) struct Release<'a> {
    /// What libvirt says meanwhile.
    pub(crate) watch: &'a Watch,
    /// Until when it may keep it.
    pub(crate) deadline: Instant,
    /// How long after one request it is asked again.
    pub(crate) ask_again: Duration,
    /// What is told when the time is up.
    pub(crate) late: String,
    /// What is told when it refuses.
    pub(crate) refused: String,
}

impl Release<'_> {
    /// Waits until no guest has the device.
    pub(crate) fn wait(
        self,
        has: impl Fn() -> Result<bool, Failure>,
        ask: impl Fn() -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut ask_at = Instant::now();
        while has()? {
            let now = Instant::now();
            if now >= self.deadline {
                return Err(Failure::fatal(Code::DeadlineExceeded, self.late));
            }
            if now >= ask_at {
                ask()?;
                ask_at = Instant::now() + self.ask_again;
            }
            if let Some(GuestEvent::DeviceKept { .. }) = self.watch.next(ask_at.min(self.deadline))? {
                return Err(Failure::fatal(Code::InUse, self.refused));
            }
        }
        Ok(())
    }
}
