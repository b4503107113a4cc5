//! Import: an image fetched from an address, held to its checksum, and taken as one from anybody else is.
//!
//! What came of it so far stays until the image is there, over restarts of the daemon too: it goes on where it was left.

use berth_model::{Checksum, Code, find_checksum};
use berth_ops::{Failure, Memo, TaskStep};
use berth_storage::{FetchPolicy, ImageSource, ImportChecks};
use berth_store::{Expected, MADE_IMAGE, Task};

use super::context::TaskContext;
use crate::context::OrFail;
use crate::image::made;

pub(super) const STEP: TaskStep<TaskContext> = TaskStep {
    make: import,
    unmake: forget,
};

/// The most bytes of a checksum file.
const CHECKSUMS_MAX: u64 = 4 << 20;

fn import(cx: &TaskContext, memo: &mut Memo) -> Result<(), Failure> {
    let Task::ImportImage {
        image, url, expected, ..
    } = &cx.task
    else {
        return Err(Failure::fatal(Code::Internal, "no image is to be fetched"));
    };
    let (storage, policy) = (&cx.world.storage, &cx.world.settings().fetch);
    let cancelled = || cx.go_on().is_err();
    let mut progress = |done, of| cx.tell_progress(done, of);
    let checks = ImportChecks {
        checksum: expected.as_ref().map(|expected| checksum(cx, expected)).transpose()?,
        size_max: policy.size_max,
    };
    let fetched = storage.fetch(image.id, url, policy, &cancelled, &mut progress);
    let source = ImageSource::File(cx.unless_taken_back(fetched)?);
    let imported = storage.import_image(image.id, source, &checks, &cancelled, &mut |_, _| {});
    let facts = cx.unless_taken_back(imported)?;
    let disk = image.properties.check_disk(facts.virtual_size);
    disk.map_err(|error| Failure::fatal(Code::InvalidImage, format!("{}: {}", error.field, error.message)))?;
    memo.set(MADE_IMAGE, &made((**image).clone(), facts))
}

/// What the bytes have to hash to: as it was given, or as the publisher's file says.
fn checksum(cx: &TaskContext, expected: &Expected) -> Result<Checksum, Failure> {
    let (id, url, name) = match expected {
        Expected::Checksum(text) => {
            return text
                .parse()
                .map_err(|error| Failure::fatal(Code::InvalidArgument, format!("checksum: {error}")));
        }
        Expected::File { id, url, name } => (*id, url, name),
    };
    let policy = FetchPolicy {
        size_max: CHECKSUMS_MAX,
        ..cx.world.settings().fetch.clone()
    };
    let (storage, cancelled) = (&cx.world.storage, || cx.go_on().is_err());
    let fetched = storage.fetch(id, url, &policy, &cancelled, &mut |_, _| {});
    let path = cx.unless_taken_back(fetched)?;
    let text = std::fs::read(&path).map_err(|error| Failure::fatal(Code::StorageError, error))?;
    storage.forget_download(id).or_fail()?;
    find_checksum(&String::from_utf8_lossy(&text), name)
        .map_err(|error| Failure::fatal(Code::FetchFailed, format!("{url}: {error}")))
}

fn forget(cx: &TaskContext, _: &mut Memo) -> Result<(), Failure> {
    let Task::ImportImage { image, expected, .. } = &cx.task else {
        return Ok(());
    };
    let storage = &cx.world.storage;
    storage.delete_image(image.id).or_fail()?;
    if let Some(Expected::File { id, .. }) = expected {
        storage.forget_download(*id).or_fail()?;
    }
    storage.forget_download(image.id).or_fail()
}
