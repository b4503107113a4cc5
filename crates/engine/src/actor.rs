//! One instance, one task: all that can move an instance is queued to it.
//!
//! ```text
//!   requests ──Run(claim)──▶ ┌───────────────┐ ──▶ ops::run, one at a time
//!   libvirt ───Look(event)─▶ │ the instance's │        ▲ events of the guest go to the step that waits
//!   timers ────Look(None)──▶ │     task       │ ──▶ look: query ─▶ observe ─▶ adopt, when no operation is in flight
//!                            └───────────────┘
//! ```
//!
//! Two operations on one instance never overlap: a delete that cancels another waits for the step of the other that
//! is under way, and a step that waits for the guest stops waiting at once.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::Sender as SignalSender;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use berth_model::{Action, GuestEvent, InstanceId, OperationId};
use berth_ops::{End, Retry};
use berth_store::{Claim, StoreError, TaskClaim};
use jiff::Timestamp;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Notify, Semaphore, oneshot, watch};
use tokio::task::JoinHandle;

use crate::context::{Context, Signal, Watch};
use crate::look::{let_go, look};
use crate::merge::merge_live;
use crate::nics::settle_nics;
use crate::recipes::Recipes;
use crate::world::{World, lock};
use crate::{EngineError, automatic};

/// An operation that is run by an instance's task.
pub(crate) enum Job {
    /// One that moves the instance.
    Instance(Box<Claim>),
    /// One that moves volumes of it, and needs its guest.
    Task(Box<TaskClaim>),
    /// Not an operation: take the ports that are on their way to where they are going, and tell who waits for it.
    Nics(Option<oneshot::Sender<Result<(), EngineError>>>),
}

impl Job {
    pub(crate) fn operation(&self) -> Option<OperationId> {
        match self {
            Self::Instance(claim) => Some(claim.operation()),
            Self::Task(claim) => Some(claim.operation()),
            Self::Nics(_) => None,
        }
    }
}

/// What an instance's task is told.
enum Message {
    /// Take this operation to its end.
    Run(Job),
    /// Merge what can be merged of its volumes.
    Merge,
    /// Look at the guest, because of this event or because it is time.
    Look(Option<GuestEvent>),
}

/// The tasks of all instances; a task is made when there is something for it to do.
pub(crate) struct Actors {
    pub(crate) world: Arc<World>,
    pub(crate) slots: Arc<Semaphore>,
    tasks: Mutex<HashMap<InstanceId, UnboundedSender<Message>>>,
    /// The operations that are queued or under way: each is run once.
    pub(crate) owned: Mutex<HashSet<OperationId>>,
    /// How a task that is under way is told that it is taken back.
    pub(crate) flags: Mutex<HashMap<OperationId, Arc<AtomicBool>>>,
    /// Wakes the reconciler, which also goes on with what broke off.
    pub(crate) wake: Arc<Notify>,
    pub(crate) stopping: watch::Sender<bool>,
}

/// The pause after the store failed, before what broke off is tried again.
const STORE_PAUSE: Duration = Duration::from_secs(5);

impl Actors {
    pub(crate) fn new(world: Arc<World>, wake: Arc<Notify>) -> Arc<Self> {
        let slots = Arc::new(Semaphore::new(world.settings.parallel_steps));
        Arc::new(Self {
            world,
            slots,
            tasks: Mutex::default(),
            owned: Mutex::default(),
            flags: Mutex::default(),
            wake,
            stopping: watch::Sender::new(false),
        })
    }

    pub(crate) fn world(&self) -> &Arc<World> {
        &self.world
    }

    /// Runs an operation to its end, after those that are queued before it; unless it is run already.
    pub(crate) fn run(self: &Arc<Self>, claim: Claim) {
        if lock(&self.owned).insert(claim.operation()) {
            self.tell(claim.instance(), Message::Run(Job::Instance(Box::new(claim))));
        }
    }

    /// Takes an operation back by a claim that took it from the one who runs it: a step that waits stops waiting.
    pub(crate) fn take_back(self: &Arc<Self>, claim: Claim) {
        lock(&self.owned).insert(claim.operation());
        self.tell(claim.instance(), Message::Run(Job::Instance(Box::new(claim))));
    }

    /// Has an instance's task run an operation on its volumes, after what is queued before it; unless it is run already.
    pub(crate) fn run_on(self: &Arc<Self>, id: InstanceId, claim: TaskClaim) {
        if lock(&self.owned).insert(claim.operation()) {
            self.tell(id, Message::Run(Job::Task(Box::new(claim))));
        }
    }

