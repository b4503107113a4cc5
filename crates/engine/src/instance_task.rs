//! The task of one instance: one thing after the other, and what libvirt says meanwhile to the one under way.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::Sender as SignalSender;

use berth_model::{Action, GuestEvent, InstanceId, OperationId};
use berth_ops::{End, Retry};
use berth_store::{Claim, TaskClaim};
use jiff::Timestamp;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::actor::{Actors, Heard, Job, Message, Owned};
use crate::context::{Context, Signal, Watch};
use crate::look::{let_go, look};
use crate::merge::merge_live;
use crate::nics::settle_nics;
use crate::recipes::Recipes;
use crate::world::lock;
use crate::{EngineError, automatic};

/// An operation under way.
struct Running {
    operation: Option<OperationId>,
    moves_instance: bool,
    signals: SignalSender<Signal>,
    end: JoinHandle<()>,
}

/// The task of one instance.
pub(crate) struct Task {
    id: InstanceId,
    actors: Arc<Actors>,
    queue: VecDeque<Job>,
    running: Option<Running>,
}

impl Task {
    pub(crate) fn new(id: InstanceId, actors: Arc<Actors>) -> Self {
        Self {
            id,
            actors,
            queue: VecDeque::new(),
            running: None,
        }
    }

    /// Lives until it has nothing left to do.
    pub(crate) async fn live(mut self, mut messages: UnboundedReceiver<Message>) {
        let mut stopping = self.actors.stopping.subscribe();
        loop {
            if self.running.is_none() {
                match self.queue.pop_front() {
                    Some(Job::Instance(claim)) => {
                        self.begin(*claim).await;
                        continue;
                    }
                    Some(Job::Task(claim)) => {
                        self.begin_task(*claim).await;
                        continue;
                    }
                    Some(Job::Nics(done)) => {
                        self.begin_nics(done);
                        continue;
                    }
                    None if self.actors.retire(self.id, &messages) => return,
                    None => {}
                }
            }
            tokio::select! {
                message = messages.recv() => match message {
                    Some(message) => self.hear(message).await,
                    None => return,
                },
                () = ended(&mut self.running) => {
                    self.running = None;
                    if self.queue.is_empty() {
                        // What libvirt said while the operation had the guest may have outlived the operation.
                        look(&self.actors.world, self.id, None).await;
                        self.settle().await;
                        self.merge().await;
                    }
                }
                _ = stopping.changed() => return,
            }
        }
    }

    /// Does what is to be done by itself with an instance that rests now.
    async fn settle(&self) {
        match self.actors.world.store.instance(self.id).await {
            Ok(Some(record)) => automatic::settle(&self.actors, &record).await,
            Ok(None) => {}
            Err(error) => tracing::warn!(instance = %self.id, %error, "can't read the instance"),
        }
    }

    async fn hear(&mut self, message: Message) {
        match (message, &self.running) {
            (Message::Run(job), running) => {
                // What moves an instance is claimed while another does only if it takes the other's place.
                if let (Some(running), Job::Instance(claim)) = (running, &job)
                    && (running.moves_instance || claim.position().action() == Action::Delete)
                {
                    let _ = running.signals.send(Signal::Cancelled);
                }
                self.queue.push_back(job);
            }
            (Message::Merge, None) => self.merge().await,
            (Message::Look(Some(Heard { event, at: heard })), Some(running)) => {
                let at = Timestamp::now();
                let _ = running.signals.send(Signal::Guest(event.clone()));
                self.actors.world.metrics.heard(heard);
                // Written down after the step was told, so that nothing waits for it.
                if let Some(operation) = running.operation {
                    self.note(operation, at, &event).await;
                }
            }
            (Message::Merge | Message::Look(None), Some(_)) => {}
            (Message::Look(heard), None) => {
                let event = heard.as_ref().map(|heard| &heard.event);
                look(&self.actors.world, self.id, event).await;
                if let Some(heard) = &heard {
                    self.actors.world.metrics.heard(heard.at);
                }
                self.settle().await;
                match event {
                    // One that ended early failed, or made way: the reconciler begins it again.
                    Some(GuestEvent::BlockJob { done: true, .. }) => self.merge().await,
                    Some(GuestEvent::DeviceRemoved { .. }) => let_go(&self.actors.world, self.id).await,
                    _ => {}
                }
            }
        }
    }

