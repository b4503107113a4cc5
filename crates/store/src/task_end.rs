//! Where operations on volumes and images end: the effects on the records, each in the transaction that ends them.

use berth_model::{Gib, LayerId, OperationId, VolumeAction, VolumeId, VolumeLanding, VolumeState, Work};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::row::{maybe_to_json, sql, to_number};
use crate::snapshot::{Consistency, Released};
use crate::task::{Freeze, Task};
use crate::tx::Tx;
use crate::usage::facts;
use crate::volume::{self, Moved};
use crate::{Fault, ImageRecord, StoreError, image, layer, snapshot};

/// In the memo of a step that freezes: what the instant is worth ([`Consistency`]).
pub const CONSISTENCY: &str = "consistency";
/// In the memo of a step that makes an image: the [`ImageRecord`].
pub const MADE_IMAGE: &str = "image";
/// In the memo of a freeze that is undone: the new layers that guests write to already, and that stay.
pub const MOVED: &str = "moved";
/// In the memo of an extend that is undone: the size ([`Gib`]) that a guest may have seen already, and that stays.
pub const GROWN: &str = "grown";

fn remembered<T: DeserializeOwned>(memo: &Value, key: &str) -> Result<T, StoreError> {
    let found = maybe_remembered(memo, key)?;
    found.ok_or_else(|| StoreError::corrupt("memo", &format_args!("it has no {key}")))
}

fn maybe_remembered<T: DeserializeOwned>(memo: &Value, key: &str) -> Result<Option<T>, StoreError> {
    let value = memo.get(key).cloned().unwrap_or_default();
    serde_json::from_value(value).map_err(|error| StoreError::corrupt("memo", &error))
}

/// The instants are taken: each volume writes to its new layer, and the snapshots are there.
pub(crate) async fn frozen(
    tx: &mut Tx,
    operation: OperationId,
    freezes: &[Freeze],
    memo: &Value,
) -> Result<(), StoreError> {
    if freezes.is_empty() {
        return Ok(());
    }
    for freeze in freezes {
        set_layer(tx, freeze.volume, Some(freeze.onto)).await?;
    }
    let how: Consistency = remembered(memo, CONSISTENCY)?;
    snapshot::taken(tx, operation, how).await
}

/// The operation did what was asked.
pub(crate) async fn land(
    tx: &mut Tx,
    operation: OperationId,
    task: &Task,
    memo: &Value,
) -> Result<Released, StoreError> {
    let mut released = Released::default();
    if let Some(image) = task.image_record() {
        image.free(tx);
    }
    match task {
        Task::CreateVolume { freeze, .. } => {
            // The new volume's layer stands on what was frozen; nothing else has to keep it.
            if let Some(freeze) = freeze {
                released.layers = snapshot::forget(tx, freeze.snapshot).await?;
            }
        }
        Task::AttachVolume { .. } => {}
        Task::DetachVolume { volume, .. } => leave(tx, *volume).await?,
        Task::ExtendVolume { volume, size, .. } => grow(tx, *volume, *size).await?,
        Task::SnapshotVolumes { freezes } => frozen(tx, operation, freezes, memo).await?,
        Task::SaveAsImage { freeze, labels, .. } => {
            image::insert(tx, &remembered::<ImageRecord>(memo, MADE_IMAGE)?, labels).await?;
            if let Some(freeze) = freeze {
                released.layers = snapshot::forget(tx, freeze.snapshot).await?;
            }
        }
        Task::DeleteVolume { volume } => return volume::remove(tx, *volume, operation).await,
        Task::ImportImage { labels, .. } => {
            image::insert(tx, &remembered::<ImageRecord>(memo, MADE_IMAGE)?, labels).await?;
        }
    }
    if let Work::Volume(action, _) = task.work(0) {
        rest(tx, operation, landing(action, task.volume()), None).await?;
    }
    Ok(released)
}

/// How an operation came back.
pub(crate) struct Back<'a> {
    /// The step that failed.
    pub(crate) step: usize,
    /// What that, and its undoing, have remembered.
    pub(crate) memo: &'a Value,
    /// Why it failed.
    pub(crate) fault: &'a Fault,
    /// Why it can't be told whether it is undone.
    pub(crate) doubt: Option<&'a Fault>,
}

