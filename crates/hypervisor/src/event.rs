//! libvirt's numbers for events → our words. Pure; the meaning is `berth_model::observe`'s business.

use std::os::raw::c_int;

use berth_domain_xml::target_of_alias;
use berth_model::{GuestEvent, OffReason, PauseReason};
use virt_sys as sys;

/// A lifecycle event (`VIR_DOMAIN_EVENT_ID_LIFECYCLE`); none for one that this version of Berth doesn't know.
pub(crate) fn lifecycle(event: c_int, detail: c_int) -> Option<GuestEvent> {
    let (event, detail) = (u32::try_from(event).ok()?, u32::try_from(detail).ok()?);
    Some(match event {
        sys::VIR_DOMAIN_EVENT_DEFINED => GuestEvent::Defined,
        sys::VIR_DOMAIN_EVENT_UNDEFINED => GuestEvent::Undefined,
        sys::VIR_DOMAIN_EVENT_STARTED => GuestEvent::Started,
        sys::VIR_DOMAIN_EVENT_SUSPENDED => GuestEvent::Suspended(suspended(detail)),
        sys::VIR_DOMAIN_EVENT_RESUMED => GuestEvent::Resumed,
        sys::VIR_DOMAIN_EVENT_STOPPED => GuestEvent::Stopped(stopped(detail)),
        sys::VIR_DOMAIN_EVENT_SHUTDOWN => GuestEvent::ShutdownFinished,
        // The guest sleeps: its virtual CPUs are held.
        sys::VIR_DOMAIN_EVENT_PMSUSPENDED => GuestEvent::Suspended(PauseReason::Other),
        sys::VIR_DOMAIN_EVENT_CRASHED => GuestEvent::Panicked,
        _ => return None,
    })
}

fn suspended(detail: u32) -> PauseReason {
    match detail {
        sys::VIR_DOMAIN_EVENT_SUSPENDED_PAUSED => PauseReason::Asked,
        sys::VIR_DOMAIN_EVENT_SUSPENDED_IOERROR => PauseReason::IoError,
        _ => PauseReason::Other,
    }
}

fn stopped(detail: u32) -> OffReason {
    match detail {
        sys::VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN => OffReason::Shutdown,
        sys::VIR_DOMAIN_EVENT_STOPPED_DESTROYED => OffReason::Destroyed,
        sys::VIR_DOMAIN_EVENT_STOPPED_CRASHED => OffReason::Crashed,
        sys::VIR_DOMAIN_EVENT_STOPPED_FAILED => OffReason::Failed,
        _ => OffReason::Other,
    }
}

/// An I/O error (`VIR_DOMAIN_EVENT_ID_IO_ERROR_REASON`): QEMU's alias of the disk, and a word such as `enospc` that
/// is empty where QEMU has none.
pub(crate) fn io_error(alias: &str, reason: &str) -> GuestEvent {
    GuestEvent::IoError {
        disk: target_of_alias(alias),
        reason: if reason.is_empty() { "other" } else { reason }.to_owned(),
    }
}

/// The guest agent came or went (`VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE`).
pub(crate) fn agent(state: c_int) -> GuestEvent {
    let connected = sys::VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_STATE_CONNECTED;
    GuestEvent::Agent {
        connected: u32::try_from(state).is_ok_and(|state| state == connected),
    }
}

/// A job on a disk's files has ended, or waits to be ended (`VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2`).
pub(crate) fn block_job(disk: String, status: c_int) -> GuestEvent {
    let done = matches!(
        u32::try_from(status),
        Ok(sys::VIR_DOMAIN_BLOCK_JOB_COMPLETED | sys::VIR_DOMAIN_BLOCK_JOB_READY)
    );
    GuestEvent::BlockJob { disk, done }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_lifecycle_event_of_the_page_has_its_word() {
        let stop = |detail| lifecycle(5, detail);
        assert_eq!(stop(0), Some(GuestEvent::Stopped(OffReason::Shutdown)));
        assert_eq!(stop(1), Some(GuestEvent::Stopped(OffReason::Destroyed)));
        assert_eq!(stop(2), Some(GuestEvent::Stopped(OffReason::Crashed)));
        assert_eq!(stop(5), Some(GuestEvent::Stopped(OffReason::Failed)));
        assert_eq!(stop(4), Some(GuestEvent::Stopped(OffReason::Other)));
        assert_eq!(lifecycle(3, 0), Some(GuestEvent::Suspended(PauseReason::Asked)));
        assert_eq!(lifecycle(3, 2), Some(GuestEvent::Suspended(PauseReason::IoError)));
        assert_eq!(lifecycle(3, 3), Some(GuestEvent::Suspended(PauseReason::Other)));
        assert_eq!(lifecycle(2, 0), Some(GuestEvent::Started));
        assert_eq!(lifecycle(8, 0), Some(GuestEvent::Panicked));
        assert_eq!(lifecycle(1, 0), Some(GuestEvent::Undefined));
    }

    #[test]
    fn what_a_later_libvirt_says_is_passed_over() {
        assert_eq!(lifecycle(9, 0), None);
        assert_eq!(lifecycle(-1, -1), None);
        assert_eq!(agent(7), GuestEvent::Agent { connected: false });
    }

    #[test]
    fn an_io_error_names_the_disk_as_the_xml_does() {
        let error = |disk: &str, reason: &str| GuestEvent::IoError {
            disk: disk.to_owned(),
            reason: reason.to_owned(),
        };
        assert_eq!(io_error("virtio-disk1", "enospc"), error("vdb", "enospc"));
        assert_eq!(io_error("virtio-disk0", ""), error("vda", "other"));
    }
}
