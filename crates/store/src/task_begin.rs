//! Admission of what is asked of volumes and images: may it? Then it is written down, in one transaction with the
//! states that it moves and every id and layer that it will make.

use berth_model::limits::DATA_VOLUMES_MAX;
use berth_model::{Labels, Name, SnapshotId, Stable, Standing, VolumeAction, VolumeId, VolumeState, Work};
use jiff::Timestamp;
use serde_json::Value;

use crate::image::TAKEN;
use crate::layer::{self, Base};
use crate::operation::{self, OperationRecord, Phase, Subject};
use crate::row::{Columns as _, sql};
use crate::snapshot::{self, Consistency, SnapshotRecord};
use crate::task::{Freeze, Task};
use crate::transition::Held;
use crate::tx::Tx;
use crate::usage::facts;
use crate::volume::{self, VolumeRecord};
use crate::{Entry, EntryKind, Requester, Store, StoreError, TaskClaim, journal, label, once};

/// A volume to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVolume {
    /// Its id.
    pub id: VolumeId,
    /// The project it belongs to.
    pub project: String,
    /// Its name.
    pub name: Name,
    /// The name of its type.
    pub volume_type: String,
    /// Its labels.
    pub labels: Labels,
}

/// Snapshots to be taken: the name of each, by its volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSnapshot {
    /// The volume.
    pub volume: VolumeId,
    /// The snapshot's id.
    pub id: SnapshotId,
    /// The snapshot's name.
    pub name: Name,
    /// Its labels.
    pub labels: Labels,
}

impl Store {
    /// Writes down a volume, in the state Creating, and the task that makes it.
    ///
    /// Errors: [`StoreError::AlreadyExists`], [`StoreError::NotFound`] for an image that was deleted meanwhile,
    /// [`StoreError::VolumeRefused`] for a volume that it is to be made from and that is in no state for that.
    pub async fn create_volume(&self, new: &NewVolume, task: Task, by: &Requester) -> Result<TaskClaim, StoreError> {
        let Task::CreateVolume {
            layer,
            base,
            size,
            freeze,
            ..
        } = &task
        else {
            return Err(StoreError::corrupt("task", "it makes no volume"));
        };
        let mut tx = self.begin().await?;
        tx.check_name("volume", volume::TAKEN, (&new.project, &new.name))
            .await?;
        let operation = begin(&mut tx, &task, subject(&new.project, &new.id, &new.name), by).await?;
        if let Some(freeze) = freeze {
            let source = take(&mut tx, &operation, freeze.volume, VolumeAction::Snapshot).await?;
            hide(&mut tx, &operation, freeze, &source).await?;
        }
        layer::insert(&mut tx, *layer, *base).await?;
        let record = VolumeRecord {
            id: new.id,
            project: new.project.clone(),
            name: new.name.clone(),
            instance: None,
            image: base.image,
            layer: Some(*layer),
            size: *size,
            state: VolumeState::Creating,
            operation: Some(operation.id),
            root: false,
            slot: None,
            delete_on_termination: false,
            volume_type: new.volume_type.clone(),
            fault: None,
            created_at: tx.at,
        };
        if let Some(image) = base.image {
            crate::image::must_be_there(&mut tx, image).await?;
        }
        volume::insert(&mut tx, &record).await?;
        label::write(&mut tx, &new.project, &new.id, &new.labels).await?;
        let now = (Some(operation.id), None);
        volume::tell(&mut tx, new.id, VolumeState::Creating, now).await?;
        self.begun(tx, operation, task, by).await
    }

    /// Takes a volume for what a task is to do with it.
    ///
    /// Errors: [`StoreError::VolumeRefused`], [`StoreError::InstanceRefused`] if the state of its instance doesn't allow
    /// it, [`StoreError::InUse`] for a delete of one that has snapshots or is attached.
    pub async fn begin_task(&self, task: Task, by: &Requester) -> Result<TaskClaim, StoreError> {
        let mut tx = self.begin().await?;
        let (Some(id), Work::Volume(action, _)) = (task.volume(), task.work(0)) else {
            return Err(StoreError::corrupt("task", "it is about no volume"));
        };
        let before = volume::load(&mut tx, id).await?;
        may(&before, action)?;
        let operation = begin(&mut tx, &task, subject(&before.project, &id, &before.name), by).await?;
        let volume = take(&mut tx, &operation, id, action).await?;
        match &task {
            Task::AttachVolume {
                instance,
                delete_on_termination,
                ..
            } => {
                at_rest(&mut tx, *instance, action, ON_OR_OFF).await?;
                attach(&mut tx, id, *instance, *delete_on_termination).await?;
            }
            Task::DetachVolume { instance, .. } => {
                at_rest(&mut tx, *instance, action, ON_OR_OFF).await?;
            }
            Task::SaveAsImage { image, freeze, .. } => {
                tx.check_name("image", TAKEN, (&image.project, &image.name)).await?;
                if let Some(freeze) = freeze {
                    hide(&mut tx, &operation, freeze, &volume).await?;
                }
            }
            Task::DeleteVolume { .. } => {
                not_attached(&volume)?;
                no_snapshots(&mut tx, id).await?;
            }
            Task::ExtendVolume { size, .. } => volume::charge(&mut tx, id, Some(*size)).await?,
            Task::CreateVolume { .. } | Task::SnapshotVolumes { .. } | Task::ImportImage { .. } => {}
        }
        self.begun(tx, operation, task, by).await
    }

