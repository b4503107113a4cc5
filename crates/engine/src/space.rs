//! Room on the disk: what may still be promised, and what has to stay free.

use berth_model::Gib;
use berth_storage::Space;

use crate::EngineError;

/// Refuses more volumes than the disk may be promised for, and any while it is nearly full. Pure.
pub(crate) fn check(overcommit: f64, space: Space, promised: Gib, more: Gib) -> Result<(), EngineError> {
    low(space)?;
    let most = promise(overcommit, space.total);
    if promised.0.saturating_add(more.0) > most.0 {
        return Err(EngineError::NoRoom(format!(
            "{more} more can't be promised: volumes have {promised} of the {most} that the disk may be promised for \
             (disk_overcommit = {overcommit})"
        )));
    }
    Ok(())
}

/// Refuses anything new while the disk is nearly full: the guests that run already need what is left. Pure.
pub(crate) fn low(space: Space) -> Result<(), EngineError> {
    if space.free < space.low_space {
        return Err(EngineError::NoRoom(format!(
            "the state directory has {} MiB free and keeps {} MiB for guests that run (low_space_mib): make room on it",
            space.free >> 20,
            space.low_space >> 20
        )));
    }
    Ok(())
}

/// How much a disk of that size may be promised for.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a bound that is set by feel: a few bytes more or less are none"
)]
pub(crate) fn promise(overcommit: f64, total: u64) -> Gib {
    Gib((total as f64 * overcommit) as u64 >> 30)
}
