//! Stop: the power button, again every few seconds, and the plug once the grace time is over.
//!
//! There is nothing to undo: if it fails the instance is Active or Stopped, as the guest is found.

use std::time::{Duration, Instant};

use berth_model::{Action, Code, GuestStatus, InstanceState};
use berth_ops::{Failure, Memo, Recipe, Step, nothing};

use crate::context::{Context, OrFail};
use crate::guest;

pub(super) const RECIPE: Recipe<Context> = Recipe {
    action: Action::Stop,
    steps: &[Step {
        state: InstanceState::PoweringOff,
        make: power_off,
        unmake: nothing,
    }],
};

fn power_off(cx: &Context, _: &mut Memo) -> Result<(), Failure> {
    let grace = cx.param("grace_seconds").map_or(grace(cx), Duration::from_secs);
    if !grace.is_zero() {
        ask(cx, Instant::now() + grace)?;
    }
    guest::power_off(cx)
}

/// How long this guest may take if the call doesn't say: as its image has it, or the host.
fn grace(cx: &Context) -> Duration {
    let image = cx.subject.image.properties.stop_grace;
    image.map_or(cx.world.settings().stop_grace, |seconds| {
        Duration::from_secs(u64::from(seconds))
    })
}

/// Has the guest shut itself down. One that doesn't within the grace time is left as it is: what follows must not cost
/// it what it hasn't written yet.
pub(super) fn cleanly(cx: &Context) -> Result<(), Failure> {
    let grace = grace(cx);
    ask(cx, Instant::now() + grace)?;
    match cx.world.hypervisor.status(cx.id()).or_fail()? {
        Some(GuestStatus::Running | GuestStatus::ShuttingDown | GuestStatus::Paused(_)) => {
            let seconds = grace.as_secs();
            let message = format!("the guest did not shut down within {seconds} s; stop it first, by force if need be");
            Err(Failure::fatal(Code::DeadlineExceeded, message))
        }
        Some(GuestStatus::Crashed | GuestStatus::Off(_)) | None => guest::power_off(cx),
    }
}

/// Presses the power button until the guest is off or the deadline is over.
pub(super) fn ask(cx: &Context, deadline: Instant) -> Result<(), Failure> {
    let hypervisor = &cx.world.hypervisor;
    let mut press_at = Instant::now();
    while Instant::now() < deadline {
        match hypervisor.status(cx.id()).or_fail()? {
            Some(GuestStatus::Running | GuestStatus::ShuttingDown) => {}
            // A held guest can't answer the button, and a crashed one won't.
            Some(GuestStatus::Paused(_) | GuestStatus::Crashed | GuestStatus::Off(_)) | None => return Ok(()),
        }
        if Instant::now() >= press_at {
            hypervisor.shutdown(cx.id()).or_fail()?;
            press_at = Instant::now() + cx.world.settings().ask_again;
        }
        cx.watch.next(press_at.min(deadline))?;
    }
    Ok(())
}
