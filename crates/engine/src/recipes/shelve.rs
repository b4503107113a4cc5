//! Shelve: a clean stop, the root volume saved as an image, and everything of the host given back.
//!
//! ```text
//!   shut down ─▶ save and compare ─▶ undefine, disconnect ─▶ landing: the image's record, the volumes Reserved
//!                                                                └─▶ the volume's old file goes (`look`)
//! ```
//!
//! Nothing is lost before the landing is committed: what stands in its way is undone and the guest is as it was.

use berth_model::{Action, Code, ImageId, InstanceState};
use berth_ops::{Failure, Memo, Recipe, Step};
use berth_store::{ImageRecord, SHELF, SHELF_IMAGE};

use super::stop;
use crate::context::{Context, OrFail};
use crate::guest;
use crate::image::made;
use crate::wiring;

pub(super) const RECIPE: Recipe<Context> = Recipe {
    action: Action::Shelve,
    steps: &[Step {
        state: InstanceState::Shelving,
        make: shelve,
        unmake: unshelve,
    }],
};

fn shelve(cx: &Context, memo: &mut Memo) -> Result<(), Failure> {
    // A domain that is undefined already was saved before that.
    if cx.was_active() {
        stop::cleanly(cx)?;
    }
    let (layer, id) = (guest::root_layer(cx)?, cx.needed::<ImageId>(SHELF_IMAGE)?);
    let saved = cx.world.storage.save_volume(layer, id, &|| false).or_fail()?;
    let shelf = ImageRecord {
        id,
        project: cx.subject.instance.project.clone(),
        name: format!("shelf-{id}")
            .parse()
            .map_err(|error| Failure::fatal(Code::Internal, error))?,
        shelf_of: Some(cx.id()),
        ..cx.subject.image.clone()
    };
    memo.set(SHELF, &made(shelf, saved))?;
    guest::remove(cx)
}

fn unshelve(cx: &Context, _: &mut Memo) -> Result<(), Failure> {
    if cx.was_active() {
        guest::power_on(cx)?;
    } else {
        wiring::connect(cx, &cx.subject.instance.instance_type)?;
        guest::define(cx)?;
    }
    cx.world.storage.delete_image(cx.needed(SHELF_IMAGE)?).or_fail()
}
