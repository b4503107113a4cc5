//! Running operations on volumes and images: what needs a guest by the task of its instance, the rest by itself.
//!
//! ```text
//!   run_task ── its volumes are attached, and it is at its first step ──▶ the instance's task (`actor`)
//!      │                                                                       │ the next step needs no guest
//!      └── else ──────────────▶ a task of its own ◀────────────────────────────┘
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;

use berth_model::{ImageId, InstanceId};
use berth_ops::{Retry, TaskEnd};
use berth_store::{Released, StoreError, Task, TaskClaim};
use tokio::task::JoinHandle;

use crate::actor::{Actors, Owned};
use crate::context::Signal;
use crate::tasks::{TaskContext, Tasks};
use crate::world::lock;
use crate::{EngineError, blocking};

impl Actors {
    /// Runs a task to its end; unless it is run already.
    pub(crate) async fn run_task(self: &Arc<Self>, claim: TaskClaim) -> Result<(), StoreError> {
        match self.guest_of(&claim).await? {
            Some(id) => self.run_on(id, claim),
            None => self.run_alone(claim),
        }
        Ok(())
    }

    /// Takes a task back by a claim that took it from the one who runs it, which stops as soon as it can.
    pub(crate) fn take_task_back(self: &Arc<Self>, claim: TaskClaim) {
        if let Some(flag) = lock(&self.flags).get(&claim.operation()) {
            flag.store(true, Ordering::Relaxed);
        }
        // Whoever runs it ends with a claim that is lost, and the reconciler finds the one that undoes it.
        if !lock(&self.owned).contains(&claim.operation()) {
            self.run_alone(claim);
        }
    }

    /// The instance whose task has to run the step that the task is at.
    async fn guest_of(&self, claim: &TaskClaim) -> Result<Option<InstanceId>, StoreError> {
        if claim.work().step() > 0 {
            return Ok(None);
        }
        let frozen = claim.task().freezes().iter().map(|freeze| freeze.volume);
        for id in frozen.chain(claim.task().volume()) {
            let found = self.world.store.volume(id).await?;
            if let Some(instance) = found.and_then(|volume| volume.instance) {
                return Ok(Some(instance));
            }
        }
        Ok(None)
    }

    fn run_alone(self: &Arc<Self>, claim: TaskClaim) {
        if lock(&self.owned).insert(claim.operation()) {
            let actors = Arc::clone(self);
            tokio::spawn(async move {
                // Nobody feeds its watch: its end is kept so that a wait isn't taken for a daemon that goes down.
                if let Some((_signals, end)) = Arc::clone(&actors).begin_task(claim, false).await {
                    let mut stopping = actors.stopping.subscribe();
                    tokio::select! {
                        _ = end => {}
                        _ = stopping.wait_for(|stopping| *stopping) => {}
                    }
                }
            });
        }
    }

    /// Begins a task: how it is told what libvirt says, and its end. None if it can't begin now; it is tried again.
    pub(crate) async fn begin_task(
        self: Arc<Self>,
        claim: TaskClaim,
        on_instance: bool,
    ) -> Option<(Sender<Signal>, JoinHandle<()>)> {
        let (operation, flag) = (claim.operation(), Arc::new(AtomicBool::new(false)));
        lock(&self.flags).insert(operation, Arc::clone(&flag));
        let (context, signals) = match TaskContext::of(Arc::clone(&self.world), &claim, flag).await {
            Ok(made) => made,
            Err(error) => {
                tracing::error!(%operation, %error, "the operation can't begin; it is tried again");
                self.forget(operation);
                self.try_again_later();
                return None;
            }
        };
        let end = tokio::spawn(async move { self.take_to_its_end(claim, context, on_instance).await });
        Some((signals, end))
    }

    async fn take_to_its_end(self: Arc<Self>, claim: TaskClaim, context: TaskContext, on_instance: bool) {
        let (operation, action) = (claim.operation(), claim.work().action());
        tracing::info!(%operation, action, "the operation goes on");
        let (context, retry) = (Arc::new(context), Retry::default());
        let ended = berth_ops::run_task(&Tasks, claim, (Arc::clone(&context), on_instance), &self.slots, retry).await;
        self.forget(operation);
        match ended {
            Ok(TaskEnd::Done(released)) => {
                tracing::info!(%operation, action, "done");
                self.remove(released).await;
                if let Task::ImportImage { image, .. } = &context.task {
                    self.forget_download(image.id).await;
                }
            }
            Ok(TaskEnd::Failed(released)) => {
                tracing::warn!(%operation, action, "failed");
                self.remove(released).await;
            }
            Ok(TaskEnd::Elsewhere(claim)) => self.run_alone(*claim),
            Ok(TaskEnd::Lost) => {
                tracing::info!(%operation, action, "taken back");
                self.wake.notify_one();
            }
            Err(error) => {
                tracing::error!(%operation, %error, "the store failed; it is tried again");
                self.try_again_later();
            }
        }
        // What it froze can be merged again once it has ended.
        if let Some(subject) = context.subject.as_ref().filter(|_| !on_instance) {
            self.merge(subject.instance.id);
        }
    }

    /// Removes what was fetched of an image that is there now. What is left of it the reconciler removes.
    async fn forget_download(&self, id: ImageId) {
        let storage = self.world.storage.clone();
        if let Err(error) = blocking(move || Ok(storage.forget_download(id)?)).await {
            tracing::warn!(image = %id, %error, "what was fetched of it is still there");
        }
    }

    fn forget(&self, operation: berth_model::OperationId) {
        lock(&self.flags).remove(&operation);
        drop(Owned(self, operation));
    }

    /// Removes the files that nothing needs any more. What is left of them has no record: the reconciler removes it.
    async fn remove(&self, released: Released) {
        if let Err(error) = self.world.remove_released(released).await {
            tracing::warn!(%error, "files that nothing needs are still there");
        }
    }
}

impl crate::world::World {
    /// Removes the files that nothing needs any more.
    pub(crate) async fn remove_released(&self, released: Released) -> Result<(), EngineError> {
        let storage = self.storage.clone();
        blocking(move || {
            storage.delete_layers(&released.layers)?;
            for shelf in &released.shelves {
                storage.delete_image(*shelf)?;
            }
            Ok(())
        })
        .await
    }
}
