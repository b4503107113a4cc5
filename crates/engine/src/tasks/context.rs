//! What the steps of a task are given: the adapters, the task, and the instance whose guest may have the volumes.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};

use berth_domain_xml::{Disk, ObservedDisk};
use berth_model::{Code, OperationId, VolumeId};
use berth_ops::Failure;
use berth_storage::StorageError;
use berth_store::{StoreError, Task, TaskClaim, VolumeRecord};

use crate::context::{OrFail, Signal, Subject, Watch};
use crate::guest;
use crate::world::{Progress, World, lock};

/// What the steps of one task are given.
pub(crate) struct TaskContext {
    /// The adapters and settings.
    pub(crate) world: Arc<World>,
    /// The operation.
    operation: OperationId,
    /// What was asked.
    pub(crate) task: Task,
    /// The instance that the volumes are attached to.
    pub(crate) subject: Option<Subject>,
    /// The volumes, as they were when the task began.
    pub(crate) volumes: Vec<VolumeRecord>,
    /// What libvirt says of the guest meanwhile.
    pub(crate) watch: Watch,
    /// Set when a later request takes the task back.
    pub(crate) cancelled: Arc<AtomicBool>,
}

impl TaskContext {
    /// The context of the task that a claim is for, and the end that feeds its watch.
    pub(crate) async fn of(
        world: Arc<World>,
        claim: &TaskClaim,
        cancelled: Arc<AtomicBool>,
    ) -> Result<(Self, Sender<Signal>), StoreError> {
        let task = claim.task().clone();
        let frozen = task.freezes().iter().map(|freeze| freeze.volume);
        let mut volumes: Vec<VolumeRecord> = Vec::new();
        for id in frozen.chain(task.volume()) {
            // One that went with its instance meanwhile is not missed: only what is frozen of it is still needed.
            volumes.extend(world.store.volume(id).await?);
        }
        let instance = volumes.iter().find_map(|volume| volume.instance);
        let subject = match instance {
            Some(id) => Some(Subject::load(&world.store, id).await?),
            None => None,
        };
        let (sender, receiver) = channel();
        let context = Self {
            world,
            operation: claim.operation(),
            task,
            subject,
            volumes,
            watch: Watch::new(receiver),
            cancelled,
        };
        Ok((context, sender))
    }

    /// Fails if a later request takes the task back.
    pub(crate) fn go_on(&self) -> Result<(), Failure> {
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(Failure::Cancelled);
        }
        Ok(())
    }

    /// Tells whoever asks how far it is.
    pub(crate) fn tell_progress(&self, done: u64, of: Option<u64>) {
        lock(&self.world.progress).insert(self.operation, Progress { done, of });
    }

    /// What an adapter made, or why not; that it was stopped is no failure of its own.
    pub(crate) fn unless_taken_back<T>(&self, made: Result<T, StorageError>) -> Result<T, Failure> {
        match made {
            Err(StorageError::Cancelled) => {
                self.go_on()?;
                Err(Failure::fatal(Code::OperationCancelled, "it was stopped"))
            }
            other => other.or_fail(),
        }
    }

    /// One of the volumes.
    pub(crate) fn volume(&self, id: VolumeId) -> Result<&VolumeRecord, Failure> {
        let found = self.volumes.iter().find(|volume| volume.id == id);
        found.ok_or_else(|| Failure::fatal(Code::NotFound, format!("volume {id} is gone")))
    }

    /// The instance that the task can't do without.
    pub(crate) fn subject(&self) -> Result<&Subject, Failure> {
        let subject = self.subject.as_ref();
        subject.ok_or_else(|| Failure::fatal(Code::NotFound, "the instance of the volume is gone"))
    }

    /// The disks that the guest has now; none if it doesn't run, or there is none.
    pub(crate) fn live(&self) -> Result<Option<Vec<ObservedDisk>>, Failure> {
        match &self.subject {
            Some(subject) => self.world.hypervisor.live_disks(subject.instance.id).or_fail(),
            None => Ok(None),
        }
    }

    /// Makes sure that no merge is under way in the guest, whichever disk it is of (see `merge`).
    pub(crate) fn stop_merging(&self) -> Result<(), Failure> {
        let targets: Vec<_> = self.live()?.into_iter().flatten().map(|disk| disk.target).collect();
        if targets.is_empty() {
            return Ok(());
        }
        let id = self.subject()?.instance.id;
        self.world.hypervisor.stop_merging(id, targets).or_fail()
    }

    /// A volume as its instance's guest has it.
    pub(crate) fn disk(&self, volume: &VolumeRecord) -> Result<Disk, Failure> {
        guest::disk(&self.world, self.subject()?, volume)
    }

    /// Defines the domain anew, with all volumes of the instance but that one.
    pub(crate) fn define_without(&self, volume: Option<VolumeId>) -> Result<(), Failure> {
        let subject = self.subject()?;
        let kind = &subject.instance.instance_type;
        let but = |one: &&VolumeRecord| Some(one.id) != volume;
        let volumes: Vec<_> = subject.volumes.iter().filter(but).collect();
        guest::define_with(&self.world, subject, kind, &volumes)
    }
}

impl Drop for TaskContext {
    fn drop(&mut self) {
        lock(&self.world.progress).remove(&self.operation);
    }
}

/// The disk of a guest at that target, if it is that file.
pub(crate) fn has(disks: &[ObservedDisk], target: &str, path: &Path) -> bool {
    disks
        .iter()
        .any(|disk| disk.target == target && disk.path.as_deref() == Some(path))
}
