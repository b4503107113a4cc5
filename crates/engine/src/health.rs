//! Whether the daemon lives, and whether it can do what it is for. Each check asks, and none takes long.
//!
//! *Healthy* is a daemon that needn't be started again: its tasks and libvirt's event loop run, its database answers.
//! *Ready* is one that can take an operation to its end: the database can be written, libvirt answers, the disk has
//! room, and what was there at the start has been compared with the records.
//!
//! What is said of a failure is ours alone: who may ask needn't be somebody who may read errors.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use berth_hypervisor::Link;
use tokio::task::JoinHandle;

use crate::world::World;
use crate::{Engine, EngineError, blocking};

/// How long whatever is asked may take.
const WITHIN: Duration = Duration::from_secs(2);

/// For how long libvirt's event loop may give no sign of life: a few of its beats.
const SILENCE: Duration = Duration::from_secs(5);

/// Something that is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What it is about.
    pub name: &'static str,
    /// What is wrong; none if nothing is.
    pub failure: Option<String>,
}

impl Check {
    fn of(name: &'static str, found: Result<(), String>) -> Self {
        let failure = found.err();
        if let Some(failure) = &failure {
            tracing::debug!(check = name, %failure, "a check of the daemon's health fails");
        }
        Self { name, failure }
    }
}

impl Engine {
    /// Whether the daemon lives.
    pub async fn healthy(&self) -> Vec<Check> {
        let tasks = if self.background.iter().any(JoinHandle::is_finished) {
            Err("a task of the daemon has ended".to_owned())
        } else {
            Ok(())
        };
        let silent = self.world.hypervisor.loop_silent_for();
        let event_loop = if silent < SILENCE {
            Ok(())
        } else {
            Err(format!("no sign of life for {} s", silent.as_secs()))
        };
        vec![
            Check::of("tasks", tasks),
            Check::of("event_loop", event_loop),
            Check::of("database", answers(self.world.store.last_seq()).await),
        ]
    }

    /// Whether the daemon can do what it is for; found out at most once a second.
    pub async fn ready(&self) -> Result<Arc<Vec<Check>>, EngineError> {
        let world = Arc::clone(&self.world);
        self.world.readiness.get(async move { look(&world).await }).await
    }
}

async fn look(world: &Arc<World>) -> Vec<Check> {
    let (database, libvirt, disk) = tokio::join!(answers(world.store.check_writable()), libvirt(world), disk(world));
    let reconciled = if world.reconciled.load(Ordering::Relaxed) {
        Ok(())
    } else {
        Err("the host was not compared with the records yet".to_owned())
    };
    vec![
        Check::of("database", database),
        Check::of("libvirt", libvirt),
        Check::of("disk", disk),
        Check::of("reconciliation", reconciled),
    ]
}

/// Whether the database does in time what it is asked.
async fn answers<T, E: std::fmt::Display>(asked: impl Future<Output = Result<T, E>>) -> Result<(), String> {
    match tokio::time::timeout(WITHIN, asked).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => {
            tracing::warn!(%error, "the database fails");
            Err("it fails; the daemon's log says how".to_owned())
        }
        Err(_) => Err(format!("no answer within {} s", WITHIN.as_secs())),
    }
}

async fn libvirt(world: &Arc<World>) -> Result<(), String> {
    if let Link::Down { .. } = world.hypervisor.link() {
        return Err("it is not reached".to_owned());
    }
    let hypervisor = world.hypervisor.clone();
    let asked = blocking(move || Ok(hypervisor.ping(WITHIN)?));
    asked
        .await
        .map_err(|_| format!("no answer within {} s", WITHIN.as_secs()))
}

async fn disk(world: &Arc<World>) -> Result<(), String> {
    let storage = world.storage.clone();
    let space = blocking(move || Ok(storage.space()?)).await;
    let space = space.map_err(|_| "the state directory can't be looked at".to_owned())?;
    crate::space::low(space).map_err(|error| error.to_string())
}
