//! The engine: what is asked of Berth, and how it comes about.
//!
//! ```text
//!   api ──▶ Engine (a module a resource) ──claim──▶ store
//!                     │                               │ Claim
//!                     ▼                               ▼
//!                   Actors ── one task an instance ── ops::run ──▶ recipes ──▶ hypervisor, storage, network
//!                     ▲
//!   libvirt's notices ┤
//!   the reconciler ───┘
//! ```
//!
//! Architecture invariant: nothing here knows XML, a qemu-img flag or nft syntax, and nothing here writes a state.

mod actor;
mod automatic;
mod compare;
mod confirm;
mod console;
mod context;
mod create;
mod create_nics;
mod dry;
mod error;
mod facts;
mod finding;
mod guest;
mod health;
mod history;
mod host;
mod image;
mod instance;
mod instance_task;
mod keypair;
mod label;
mod look;
mod merge;
mod metadata;
mod metrics;
mod network;
mod nics;
mod operation;
mod port;
mod project;
mod public_ip;
mod quota;
mod readings;
mod recent;
mod recipes;
mod reconcile;
mod release;
mod resize;
mod security_group;
mod servers;
mod settings;
mod snapshot;
mod space;
mod stats;
mod task_run;
mod tasks;
mod token;
mod usage;
mod volume;
mod vpc;
mod wiring;
mod world;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub use berth_hypervisor::{DiskStats, GuestStats, Link};
use berth_hypervisor::{DomainEvent, Hypervisor, Notice};
pub use berth_network::Counters;
use berth_network::Network;
pub use berth_storage::FetchPolicy;
use berth_storage::Storage;
use berth_store::{ClaimError, Store};
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;

pub use berth_store::{
    ChangeSubnet, ChangeVolume, Consistency, DEFAULT_PROJECT, Dry, EventRecord, Fault, GroupRecord, ImageFilter,
    ImageRecord, InstanceFilter, InstanceLine, InstanceRecord, KeyPairRecord, Labelled, ListBy, Listed, MemberRecord,
    Once, OperationFilter, OperationRecord, Page, Phase, PortFilter, PortRecord, ProjectRecord, PublicIpFilter,
    PublicIpRecord, QuotaRecord, Requester, RuleRecord, SnapshotFilter, SnapshotRecord, StoreError, SubnetRecord,
    TokenRecord, VolumeFilter, VolumeRecord, VpcRecord,
};
pub use create::{CreateInstances, NewOrExisting, WantedNic, WantedVolume};
pub use dry::{Charge, Diff, HourlyPrice, Preview};
pub use error::EngineError;
pub use finding::Finding;
pub use health::Check;
pub use history::{Happened, History, HistoryEntry, StepEnd};
pub use host::HostStatus;
pub use image::{NewImage, PullImage};
pub use instance::{Detail, NicDetail, StopRequest};
pub use keypair::NewKeyPair;
pub use metadata::GuestListener;
pub use port::{CreatePort, PortChange, PortDetail};
pub use public_ip::{PoolDetail, PublicIpDetail, WantedPublicIp};
pub use reconcile::Done;
pub use security_group::GroupDetail;
pub use settings::Settings;
pub use stats::{InstanceStats, NicStats, Sample};
pub use token::{BadToken, CreateToken, NewToken, TOKEN_PREFIX, TOKEN_TTL, token_without_secret};
pub use usage::{UsageReport, WantedUsage};
pub use volume::{CreateVolume, VolumeFrom};
pub use vpc::{CreateSubnet, SubnetDetail, VpcDetail};
pub use world::{Host, Progress};

use crate::actor::{Actors, Heard};
use crate::metadata::Guests;
use crate::servers::Servers;
use crate::world::World;

/// The engine; cheap to clone.
#[derive(Clone)]
pub struct Engine {
    world: Arc<World>,
    actors: Arc<Actors>,
    wake: Arc<Notify>,
    background: Arc<[JoinHandle<()>]>,
    listeners: Arc<Mutex<Option<UnboundedReceiver<GuestListener>>>>,
}

