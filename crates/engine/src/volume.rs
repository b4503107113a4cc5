//! Volumes: admission of what is asked of them, and what is told of them.

use berth_model::{Gib, ImageId, Labels, LayerId, Name, SnapshotId, VOLUME_MAX, VOLUME_MIN, VolumeId};
use berth_store::{
    Base, ChangeVolume, Freeze, InstanceRecord, ListBy, Listed, NewVolume, OperationRecord, Requester, StoreError,
    Task, TaskClaim, VolumeFilter, VolumeRecord,
};

use crate::instance::to_its_end;
use crate::{Engine, EngineError};

/// A volume that is asked for.
#[derive(Debug, Clone)]
pub struct CreateVolume {
    /// Its name.
    pub name: Name,
    /// Its size; that of what it is made from if not given.
    pub size: Option<Gib>,
    /// What it is made from.
    pub from: VolumeFrom,
    /// Its type; the first of the catalog if not given.
    pub volume_type: Option<String>,
    /// Its labels.
    pub labels: Labels,
}

/// What a volume is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VolumeFrom {
    /// Nothing: it is blank.
    Blank,
    /// An image, by name or id.
    Image(String),
    /// A snapshot, by name or id.
    Snapshot(String),
    /// Another volume as it is now, by name or id.
    Volume(String),
}

/// What a new volume stands on, and the least it has to hold.
struct Source {
    base: Base,
    least: Gib,
    freeze: Option<Freeze>,
}

/// How long a guest may take to let go of a volume if nothing else is asked for, in seconds …
const LET_GO: u32 = 60;
/// … and how long may be asked for.
const LET_GO_MAX: u32 = 3600;

impl Engine {
    /// The volume type of that name; the first one without a name.
    pub(crate) fn volume_type(&self, name: Option<&str>) -> Result<String, EngineError> {
        let types = &self.settings().volume_types;
        let found = match name {
            Some(name) => types.iter().find(|known| known.name == name),
            None => types.first(),
        };
        let known = || {
            let names: Vec<_> = types.iter().map(|known| known.name.as_str()).collect();
            format!(
                "there is no volume type '{}': it is one of {}",
                name.unwrap_or_default(),
                names.join(", ")
            )
        };
        found
            .map(|found| found.name.clone())
            .ok_or_else(|| EngineError::invalid("type", known()))
    }

    /// Accepts a new volume: the operation that makes it.
    pub async fn create_volume(
        &self,
        project: &str,
        request: CreateVolume,
        by: &Requester,
    ) -> Result<OperationRecord, EngineError> {
        let volume_type = self.volume_type(request.volume_type.as_deref())?;
        let source = self.source(project, &request.from).await?;
        let size = request.size.unwrap_or(source.least);
        if request.size.is_none() && request.from == VolumeFrom::Blank {
            return Err(EngineError::invalid("size", "a blank volume needs a size in GB"));
        }
        check_size(size)?;
        if size < source.least {
            let message = format!("{size} is less than the {} of what it is made from", source.least);
            return Err(EngineError::invalid("size", message));
        }
        self.check_image_allows(source.base.image, size).await?;
        self.check_room(size).await?;
        let new = NewVolume {
            id: VolumeId::new(),
            project: project.to_owned(),
            name: request.name,
            volume_type,
            labels: request.labels,
        };
        let task = Task::CreateVolume {
            volume: new.id,
            layer: LayerId::new(),
            base: source.base,
            size,
            freeze: source.freeze,
        };
        let (engine, by) = (self.clone(), by.clone());
        to_its_end(async move {
            let claim = engine.world.store.create_volume(&new, task, &by).await?;
            engine.begin(claim).await
        })
        .await
    }

    async fn source(&self, project: &str, from: &VolumeFrom) -> Result<Source, EngineError> {
        let store = &self.world.store;
        Ok(match from {
            VolumeFrom::Blank => Source {
                base: Base::default(),
                least: VOLUME_MIN,
                freeze: None,
            },
            VolumeFrom::Image(reference) => {
                let image = store.find_image(project, reference).await?;
                Source {
                    base: on(None, Some(image.id)),
                    least: Gib::holding(image.virtual_size),
                    freeze: None,
                }
            }
            VolumeFrom::Snapshot(reference) => {
                let snapshot = store.find_snapshot(project, reference).await?;
                if let Some(operation) = snapshot.operation {
                    let by = format!("operation {operation}, which takes it");
                    return Err(StoreError::InUse { what: "snapshot", by }.into());
                }
                Source {
                    base: on(Some(snapshot.layer), snapshot.image),
                    least: snapshot.size,
                    freeze: None,
                }
            }
            VolumeFrom::Volume(reference) => {
                let volume = store.find_volume(project, reference).await?;
                let freeze = freeze(&volume)?;
                Source {
                    base: on(Some(freeze.layer), volume.image),
                    least: volume.size,
                    freeze: Some(freeze),
                }
            }
        })
    }

    /// Attaches a volume to an instance.
    pub async fn attach_volume(
        &self,
        volume: &VolumeRecord,
        instance: &InstanceRecord,
        delete_on_termination: bool,
        by: &Requester,
    ) -> Result<OperationRecord, EngineError> {
        let task = Task::AttachVolume {
            volume: volume.id,
            instance: instance.id,
            delete_on_termination,
        };
        self.start_task(task, by).await
    }