/// The operation failed in that step, which is undone, or could not be.
pub(crate) async fn fall_back(
    tx: &mut Tx,
    operation: OperationId,
    task: &Task,
    back: Back<'_>,
) -> Result<Released, StoreError> {
    // The second step touches what is made, and nothing that was there before.
    let doubt = back.doubt.filter(|_| back.step == 0);
    let mut released = Released::default();
    if back.step == 0 {
        let moved: Vec<LayerId> = maybe_remembered(back.memo, MOVED)?.unwrap_or_default();
        let stays = |layer| doubt.is_some() || moved.contains(&layer);
        released.layers = thawed(tx, operation, task.freezes(), stays).await?;
    }
    if let Some(image) = task.image_record() {
        image.free(tx);
    }
    match task {
        Task::CreateVolume {
            volume, layer, freeze, ..
        } => {
            set_layer(tx, *volume, None).await?;
            released.layers.extend(layer::release(tx, Some(*layer)).await?);
            if let Some(freeze) = freeze {
                released.layers.extend(snapshot::forget(tx, freeze.snapshot).await?);
            }
        }
        Task::SaveAsImage {
            freeze: Some(freeze), ..
        } => released.layers.extend(snapshot::forget(tx, freeze.snapshot).await?),
        Task::AttachVolume { volume, .. } if doubt.is_none() => leave(tx, *volume).await?,
        Task::ExtendVolume { volume, .. } => {
            if let Some(size) = maybe_remembered(back.memo, GROWN)? {
                grow(tx, *volume, size).await?;
            } else {
                volume::charge(tx, *volume, None).await?;
            }
        }
        _ => {}
    }
    let made = task.volume().filter(|_| matches!(task, Task::CreateVolume { .. }));
    let to = move |moved: &Moved| match doubt {
        Some(_) => VolumeState::Error,
        None if Some(moved.id) == made => VolumeState::Error,
        None => moved.origin.unwrap_or(VolumeState::Error),
    };
    rest(tx, operation, to, Some(doubt.unwrap_or(back.fault))).await?;
    Ok(released)
}

/// The instants are not taken, and of the new layers only those that stay are needed: the layers that nothing needs.
async fn thawed(
    tx: &mut Tx,
    operation: OperationId,
    freezes: &[Freeze],
    stays: impl Fn(LayerId) -> bool,
) -> Result<Vec<LayerId>, StoreError> {
    snapshot::not_taken(tx, operation).await?;
    let mut released = Vec::new();
    for freeze in freezes {
        // It stands on the old layer, and so has all of it.
        if stays(freeze.onto) {
            set_layer(tx, freeze.volume, Some(freeze.onto)).await?;
        }
        released.extend(layer::release(tx, Some(freeze.onto)).await?);
    }
    Ok(released)
}

/// Where a volume comes to rest: as the row has it; the other volumes of the operation where they were.
fn landing(action: VolumeAction, subject: Option<VolumeId>) -> impl Fn(&Moved) -> VolumeState {
    move |moved| match action.row().lands {
        VolumeLanding::In(state) if subject == Some(moved.id) => state,
        VolumeLanding::In(_) | VolumeLanding::AsBefore | VolumeLanding::Gone => {
            moved.origin.unwrap_or(VolumeState::Error)
        }
    }
}

/// Brings the volumes of an operation to rest. Those that were deleted meanwhile, with their instance, are not missed.
async fn rest(
    tx: &mut Tx,
    operation: OperationId,
    to: impl Fn(&Moved) -> VolumeState,
    fault: Option<&Fault>,
) -> Result<(), StoreError> {
    for moved in volume::moved_by(tx, operation).await? {
        let state = to(&moved);
        let update = sql("UPDATE volumes SET state = $1, origin = NULL, operation = NULL, fault = $2 WHERE id = $3")
            .bind(state.as_str())
            .bind(maybe_to_json(fault)?)
            .bind(moved.id.to_string());
        tx.run(update).await?;
        facts::volume(tx, moved.id).await?;
        let message = fault.map(|fault| fault.message.clone());
        volume::tell(tx, moved.id, state, (Some(operation), message)).await?;
    }
    Ok(())
}

async fn set_layer(tx: &mut Tx, volume: VolumeId, layer: Option<LayerId>) -> Result<(), StoreError> {
    let update = sql("UPDATE volumes SET layer = $1 WHERE id = $2").bind(layer.map(|id| id.to_string()));
    tx.run(update.bind(volume.to_string())).await.map(|_| ())
}

/// Writes down how large a volume is: no operation makes it larger any more.
async fn grow(tx: &mut Tx, volume: VolumeId, size: Gib) -> Result<(), StoreError> {
    let grow = sql("UPDATE volumes SET size = $1 WHERE id = $2").bind(to_number(size.0)?);
    tx.run(grow.bind(volume.to_string())).await?;
    facts::volume(tx, volume).await?;
    volume::charge(tx, volume, None).await
}

/// A volume leaves its instance.
async fn leave(tx: &mut Tx, volume: VolumeId) -> Result<(), StoreError> {
    let leave = sql("UPDATE volumes SET instance = NULL, slot = NULL, delete_on_termination = 0 WHERE id = $1");
    tx.run(leave.bind(volume.to_string())).await.map(|_| ())
}