    /// Keeps what libvirt reported while an operation has the guest. That Berth has defined the domain says the step
    /// itself, and the agent's coming and going says nothing of it.
    async fn note(&self, operation: OperationId, at: Timestamp, event: &GuestEvent) {
        if matches!(event, GuestEvent::Defined | GuestEvent::Agent { .. }) {
            return;
        }
        if let Err(error) = self.actors.world.store.hear(operation, at, event).await {
            tracing::warn!(instance = %self.id, %event, %error, "an event of libvirt is not in the journal");
        }
    }

    /// Merges what can be merged of the instance's volumes.
    async fn merge(&self) {
        if let Err(error) = merge_live(&self.actors.world, self.id).await {
            tracing::warn!(instance = %self.id, %error, "layers are not merged; the reconciler tries again");
        }
    }

    /// Begins to take the ports that are on their way to where they are going.
    fn begin_nics(&mut self, done: Option<oneshot::Sender<Result<(), EngineError>>>) {
        let (world, id) = (Arc::clone(&self.actors.world), self.id);
        let (signals, heard) = std::sync::mpsc::channel();
        let end = tokio::spawn(async move {
            let settled = settle_nics(world, id, Watch::new(heard)).await;
            if let Err(error) = &settled {
                tracing::warn!(instance = %id, %error, "a port is not where it should be");
            }
            // Whoever asked may have gone away.
            let _ = done.map(|done| done.send(settled));
        });
        self.running = Some(Running {
            operation: None,
            moves_instance: false,
            signals,
            end,
        });
    }

    /// Begins the part of a task that needs the guest.
    async fn begin_task(&mut self, claim: TaskClaim) {
        let operation = claim.operation();
        let begun = Arc::clone(&self.actors).begin_task(claim, true).await;
        self.running = begun.map(|(signals, end)| Running {
            operation: Some(operation),
            moves_instance: false,
            signals,
            end,
        });
    }

    async fn begin(&mut self, claim: Claim) {
        let world = Arc::clone(&self.actors.world);
        let (context, signals) = match Context::of(world, &claim).await {
            Ok(made) => made,
            Err(error) => {
                tracing::error!(instance = %self.id, %error, "the operation can't begin; it is tried again");
                drop(Owned(&self.actors, claim.operation()));
                self.actors.try_again_later();
                return;
            }
        };
        let actors = Arc::clone(&self.actors);
        // The end of the run that a claim was taken from has given it up.
        lock(&actors.owned).insert(claim.operation());
        let (id, operation, action) = (self.id, claim.operation(), claim.position().action());
        let end = tokio::spawn(async move {
            tracing::info!(instance = %id, %operation, %action, "the operation goes on");
            let _owned = Owned(&actors, operation);
            match berth_ops::run(&Recipes, claim, Arc::new(context), &actors.slots, Retry::default()).await {
                Ok(End::Done) => {
                    tracing::info!(instance = %id, %operation, %action, "done");
                    // The shelf of an earlier time has no record any more.
                    if action == Action::Shelve {
                        actors.wake.notify_one();
                    }
                }
                Ok(End::FellBack) => tracing::warn!(instance = %id, %operation, %action, "failed and fell back"),
                Ok(End::Lost) => tracing::info!(instance = %id, %operation, %action, "cancelled"),
                Err(error) => {
                    tracing::error!(instance = %id, %operation, %error, "the store failed; it is tried again");
                    actors.try_again_later();
                }
            }
        });
        self.running = Some(Running {
            operation: Some(operation),
            moves_instance: true,
            signals,
            end,
        });
    }
}

/// Waits for the end of the operation under way; for ever if there is none.
async fn ended(running: &mut Option<Running>) {
    match running {
        Some(running) => {
            if let Err(error) = (&mut running.end).await {
                tracing::error!(%error, "an operation's task panicked; it is tried again");
            }
        }
        None => std::future::pending().await,
    }
}