    /// Has an instance's task take its ports to where they are going, and waits for that.
    pub(crate) async fn nics(self: &Arc<Self>, id: InstanceId) -> Result<(), EngineError> {
        let (done, told) = oneshot::channel();
        self.tell(id, Message::Run(Job::Nics(Some(done))));
        let ends = || EngineError::Internal("the daemon ends; the port goes on with its next start".to_owned());
        told.await.unwrap_or_else(|_| Err(ends()))
    }

    /// Has an instance's task take its ports to where they are going.
    pub(crate) fn settle_nics(self: &Arc<Self>, id: InstanceId) {
        self.tell(id, Message::Run(Job::Nics(None)));
    }

    /// Has an instance's task merge what can be merged of its volumes.
    pub(crate) fn merge(self: &Arc<Self>, id: InstanceId) {
        self.tell(id, Message::Merge);
    }

    /// Goes on with the operations in flight that nobody runs: those whose run broke off because the store failed.
    /// Oldest first: of two that wait for the same instance the older one was allowed with nothing before it.
    pub(crate) async fn run_the_stranded(self: &Arc<Self>) -> Result<(), StoreError> {
        let instances = self.world.store.in_flight().await?.into_iter();
        let tasks = self.world.store.tasks_in_flight().await?.into_iter();
        let instances = instances.map(|claim| Job::Instance(Box::new(claim)));
        let mut jobs: Vec<_> = instances.chain(tasks.map(|claim| Job::Task(Box::new(claim)))).collect();
        jobs.sort_by_key(Job::operation);
        for job in jobs {
            match job {
                Job::Instance(claim) => self.run(*claim),
                Job::Task(claim) => self.run_task(*claim).await?,
                Job::Nics(_) => {}
            }
        }
        Ok(())
    }

    /// Has the reconciler go on with what broke off, after a pause.
    pub(crate) fn try_again_later(&self) {
        let wake = Arc::clone(&self.wake);
        tokio::spawn(async move {
            tokio::time::sleep(STORE_PAUSE).await;
            wake.notify_one();
        });
    }

    /// Has an instance's task look at the guest.
    pub(crate) fn look(self: &Arc<Self>, id: InstanceId, event: Option<GuestEvent>) {
        self.tell(id, Message::Look(event));
    }

    /// Ends all tasks between two steps; the journal has what is needed to go on.
    pub(crate) fn stop(&self) {
        self.stopping.send_replace(true);
        lock(&self.tasks).clear();
    }

    fn tell(self: &Arc<Self>, id: InstanceId, message: Message) {
        if *self.stopping.borrow() {
            return;
        }
        let mut tasks = lock(&self.tasks);
        let task = tasks.entry(id).or_insert_with(|| {
            let (sender, receiver) = unbounded_channel();
            tokio::spawn(Task::new(id, Arc::clone(self)).live(receiver));
            sender
        });
        // The receiver goes away only after the entry is removed, under the same lock.
        let _ = task.send(message);
    }

    /// Removes a task that has nothing left to do; `false` if it was told something meanwhile.
    fn retire(&self, id: InstanceId, receiver: &UnboundedReceiver<Message>) -> bool {
        let mut tasks = lock(&self.tasks);
        if !receiver.is_empty() {
            return false;
        }
        tasks.remove(&id);
        true
    }
}

/// An operation under way.
struct Running {
    operation: Option<OperationId>,
    moves_instance: bool,
    signals: SignalSender<Signal>,
    end: JoinHandle<()>,
}

/// The task of one instance.
struct Task {
    id: InstanceId,
    actors: Arc<Actors>,
    queue: VecDeque<Job>,
    running: Option<Running>,
}

impl Task {
    fn new(id: InstanceId, actors: Arc<Actors>) -> Self {
        Self {
            id,
            actors,
            queue: VecDeque::new(),
            running: None,
        }
    }

    async fn live(mut self, mut messages: UnboundedReceiver<Message>) {
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
            (Message::Look(Some(event)), Some(running)) => {
                let at = Timestamp::now();
                let _ = running.signals.send(Signal::Guest(event.clone()));
                // Written down after the step was told, so that nothing waits for it.
                if let Some(operation) = running.operation {
                    self.note(operation, at, &event).await;
                }
            }
            (Message::Merge | Message::Look(None), Some(_)) => {}
            (Message::Look(event), None) => {
                look(&self.actors.world, self.id, event.as_ref()).await;
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

/// Held while an operation is run.
pub(crate) struct Owned<'a>(pub(crate) &'a Actors, pub(crate) OperationId);

impl Drop for Owned<'_> {
    fn drop(&mut self) {
        lock(&self.0.owned).remove(&self.1);
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