impl Engine {
    /// Starts the engine: goes on with what was in flight, then listens to libvirt and reconciles.
    pub async fn start(
        settings: Settings,
        store: Store,
        storage: Storage,
        network: Network,
        (hypervisor, notices): (Hypervisor, UnboundedReceiver<Notice>),
    ) -> Result<Self, EngineError> {
        store.set_default_quotas(settings.quotas.clone());
        let (guests, listeners) = Guests::new();
        let (servers, ends) = Servers::new();
        let world = World::new(settings, store, storage, network, hypervisor, (guests, servers)).await?;
        let wake = Arc::new(Notify::new());
        let actors = Actors::new(Arc::clone(&world), Arc::clone(&wake));
        let broken = |error: ClaimError| EngineError::Internal(error.to_string());
        usage::set_prices(&world, &world.settings()).await?;
        for mut claim in world.store.in_flight().await? {
            let plan = berth_ops::resume(&mut claim).await.map_err(broken)?;
            tracing::info!(instance = %claim.instance(), state = %claim.position().state(), ?plan, "found in flight");
        }
        for mut claim in world.store.tasks_in_flight().await? {
            berth_ops::resume_task(&mut claim).await.map_err(broken)?;
            tracing::info!(operation = %claim.operation(), action = claim.work().action(), "found in flight");
        }
        actors.run_the_stranded().await?;
        let listener = tokio::spawn(listen(Arc::clone(&actors), notices, Arc::clone(&wake)));
        let reconciler = tokio::spawn(keep_reconciled(
            Arc::clone(&world),
            Arc::clone(&actors),
            Arc::clone(&wake),
        ));
        let meter = tokio::spawn(usage::keep_alive(Arc::clone(&world)));
        let server_keeper = tokio::spawn(servers::keep_serving(Arc::clone(&world), ends));
        Ok(Self {
            world,
            actors,
            wake,
            background: Arc::new([listener, reconciler, server_keeper, meter]),
            listeners: Arc::new(Mutex::new(Some(listeners))),
        })
    }

    /// Ends all tasks between two steps. Guests run on; the next start finds them again.
    pub fn stop(&self) {
        self.actors.stop();
        for task in self.background.iter() {
            task.abort();
        }
    }

    /// The settings as they are now.
    pub fn settings(&self) -> Arc<Settings> {
        self.world.settings()
    }

    /// Goes on with other settings: for what begins from now on, and at once for the networks of guests that run.
    ///
    /// `accelerator`, `parallel_steps` and `subnet` are looked at only by [`Engine::start`] or the first guest.
    pub async fn set_settings(&self, settings: Settings) -> Result<(), EngineError> {
        usage::set_prices(&self.world, &settings).await?;
        self.world.store.set_default_quotas(settings.quotas.clone());
        self.world.set_settings(settings);
        self.reconcile_soon();
        Ok(())
    }

    /// Has the reconciler look now.
    pub fn reconcile_soon(&self) {
        self.wake.notify_one();
    }
}

/// Hands libvirt's notices to whom they concern.
async fn listen(actors: Arc<Actors>, mut notices: UnboundedReceiver<Notice>, wake: Arc<Notify>) {
    while let Some(notice) = notices.recv().await {
        match notice {
            Notice::Event(DomainEvent { domain, event, heard }) => {
                actors.look(domain, Some(Heard { event, at: heard }));
            }
            Notice::Up => {
                tracing::info!("libvirt is reached");
                // What guests run on is found out now, not by the first create: libvirt takes seconds to look at QEMU.
                let world = Arc::clone(actors.world());
                tokio::task::spawn_blocking(move || world.host().map(drop));
                wake.notify_one();
            }
            Notice::Down { reason } => tracing::warn!(%reason, "libvirt is away"),
        }
    }
}

/// Reconciles when woken and now and then.
async fn keep_reconciled(world: Arc<World>, actors: Arc<Actors>, wake: Arc<Notify>) {
    loop {
        let _ = tokio::time::timeout(world.settings().reconcile_every, wake.notified()).await;
        let begun = std::time::Instant::now();
        let done = async {
            actors.run_the_stranded().await?;
            reconcile::reconcile(&world, &actors).await.map(drop)
        };
        match done.await {
            Ok(()) => {
                world.metrics.reconciled(begun.elapsed(), true);
                world.reconciled.store(true, Ordering::Relaxed);
                tracing::debug!(took = ?begun.elapsed(), "reconciled");
            }
            Err(error) => {
                world.metrics.reconciled(begun.elapsed(), false);
                tracing::warn!(%error, "not reconciled; the next round tries again");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

/// Runs something blocking on the blocking pool. It may have an effect on the host, so a request that is only tried must
/// not come here.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, EngineError> + Send + 'static,
) -> Result<T, EngineError> {
    if Dry::is_on() {
        return Err(EngineError::Internal("a dry run with an effect".to_owned()));
    }
    looking(work).await
}

/// Runs something blocking on the blocking pool that looks at the host, and leaves all as it is.
pub(crate) async fn looking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, EngineError> + Send + 'static,
) -> Result<T, EngineError> {
    tokio::task::spawn_blocking(Dry::carried_blocking(work))
        .await
        .map_err(|panic| EngineError::Internal(panic.to_string()))?
}
