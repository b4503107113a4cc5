//! The host as it is told.

use berth_hypervisor::Link;
use berth_model::{Gib, OwnerId};
use berth_storage::Space;
use jiff::Timestamp;

use crate::world::Host;
use crate::{Engine, EngineError, blocking};

/// The host, its hypervisor and its room.
#[derive(Debug, Clone)]
pub struct HostStatus {
    /// The id of this installation.
    pub owner: OwnerId,
    /// Whether libvirt is reached.
    pub link: Link,
    /// What libvirt said of the host; absent until it was reached first.
    pub host: Option<Host>,
    /// Room on the state directory's file system.
    pub space: Space,
    /// How much all volumes may hold together.
    pub promised: Gib,
    /// How much may be promised.
    pub promise_max: Gib,
    /// Whether volumes bypass the host's page cache.
    pub direct_io: bool,
    /// `sqlite` or `postgres`.
    pub database: &'static str,
    /// How many instances there are.
    pub instances: u64,
}

impl Engine {
    /// Until when what is told of guests is known to be so: this moment, or the one when libvirt was heard of last.
    pub fn as_of(&self) -> Timestamp {
        let now = Timestamp::now();
        match self.world.hypervisor.link() {
            Link::Up => now,
            Link::Down { since, .. } => Timestamp::try_from(since).unwrap_or(now),
        }
    }

    /// The host as it is now. Answers without libvirt too.
    pub async fn host(&self) -> Result<HostStatus, EngineError> {
        let instances = self.world.store.count_instances().await?;
        let promised = self.world.store.promised().await?;
        let world = std::sync::Arc::clone(&self.world);
        blocking(move || {
            let link = world.hypervisor.link();
            let host = match link {
                Link::Up => world.host().ok().cloned(),
                Link::Down { .. } => None,
            };
            let space = world.storage.space()?;
            Ok(HostStatus {
                owner: world.owner,
                link,
                host,
                promised,
                promise_max: crate::space::promise(world.settings().disk_overcommit, space.total),
                space,
                direct_io: world.storage.direct_io(),
                database: world.store.kind(),
                instances,
            })
        })
        .await
    }
}