    /// Takes volumes for snapshots of all of them at one instant. `new` names them in the order of the task's freezes.
    pub async fn begin_snapshots(
        &self,
        new: &[NewSnapshot],
        task: Task,
        by: &Requester,
    ) -> Result<TaskClaim, StoreError> {
        let Task::SnapshotVolumes { freezes } = &task else {
            return Err(StoreError::corrupt("task", "it takes no snapshots"));
        };
        let mut tx = self.begin().await?;
        let first = freezes
            .first()
            .ok_or_else(|| StoreError::corrupt("task", "it has no volume"))?;
        let before = volume::load(&mut tx, first.volume).await?;
        may(&before, VolumeAction::Snapshot)?;
        let operation = begin(
            &mut tx,
            &task,
            subject(&before.project, &first.volume, &before.name),
            by,
        )
        .await?;
        for (freeze, new) in freezes.iter().zip(new) {
            let volume = take(&mut tx, &operation, freeze.volume, VolumeAction::Snapshot).await?;
            let snapshot = snapshot_of(freeze, &volume, (&operation, new.name.clone()), tx.at);
            freeze_layer(&mut tx, freeze, &volume).await?;
            snapshot::insert(&mut tx, &snapshot, false).await?;
            label::write(&mut tx, &volume.project, &new.id, &new.labels).await?;
        }
        self.begun(tx, operation, task, by).await
    }

    /// Writes down that an image is to be fetched. [`StoreError::AlreadyExists`] if the project has one of that name.
    pub async fn begin_import(&self, task: Task, by: &Requester) -> Result<TaskClaim, StoreError> {
        let Task::ImportImage { image, .. } = &task else {
            return Err(StoreError::corrupt("task", "it fetches no image"));
        };
        let mut tx = self.begin().await?;
        tx.check_name("image", TAKEN, (&image.project, &image.name)).await?;
        let operation = begin(&mut tx, &task, subject(&image.project, &image.id, &image.name), by).await?;
        self.begun(tx, operation, task, by).await
    }

    async fn begun(
        &self,
        mut tx: Tx,
        operation: OperationRecord,
        task: Task,
        by: &Requester,
    ) -> Result<TaskClaim, StoreError> {
        once::write(&mut tx, by, &[operation.id]).await?;
        if let Some(image) = task.image_record() {
            image.charge(&mut tx);
        }
        tx.commit().await?;
        Ok(TaskClaim {
            store: self.clone(),
            operation: operation.id,
            task,
            step: 0,
            phase: Phase::Running,
            memo: Value::Object(serde_json::Map::new()),
            fault: None,
        })
    }
}

fn subject<'a>(project: &'a str, id: &impl ToString, name: &'a Name) -> Subject<'a> {
    Subject {
        project,
        id: id.to_string(),
        name,
    }
}

/// Writes the operation and the first line of its journal.
async fn begin(tx: &mut Tx, task: &Task, subject: Subject<'_>, by: &Requester) -> Result<OperationRecord, StoreError> {
    let params = serde_json::to_value(task).map_err(|error| StoreError::corrupt("params", &error))?;
    let operation = OperationRecord::begin(tx, task.work(0), subject, params, by);
    operation::insert(tx, &operation).await?;
    let line = Entry::of(
        EntryKind::Begun,
        Some(format!("asked for by {}", operation.requested_by)),
    );
    journal::write(tx, operation.id, operation.work, line).await?;
    Ok(operation)
}

/// [`StoreError::VolumeRefused`] unless a volume's state allows an action. Asked before the operation is written: of two
/// on one volume the database would refuse the second with an error of its own.
pub(crate) fn may(volume: &VolumeRecord, action: VolumeAction) -> Result<(), StoreError> {
    let allowed = VolumeAction::allowed_from(volume.state, volume.root);
    if volume.operation.is_none() && allowed.contains(&action) {
        return Ok(());
    }
    Err(StoreError::VolumeRefused {
        action,
        name: volume.name.clone(),
        state: volume.state,
        root: volume.root,
        operation: volume.operation,
        allowed,
    })
}

/// Moves a volume into the state that an action shows, if its own allows that.
async fn take(
    tx: &mut Tx,
    operation: &OperationRecord,
    id: VolumeId,
    action: VolumeAction,
) -> Result<VolumeRecord, StoreError> {
    let volume = volume::load(tx, id).await?;
    may(&volume, action)?;
    if let Some(instance) = volume.instance {
        at_rest(tx, instance, action, SOMEWHERE).await?;
    }
    let through = action.row().through;
    let update = sql("UPDATE volumes SET origin = state, state = $1, operation = $2, fault = NULL WHERE id = $3")
        .bind(through.as_str())
        .bind(operation.id.to_string())
        .bind(id.to_string());
    tx.run(update).await?;
    facts::volume(tx, id).await?;
    volume::tell(tx, id, through, (Some(operation.id), None)).await?;
    Ok(volume)
}

