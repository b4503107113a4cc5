//! What libvirt says, and what it means: the event table of lifecycle.md, case by case, and what holds of all cases.

use berth_model::{
    Action, GuestEvent, GuestStatus, Known, OffReason, PauseReason, Position, Stable, Standing, Verdict, observe,
};
use proptest::prelude::*;

fn lands(stable: Stable, event: &GuestEvent, status: Option<GuestStatus>) -> Option<Stable> {
    let known = Known {
        standing: Standing::Resting(stable),
        degraded: None,
    };
    match observe(known, Some(event), status) {
        Verdict::Adopt(adoption) => adoption.to(),
        Verdict::Nothing => None,
    }
}

#[test]
fn the_event_table() {
    use GuestStatus::{Crashed, Off, Paused, Running};
    let off = |reason| Some(Off(reason));
    let stopped = GuestEvent::Stopped;
    let cases = [
        (
            Stable::Stopped,
            GuestEvent::Started,
            Some(Running),
            Some(Stable::Active),
        ),
        (Stable::Error, GuestEvent::Started, Some(Running), Some(Stable::Active)),
        (
            Stable::Active,
            stopped(OffReason::Shutdown),
            off(OffReason::Shutdown),
            Some(Stable::Stopped),
        ),
        (
            Stable::Active,
            stopped(OffReason::Destroyed),
            off(OffReason::Destroyed),
            Some(Stable::Stopped),
        ),
        (
            Stable::Active,
            stopped(OffReason::Crashed),
            off(OffReason::Crashed),
            Some(Stable::Error),
        ),
        (
            Stable::Active,
            stopped(OffReason::Failed),
            off(OffReason::Failed),
            Some(Stable::Error),
        ),
        (Stable::Active, GuestEvent::Panicked, Some(Crashed), Some(Stable::Error)),
        (
            Stable::Active,
            GuestEvent::Suspended(PauseReason::IoError),
            Some(Paused(PauseReason::IoError)),
            None,
        ),
        (Stable::Active, GuestEvent::Rebooted, Some(Running), None),
        (Stable::Active, GuestEvent::Undefined, None, Some(Stable::Error)),
        (Stable::Stopped, GuestEvent::Undefined, None, Some(Stable::Error)),
        // Within a reboot: the STOPPED came, and the guest runs again when it is looked at.
        (Stable::Active, stopped(OffReason::Shutdown), Some(Running), None),
        (Stable::ShelvedOffloaded, GuestEvent::Undefined, None, None),
    ];
    for (stable, event, status, expected) in cases {
        assert_eq!(
            lands(stable, &event, status),
            expected,
            "{stable}, {event:?}, {status:?}"
        );
    }
}

fn any_status() -> impl Strategy<Value = Option<GuestStatus>> {
    let off = [
        OffReason::Shutdown,
        OffReason::Destroyed,
        OffReason::Crashed,
        OffReason::Failed,
        OffReason::Other,
    ];
    let pause = [
        PauseReason::Asked,
        PauseReason::IoError,
        PauseReason::StartingUp,
        PauseReason::Other,
    ];
    prop::option::of(prop_oneof![
        Just(GuestStatus::Running),
        Just(GuestStatus::ShuttingDown),
        Just(GuestStatus::Crashed),
        prop::sample::select(off.to_vec()).prop_map(GuestStatus::Off),
        prop::sample::select(pause.to_vec()).prop_map(GuestStatus::Paused),
    ])
}

fn any_event() -> impl Strategy<Value = Option<GuestEvent>> {
    prop::option::of(prop::sample::select(vec![
        GuestEvent::Defined,
        GuestEvent::Undefined,
        GuestEvent::Started,
        GuestEvent::Suspended(PauseReason::Asked),
        GuestEvent::Resumed,
        GuestEvent::Stopped(OffReason::Shutdown),
        GuestEvent::ShutdownFinished,
        GuestEvent::Panicked,
        GuestEvent::Rebooted,
        GuestEvent::IoError {
            disk: "vda".to_owned(),
            reason: "enospc".to_owned(),
        },
        GuestEvent::Agent { connected: true },
    ]))
}

proptest! {
    #[test]
    fn an_operation_in_flight_owns_the_guest(event in any_event(), status in any_status()) {
        let standing = Standing::Moving { from: Some(Stable::Active), position: Position::first(Action::Stop) };
        prop_assert_eq!(observe(Known { standing, degraded: None }, event.as_ref(), status), Verdict::Nothing);
    }

    /// What was adopted once is settled: looking again changes nothing more.
    #[test]
    fn adopting_settles(
        stable in prop::sample::select(Stable::ALL), event in any_event(), status in any_status()
    ) {
        let known = Known { standing: Standing::Resting(stable), degraded: None };
        if let Verdict::Adopt(adoption) = observe(known, event.as_ref(), status) {
            let settled = Known {
                standing: Standing::Resting(adoption.to().unwrap_or(stable)),
                degraded: adoption.degraded().flatten(),
            };
            prop_assert_eq!(observe(settled, None, status), Verdict::Nothing);
        }
    }
}
