//! The adapters under one roof, and the little that is known of the host as a whole.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

use berth_domain_xml::Accel;
use berth_hypervisor::{HostFacts, Hypervisor, HypervisorError, choose};
use berth_model::{ImageId, InstanceId, OperationId, OwnerId, VpcId};
use berth_network::Network;
use berth_storage::Storage;
use berth_store::{Store, StoreError};
use jiff::Timestamp;
use tokio::runtime::Handle;

use crate::health::Check;
use crate::metadata::Guests;
use crate::metrics::Metrics;
use crate::recent::Recent;
use crate::servers::Servers;
use crate::stats::Sample;
use crate::{Settings, automatic};

/// The adapters, and what all instances share.
pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) storage: Storage,
    pub(crate) network: Network,
    pub(crate) hypervisor: Hypervisor,
    settings: RwLock<Arc<Settings>>,
    pub(crate) owner: OwnerId,
    /// When this run of the daemon began: tells what it did from what an earlier one did.
    pub(crate) session: Timestamp,
    pub(crate) vpcs: VpcLocks,
    /// The metadata service's listeners.
    pub(crate) guests: Guests,
    /// The DHCP servers that are watched.
    pub(crate) servers: Servers,
    /// Images whose file is there before their record is: not leftovers.
    pub(crate) importing: Mutex<HashSet<ImageId>>,
    /// How far operations are that take long.
    pub(crate) progress: Mutex<HashMap<OperationId, Progress>>,
    /// Instances that something waits to be done about.
    pub(crate) waiting: Mutex<HashSet<InstanceId>>,
    /// What is counted here.
    pub(crate) metrics: Metrics,
    /// What instances used a moment ago, or why that can't be told.
    pub(crate) samples: Recent<Result<Arc<Sample>, String>>,
    /// Whether the daemon was ready a moment ago.
    pub(crate) readiness: Recent<Vec<Check>>,
    /// Whether the host was compared with the records since the start.
    pub(crate) reconciled: AtomicBool,
    /// This boot of the host.
    pub(crate) boot: Option<String>,
    runtime: Handle,
    host: OnceLock<Host>,
}

/// How far an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes so far.
    pub done: u64,
    /// Of so many, if that is known.
    pub of: Option<u64>,
}

/// What was found out about the host once libvirt was reached first; it doesn't change while the daemon runs.
#[derive(Debug, Clone)]
pub struct Host {
    /// What libvirt and the kernel say.
    pub facts: HostFacts,
    /// What guests run on.
    pub accel: Accel,
    /// Why it isn't KVM, or why KVM may not work.
    pub warning: Option<String>,
}

impl Host {
    /// What guests run on, in a word.
    pub fn accelerator(&self) -> &'static str {
        match self.accel {
            Accel::Kvm => "kvm",
            Accel::Tcg => "tcg",
        }
    }
}

impl World {
    pub(crate) async fn new(
        settings: Settings,
        store: Store,
        storage: Storage,
        network: Network,
        hypervisor: Hypervisor,
        (guests, servers): (Guests, Servers),
    ) -> Result<Arc<Self>, StoreError> {
        Ok(Arc::new(Self {
            owner: store.owner().await?,
            session: Timestamp::now(),
            store,
            storage,
            network,
            hypervisor,
            settings: RwLock::new(Arc::new(settings)),
            vpcs: VpcLocks::default(),
            guests,
            servers,
            importing: Mutex::default(),
            progress: Mutex::default(),
            waiting: Mutex::default(),
            metrics: Metrics::default(),
            samples: Recent::default(),
            readiness: Recent::default(),
            reconciled: AtomicBool::new(false),
            boot: automatic::this_boot(),
            runtime: Handle::current(),
            host: OnceLock::new(),
        }))
    }

    /// The settings as they are now. Who asks twice may be told two things: one decision stands on one answer.
    pub(crate) fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Goes on with other settings.
    pub(crate) fn set_settings(&self, settings: Settings) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
    }

    /// The host's facts; asks libvirt the first time. Blocking.
    pub(crate) fn host(&self) -> Result<&Host, HypervisorError> {
        if let Some(host) = self.host.get() {
            return Ok(host);
        }
        let facts = self.hypervisor.host()?;
        let (accel, warning) = choose(self.settings().accelerator, &facts.kvm);
        if let Some(warning) = &warning {
            tracing::warn!(accelerator = ?accel, "{warning}");
        }
        Ok(self.host.get_or_init(|| Host { facts, accel, warning }))
    }

    /// Waits for something of the store. Only for the blocking pool, where steps run.
    pub(crate) fn wait<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }
}

/// One lock a VPC: what changes its namespace as a whole excludes what changes a part of it.
#[derive(Default)]
pub(crate) struct VpcLocks(Mutex<HashMap<VpcId, Arc<Mutex<VpcState>>>>);

/// What is known of a VPC's namespace.
#[derive(Default)]
pub(crate) struct VpcState {
    /// This daemon has made sure that it is whole; until a step on it fails, only parts need to be touched.
    pub(crate) whole: bool,
}

impl VpcLocks {
    /// The lock of that VPC.
    pub(crate) fn of(&self, id: VpcId) -> Arc<Mutex<VpcState>> {
        let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(locks.entry(id).or_default())
    }
}

/// Locks a mutex whose holder may have panicked: the state it guards is only ever a hint.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