/// Where an instance has its volumes.
const SOMEWHERE: &[Stable] = &[Stable::Active, Stable::Stopped, Stable::Resized, Stable::Error];
/// Where volumes come to an instance and go.
const ON_OR_OFF: &[Stable] = &[Stable::Active, Stable::Stopped];

/// [`StoreError::InstanceRefused`] unless an instance is at rest in one of these states.
async fn at_rest(
    tx: &mut Tx,
    id: berth_model::InstanceId,
    action: VolumeAction,
    needed: &'static [Stable],
) -> Result<(), StoreError> {
    let held = Held::load(tx, id)
        .await?
        .ok_or_else(|| StoreError::not_found("instance", &id))?;
    match held.record.standing {
        Standing::Resting(stable) if needed.contains(&stable) => Ok(()),
        standing => Err(StoreError::InstanceRefused {
            action,
            name: held.record.name,
            state: standing.state(),
            needed,
        }),
    }
}

/// Gives a volume the lowest free place among the disks of an instance.
async fn attach(tx: &mut Tx, id: VolumeId, instance: berth_model::InstanceId, delete: bool) -> Result<(), StoreError> {
    let query = sql("SELECT slot FROM volumes WHERE instance = $1 AND slot IS NOT NULL");
    let rows = tx.all(query.bind(instance.to_string())).await?;
    let taken: Vec<u32> = rows.iter().map(|row| row.number("slot")).collect::<Result<_, _>>()?;
    let slot = first_free(&taken).ok_or(StoreError::NoSlot { most: DATA_VOLUMES_MAX })?;
    let update = sql("UPDATE volumes SET instance = $1, slot = $2, delete_on_termination = $3 WHERE id = $4")
        .bind(instance.to_string())
        .bind(i64::from(slot))
        .bind(i64::from(delete))
        .bind(id.to_string());
    tx.run(update).await.map(|_| ())
}

/// The first place of a volume that isn't the root: before it are the root volume's and the seed disk's.
pub(crate) const FIRST_SLOT: u32 = 2;

/// The lowest place that no disk has.
fn first_free(taken: &[u32]) -> Option<u32> {
    (FIRST_SLOT..FIRST_SLOT + DATA_VOLUMES_MAX).find(|slot| !taken.contains(slot))
}

/// Keeps the instant of a volume that an operation needs for as long as it goes on.
async fn hide(
    tx: &mut Tx,
    operation: &OperationRecord,
    freeze: &Freeze,
    volume: &VolumeRecord,
) -> Result<(), StoreError> {
    let name = format!("hidden-{}", freeze.snapshot)
        .parse()
        .map_err(|error| StoreError::corrupt("name", &error))?;
    freeze_layer(tx, freeze, volume).await?;
    let snapshot = snapshot_of(freeze, volume, (operation, name), tx.at);
    snapshot::insert(tx, &snapshot, true).await
}

/// Writes down the layer that is put on the newest one; [`StoreError::LayerChanged`] if that is another by now.
async fn freeze_layer(tx: &mut Tx, freeze: &Freeze, volume: &VolumeRecord) -> Result<(), StoreError> {
    if volume.layer != Some(freeze.layer) {
        return Err(StoreError::LayerChanged(volume.name.clone()));
    }
    let base = Base {
        parent: Some(freeze.layer),
        image: None,
    };
    layer::insert(tx, freeze.onto, base).await
}

fn snapshot_of(
    freeze: &Freeze,
    volume: &VolumeRecord,
    (operation, name): (&OperationRecord, Name),
    at: Timestamp,
) -> SnapshotRecord {
    SnapshotRecord {
        id: freeze.snapshot,
        project: volume.project.clone(),
        name,
        volume: volume.id,
        volume_name: volume.name.clone(),
        layer: freeze.layer,
        image: volume.image,
        size: volume.size,
        operation: Some(operation.id),
        consistency: Consistency::Crash,
        created_at: at,
    }
}

/// [`StoreError::InUse`] for a volume in Error whose data a guest may still have: it goes with its instance, or after it.
fn not_attached(volume: &VolumeRecord) -> Result<(), StoreError> {
    match volume.instance.filter(|_| volume.layer.is_some()) {
        None => Ok(()),
        Some(instance) => Err(StoreError::InUse {
            what: "volume",
            by: format!("instance {instance}"),
        }),
    }
}

/// [`StoreError::InUse`] while a volume has snapshots: a delete would leave them without what they are of.
async fn no_snapshots(tx: &mut Tx, id: VolumeId) -> Result<(), StoreError> {
    let query = sql("SELECT name FROM snapshots WHERE volume = $1 ORDER BY id LIMIT 1").bind(id.to_string());
    match tx.optional(query).await? {
        None => Ok(()),
        Some(row) => Err(StoreError::InUse {
            what: "volume",
            by: format!("snapshot '{}'", row.text("name")?),
        }),
    }
}
