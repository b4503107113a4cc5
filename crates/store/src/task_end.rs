//! Where operations on volumes and images end: the effects on the records, each in the transaction that ends them.

use berth_model::{LayerId, OperationId, VolumeAction, VolumeId, VolumeLanding, VolumeState, Work};
use serde_json::Value;

use crate::row::{maybe_to_json, sql, to_number};
use crate::snapshot::{Consistency, Released};
use crate::task::{Freeze, Task};
use crate::tx::Tx;
use crate::volume::{self, Moved};
use crate::{Fault, ImageRecord, StoreError, image, layer, snapshot};

/// In the memo of a step that freezes: what the instant is worth ([`Consistency`]).
pub const CONSISTENCY: &str = "consistency";
/// In the memo of a step that makes an image: the [`ImageRecord`].
pub const MADE_IMAGE: &str = "image";

fn remembered<T: serde::de::DeserializeOwned>(memo: &Value, key: &str) -> Result<T, StoreError> {
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
    match task {
        Task::CreateVolume { freeze, .. } => {
            // The new volume's layer stands on what was frozen; nothing else has to keep it.
            if let Some(freeze) = freeze {
                released.layers = snapshot::forget(tx, freeze.snapshot).await?;
            }
        }
        Task::AttachVolume { .. } => {}
        Task::DetachVolume { volume, .. } => leave(tx, *volume).await?,
        Task::ExtendVolume { volume, size, .. } => {
            let grow = sql("UPDATE volumes SET size = $1 WHERE id = $2").bind(to_number(size.0)?);
            tx.run(grow.bind(volume.to_string())).await?;
        }
        Task::SnapshotVolumes { freezes } => frozen(tx, operation, freezes, memo).await?,
        Task::SaveAsImage { freeze, .. } => {
            image::insert(tx, &remembered::<ImageRecord>(memo, MADE_IMAGE)?).await?;
            if let Some(freeze) = freeze {
                released.layers = snapshot::forget(tx, freeze.snapshot).await?;
            }
        }
        Task::DeleteVolume { volume } => return volume::remove(tx, *volume, operation).await,
        Task::ImportImage { .. } => image::insert(tx, &remembered::<ImageRecord>(memo, MADE_IMAGE)?).await?,
    }
    if let Work::Volume(action, _) = task.work(0) {
        rest(tx, operation, landing(action, task.volume()), None).await?;
    }
    Ok(released)
}

/// The operation failed in that step, which is undone, or could not be (`doubt`).
pub(crate) async fn fall_back(
    tx: &mut Tx,
    (operation, step): (OperationId, usize),
    task: &Task,
    (fault, doubt): (&Fault, Option<(VolumeState, &Fault)>),
) -> Result<Released, StoreError> {
    let mut released = Released::default();
    if step == 0 {
        snapshot::not_taken(tx, operation).await?;
        for freeze in task.freezes() {
            // Whether a guest writes to the new layer or not: it stands on the old one, and so has all of it.
            if doubt.is_some() {
                set_layer(tx, freeze.volume, Some(freeze.onto)).await?;
            }
            released.layers.extend(layer::release(tx, Some(freeze.onto)).await?);
        }
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
        _ => {}
    }
    let made = task.volume().filter(|_| matches!(task, Task::CreateVolume { .. }));
    let to = move |moved: &Moved| match doubt {
        Some((state, _)) => state,
        None if Some(moved.id) == made => VolumeState::Error,
        None => moved.origin.unwrap_or(VolumeState::Error),
    };
    rest(tx, operation, to, Some(doubt.map_or(fault, |(_, fault)| fault))).await?;
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
        let message = fault.map(|fault| fault.message.clone());
        volume::tell(tx, (moved.id, &moved.name), state, (Some(operation), message)).await?;
    }
    Ok(())
}

async fn set_layer(tx: &mut Tx, volume: VolumeId, layer: Option<LayerId>) -> Result<(), StoreError> {
    let update = sql("UPDATE volumes SET layer = $1 WHERE id = $2").bind(layer.map(|id| id.to_string()));
    tx.run(update.bind(volume.to_string())).await.map(|_| ())
}

/// A volume leaves its instance.
async fn leave(tx: &mut Tx, volume: VolumeId) -> Result<(), StoreError> {
    let leave = sql("UPDATE volumes SET instance = NULL, slot = NULL, delete_on_termination = 0 WHERE id = $1");
    tx.run(leave.bind(volume.to_string())).await.map(|_| ())
}
