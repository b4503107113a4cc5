//! One recipe per action: a file that reads like one, held to the table by a test.

mod create;
mod delete;
mod hard_reboot;
mod soft_reboot;
mod start;
mod stop;

use std::time::{Duration, Instant};

use berth_model::{Action, GuestStatus};
use berth_ops::{Failure, Kitchen, Recipe};
use berth_store::Found;

use crate::context::{Context, OrFail};

/// How long a wait for libvirt goes on before it is looked whether anybody still wants it.
const WAKE_EVERY: Duration = Duration::from_millis(500);

/// All the recipes there are.
pub(crate) struct Recipes;

impl Kitchen for Recipes {
    type Context = Context;

    fn recipe(&self, action: Action) -> Option<&'static Recipe<Context>> {
        match action {
            Action::Create => Some(&create::RECIPE),
            Action::Start => Some(&start::RECIPE),
            Action::Stop => Some(&stop::RECIPE),
            Action::SoftReboot => Some(&soft_reboot::RECIPE),
            Action::HardReboot => Some(&hard_reboot::RECIPE),
            Action::Delete => Some(&delete::RECIPE),
            Action::Shelve | Action::Unshelve | Action::Resize | Action::ConfirmResize | Action::RevertResize => None,
        }
    }

    fn found(&self, cx: &Context) -> Found {
        match cx.world.hypervisor.status(cx.id()) {
            Ok(Some(GuestStatus::Off(_) | GuestStatus::Crashed) | None) => Found::Off,
            // An error says nothing: the guest was running, and what it is now is adopted once libvirt answers again.
            Ok(Some(GuestStatus::Running | GuestStatus::Paused(_) | GuestStatus::ShuttingDown)) | Err(_) => {
                Found::Running
            }
        }
    }

    fn wait_until_back(cx: &Context) -> Result<(), Failure> {
        let deadline = Instant::now() + cx.world.settings.libvirt_patience;
        loop {
            cx.watch.drain()?;
            match cx.world.hypervisor.wait_up(WAKE_EVERY).or_fail() {
                Err(Failure::Away { .. }) if Instant::now() < deadline => {}
                Err(Failure::Away { code, message }) => return Err(Failure::fatal(code, message)),
                other => return other,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recipe_follows_the_table() {
        for recipe in Action::ALL.iter().filter_map(|action| Recipes.recipe(*action)) {
            assert!(recipe.follows_the_table(), "{}", recipe.action);
        }
    }
}
