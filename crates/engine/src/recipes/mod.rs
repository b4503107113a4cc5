//! One recipe per action: a file that reads like one, held to the table by a test.

mod confirm_resize;
mod create;
mod delete;
mod hard_reboot;
mod resize;
mod revert_resize;
mod shelve;
mod soft_reboot;
mod start;
mod stop;
mod unshelve;

use berth_model::{Action, GuestStatus};
use berth_ops::{Failure, Kitchen, Recipe};
use berth_store::Found;

use crate::context::Context;

/// All the recipes there are.
pub(crate) struct Recipes;

impl Kitchen for Recipes {
    type Context = Context;

    fn recipe(&self, action: Action) -> &'static Recipe<Context> {
        match action {
            Action::Create => &create::RECIPE,
            Action::Start => &start::RECIPE,
            Action::Stop => &stop::RECIPE,
            Action::SoftReboot => &soft_reboot::RECIPE,
            Action::HardReboot => &hard_reboot::RECIPE,
            Action::Shelve => &shelve::RECIPE,
            Action::Unshelve => &unshelve::RECIPE,
            Action::Resize => &resize::RECIPE,
            Action::ConfirmResize => &confirm_resize::RECIPE,
            Action::RevertResize => &revert_resize::RECIPE,
            Action::Delete => &delete::RECIPE,
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
        cx.watch.wait_until_back(&cx.world)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recipe_follows_the_table() {
        for action in Action::ALL {
            let recipe = Recipes.recipe(*action);
            assert!(recipe.action == *action && recipe.follows_the_table(), "{action}");
        }
    }
}
