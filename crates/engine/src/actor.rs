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

use std::collections::{HashMap, HashSet};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use berth_model::{GuestEvent, InstanceId, OperationId};
use berth_store::{Claim, StoreError, TaskClaim};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Notify, Semaphore, oneshot, watch};

use crate::EngineError;
use crate::instance_task::Task;
use crate::world::{World, lock};

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
pub(crate) enum Message {
    /// Take this operation to its end.
    Run(Job),
    /// Merge what can be merged of its volumes.
    Merge,
    /// Look at the guest, because of this event or because it is time.
    Look(Option<Heard>),
}

/// An event of libvirt, and when it was heard of.
pub(crate) struct Heard {
    pub(crate) event: GuestEvent,
    pub(crate) at: Instant,
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
        let slots = Arc::new(Semaphore::new(world.settings().parallel_steps));
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
    pub(crate) fn look(self: &Arc<Self>, id: InstanceId, event: Option<Heard>) {
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
    pub(crate) fn retire(&self, id: InstanceId, receiver: &UnboundedReceiver<Message>) -> bool {
        let mut tasks = lock(&self.tasks);
        if !receiver.is_empty() {
            return false;
        }
        tasks.remove(&id);
        true
    }
}

/// Held while an operation is run.
pub(crate) struct Owned<'a>(pub(crate) &'a Actors, pub(crate) OperationId);

impl Drop for Owned<'_> {
    fn drop(&mut self) {
        lock(&self.0.owned).remove(&self.1);
    }
}