    /// Detaches a volume from its instance, once the guest lets go of it: within so many seconds, or it stays.
    pub async fn detach_volume(
        &self,
        volume: &VolumeRecord,
        seconds: Option<u32>,
        by: &Requester,
    ) -> Result<OperationRecord, EngineError> {
        let seconds = seconds.unwrap_or(LET_GO);
        if seconds > LET_GO_MAX {
            let message = format!("{seconds} is not between 0 and {LET_GO_MAX} seconds");
            return Err(EngineError::invalid("timeout_seconds", message));
        }
        let instance = volume
            .instance
            .ok_or_else(|| StoreError::NotAttached(volume.name.clone()))?;
        let task = Task::DetachVolume {
            volume: volume.id,
            instance,
            seconds,
        };
        self.start_task(task, by).await
    }

    /// Makes a volume larger; never smaller.
    pub async fn extend_volume(
        &self,
        volume: &VolumeRecord,
        size: Gib,
        by: &Requester,
    ) -> Result<OperationRecord, EngineError> {
        check_size(size)?;
        if size <= volume.size {
            let message = format!(
                "{size} is not more than the {} that volume '{}' has",
                volume.size, volume.name
            );
            return Err(EngineError::invalid("size", message));
        }
        self.check_image_allows(volume.image, size).await?;
        self.check_room(Gib(size.0 - volume.size.0)).await?;
        let task = Task::ExtendVolume {
            volume: volume.id,
            from: volume.size,
            size,
        };
        self.start_task(task, by).await
    }

    /// Deletes a volume that nothing has, and that has no snapshots.
    pub async fn delete_volume(&self, volume: &VolumeRecord, by: &Requester) -> Result<OperationRecord, EngineError> {
        self.start_task(Task::DeleteVolume { volume: volume.id }, by).await
    }

    /// Changes what is given of a volume: all that is asked, or nothing.
    pub async fn change_volume(&self, id: VolumeId, change: &ChangeVolume) -> Result<VolumeRecord, EngineError> {
        Ok(self.world.store.change_volume(id, change).await?)
    }

    /// The volume with that name or id.
    pub async fn find_volume(&self, project: &str, reference: &str) -> Result<VolumeRecord, EngineError> {
        Ok(self.world.store.find_volume(project, reference).await?)
    }

    /// A page of a project's volumes.
    pub async fn list_volumes(
        &self,
        project: &str,
        filter: &VolumeFilter,
        by: &ListBy,
    ) -> Result<Listed<VolumeRecord>, EngineError> {
        Ok(self.world.store.list_volumes(project, filter, by).await?)
    }

    /// Refuses a size above what the image at the bottom of a volume allows.
    async fn check_image_allows(&self, image: Option<ImageId>, size: Gib) -> Result<(), EngineError> {
        let Some(id) = image else { return Ok(()) };
        let Some(image) = self.world.store.image(id).await? else {
            return Ok(());
        };
        let most = image.properties.max_volume_size;
        if size > most {
            let message = format!("{size} is more than the {most} that the image '{}' allows", image.name);
            return Err(EngineError::invalid("size", message));
        }
        Ok(())
    }

    /// Takes volumes for a task and sets it going.
    pub(crate) async fn start_task(&self, task: Task, by: &Requester) -> Result<OperationRecord, EngineError> {
        let (engine, by) = (self.clone(), by.clone());
        to_its_end(async move {
            let claim = engine.world.store.begin_task(task, &by).await?;
            engine.begin(claim).await
        })
        .await
    }

    pub(crate) async fn begin(&self, claim: TaskClaim) -> Result<OperationRecord, EngineError> {
        let operation = claim.operation();
        self.actors.run_task(claim).await?;
        self.operation(operation).await
    }

    /// Refuses what the disk can't be promised for: volumes are thin, and promised beyond what is there only so far.
    pub(crate) async fn check_room(&self, more: Gib) -> Result<(), EngineError> {
        let promised = self.world.store.promised().await?;
        let storage = self.world.storage.clone();
        let space = crate::looking(move || Ok(storage.space()?)).await?;
        crate::space::check(self.world.settings().disk_overcommit, space, promised, more)
    }
}

/// What a volume is made from, and what is put on it: chosen now, written down before anything is made of it.
pub(crate) fn freeze(volume: &VolumeRecord) -> Result<Freeze, EngineError> {
    let layer = volume.layer.ok_or_else(|| {
        let message = format!("volume '{}' is {} and has no data to take", volume.name, volume.state);
        EngineError::invalid("volume", message)
    })?;
    Ok(Freeze {
        volume: volume.id,
        layer,
        onto: LayerId::new(),
        snapshot: SnapshotId::new(),
    })
}

fn on(parent: Option<LayerId>, image: Option<ImageId>) -> Base {
    Base { parent, image }
}

/// Refuses a size that no volume may have (seed, "Volume size limit").
pub(crate) fn check_size(size: Gib) -> Result<(), EngineError> {
    if (VOLUME_MIN..=VOLUME_MAX).contains(&size) {
        return Ok(());
    }
    let message = format!("{} is not between {} and {} GB", size.0, VOLUME_MIN.0, VOLUME_MAX.0);
    Err(EngineError::invalid("size", message))
}
