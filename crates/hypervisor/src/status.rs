//! libvirt's numbers for the state of a domain → our words. Pure.

use std::os::raw::c_int;

use berth_model::{GuestStatus, OffReason, PauseReason};
use virt_sys as sys;

/// What `virDomainGetState` said.
///
/// A state that no libvirt of today has counts as running: nothing is done to a guest because of a word not known.
pub(crate) fn status(state: c_int, reason: c_int) -> GuestStatus {
    let (state, reason) = (
        u32::try_from(state).unwrap_or(u32::MAX),
        u32::try_from(reason).unwrap_or(0),
    );
    match state {
        sys::VIR_DOMAIN_SHUTOFF => GuestStatus::Off(off(reason)),
        sys::VIR_DOMAIN_PAUSED => paused(reason),
        sys::VIR_DOMAIN_PMSUSPENDED => GuestStatus::Paused(PauseReason::Other),
        sys::VIR_DOMAIN_SHUTDOWN => GuestStatus::ShuttingDown,
        sys::VIR_DOMAIN_CRASHED => GuestStatus::Crashed,
        _ => GuestStatus::Running,
    }
}

fn off(reason: u32) -> OffReason {
    match reason {
        sys::VIR_DOMAIN_SHUTOFF_SHUTDOWN => OffReason::Shutdown,
        sys::VIR_DOMAIN_SHUTOFF_DESTROYED => OffReason::Destroyed,
        sys::VIR_DOMAIN_SHUTOFF_CRASHED => OffReason::Crashed,
        sys::VIR_DOMAIN_SHUTOFF_FAILED => OffReason::Failed,
        _ => OffReason::Other,
    }
}

fn paused(reason: u32) -> GuestStatus {
    match reason {
        sys::VIR_DOMAIN_PAUSED_CRASHED => GuestStatus::Crashed,
        sys::VIR_DOMAIN_PAUSED_SHUTTING_DOWN => GuestStatus::ShuttingDown,
        sys::VIR_DOMAIN_PAUSED_USER => GuestStatus::Paused(PauseReason::Asked),
        sys::VIR_DOMAIN_PAUSED_IOERROR => GuestStatus::Paused(PauseReason::IoError),
        sys::VIR_DOMAIN_PAUSED_STARTING_UP => GuestStatus::Paused(PauseReason::StartingUp),
        _ => GuestStatus::Paused(PauseReason::Other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_its_word() {
        assert_eq!(status(1, 1), GuestStatus::Running);
        assert_eq!(status(2, 0), GuestStatus::Running);
        assert_eq!(status(3, 1), GuestStatus::Paused(PauseReason::Asked));
        assert_eq!(status(3, 5), GuestStatus::Paused(PauseReason::IoError));
        assert_eq!(status(3, 11), GuestStatus::Paused(PauseReason::StartingUp));
        assert_eq!(status(3, 10), GuestStatus::Crashed);
        assert_eq!(status(4, 0), GuestStatus::ShuttingDown);
        assert_eq!(status(5, 1), GuestStatus::Off(OffReason::Shutdown));
        assert_eq!(status(5, 2), GuestStatus::Off(OffReason::Destroyed));
        assert_eq!(status(5, 3), GuestStatus::Off(OffReason::Crashed));
        assert_eq!(status(5, 6), GuestStatus::Off(OffReason::Failed));
        assert_eq!(status(5, 0), GuestStatus::Off(OffReason::Other));
        assert_eq!(status(6, 1), GuestStatus::Crashed);
        assert_eq!(status(99, -1), GuestStatus::Running);
    }
}
