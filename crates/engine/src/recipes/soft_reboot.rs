//! Soft reboot: the guest is asked, and when it hasn't rebooted after the grace time it goes on as a hard reboot.

use std::time::{Duration, Instant};

use berth_model::{Action, Code, GuestEvent, InstanceState};
use berth_ops::{Failure, Memo, Recipe, Step, nothing};

use crate::context::{Context, OrFail};

pub(super) const RECIPE: Recipe<Context> = Recipe {
    action: Action::SoftReboot,
    steps: &[
        Step {
            state: InstanceState::Rebooting,
            make: ask,
            unmake: nothing,
        },
        Step {
            state: InstanceState::RebootStarted,
            make: await_reboot,
            unmake: nothing,
        },
    ],
};

/// Journaled once the guest was asked, so that a daemon that starts in between knows to ask again.
const ASKED_BY: &str = "asked_by";

fn ask(cx: &Context, memo: &mut Memo) -> Result<(), Failure> {
    cx.watch.drain()?;
    memo.set(ASKED_BY, &cx.world.session)?;
    cx.world.hypervisor.reboot(cx.id()).or_fail()
}

/// libvirt reports the reset as an event of its own. The event of a reboot that ended while no daemon was there is
/// lost, so a daemon that finds itself here asks once more: asked twice is rebooted, asked never is not.
fn await_reboot(cx: &Context, memo: &mut Memo) -> Result<(), Failure> {
    if memo.get(ASKED_BY) != Some(cx.world.session) {
        ask(cx, memo)?;
    }
    let grace = cx.world.settings().reboot_grace;
    let deadline = Instant::now() + grace;
    let mut ask_at = Instant::now() + cx.world.settings().ask_again;
    while Instant::now() < deadline {
        match cx.watch.next(ask_at.min(deadline))? {
            Some(GuestEvent::Rebooted) => return settle(cx),
            Some(GuestEvent::Stopped(reason)) => {
                return Err(Failure::fatal(
                    Code::HypervisorError,
                    format!("the guest stopped instead: {reason:?}"),
                ));
            }
            Some(_) => {}
            None => {
                cx.world.hypervisor.reboot(cx.id()).or_fail()?;
                ask_at = Instant::now() + cx.world.settings().ask_again;
            }
        }
    }
    let message = format!("the guest did not reboot within {} s of being asked", grace.as_secs());
    Err(Failure::fatal(Code::DeadlineExceeded, message))
}

/// How long after one reset the other that belongs to it may come.
const SETTLED_WITHIN: Duration = Duration::from_millis(300);

/// libvirt resets a guest that has shut down for a reboot, and sends an event for the guest's part and for its own:
/// the second would look like a reboot that nobody asked for.
fn settle(cx: &Context) -> Result<(), Failure> {
    let until = Instant::now() + SETTLED_WITHIN;
    while cx.watch.next(until)?.is_some() {}
    Ok(())
}
