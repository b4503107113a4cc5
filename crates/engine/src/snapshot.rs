//! Snapshots: of a volume, or of all volumes of an instance at one instant.

use berth_model::{Labels, Name};
use berth_store::{
    Freeze, InstanceRecord, ListBy, Listed, NewSnapshot, OperationRecord, Requester, SnapshotFilter, SnapshotRecord,
    Task, VolumeRecord,
};

use crate::instance::to_its_end;
use crate::{Engine, EngineError, volume};

impl Engine {
    /// Takes a snapshot of a volume.
    pub async fn snapshot_volume(
        &self,
        volume: &VolumeRecord,
        (name, labels): (Name, &Labels),
        by: &Requester,
    ) -> Result<OperationRecord, EngineError> {
        let freeze = volume::freeze(volume)?;
        self.take(vec![(freeze, name)], labels, by).await
    }

    /// Takes snapshots of all volumes of an instance at one instant: each is called after the name and its volume.
    pub async fn snapshot_instance(
        &self,
        instance: &InstanceRecord,
        (name, labels): (&Name, &Labels),
        by: &Requester,
    ) -> Result<OperationRecord, EngineError> {
        let mut wanted = Vec::new();
        for volume in self.world.store.volumes_of_instance(instance.id).await? {
            let text = if volume.root {
                name.to_string()
            } else {
                format!("{name}-{}", volume.name)
            };
            let name = text.parse().map_err(|error| EngineError::invalid("name", error))?;
            wanted.push((volume::freeze(&volume)?, name));
        }
        self.take(wanted, labels, by).await
    }

    async fn take(
        &self,
        wanted: Vec<(Freeze, Name)>,
        labels: &Labels,
        by: &Requester,
    ) -> Result<OperationRecord, EngineError> {
        let mut new = Vec::with_capacity(wanted.len());
        let mut freezes = Vec::with_capacity(wanted.len());
        for (freeze, name) in wanted {
            new.push(NewSnapshot {
                volume: freeze.volume,
                id: freeze.snapshot,
                name,
                labels: labels.clone(),
            });
            freezes.push(freeze);
        }
        let (engine, by) = (self.clone(), by.clone());
        to_its_end(async move {
            let task = Task::SnapshotVolumes { freezes };
            let claim = engine.world.store.begin_snapshots(&new, task, &by).await?;
            engine.begin(claim).await
        })
        .await
    }

    /// The snapshot with that name or id.
    pub async fn find_snapshot(&self, project: &str, reference: &str) -> Result<SnapshotRecord, EngineError> {
        Ok(self.world.store.find_snapshot(project, reference).await?)
    }

    /// A page of a project's snapshots.
    pub async fn list_snapshots(
        &self,
        project: &str,
        filter: SnapshotFilter,
        by: &ListBy,
    ) -> Result<Listed<SnapshotRecord>, EngineError> {
        Ok(self.world.store.list_snapshots(project, filter, by).await?)
    }

    /// Deletes a snapshot. What was made from it, and the snapshots before and after it, stay whole.
    pub async fn delete_snapshot(&self, snapshot: &SnapshotRecord) -> Result<(), EngineError> {
        let released = self.world.store.delete_snapshot(snapshot.id).await?;
        self.world.remove_released(released).await?;
        // What it kept apart can be merged now.
        let volume = self.world.store.volume(snapshot.volume).await?;
        if let Some(instance) = volume.and_then(|volume| volume.instance) {
            self.actors.merge(instance);
        }
        Ok(())
    }
}
