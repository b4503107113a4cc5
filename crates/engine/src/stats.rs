//! What instances use, all of them at one moment: from the records, one call to libvirt, and one look into each VPC's
//! namespace.
//!
//! ```text
//!   instance_lines, port_lines (store) ┐
//!   stats      (libvirt, one call)     ├─▶ Sample, for a second ─▶ /metrics, /v1/stats
//!   counters   (a VPC, its taps)       ┘
//! ```
//!
//! A libvirt that is away or slow costs the guests' numbers, and nothing else of the sample.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use berth_hypervisor::GuestStats;
use berth_model::{InstanceId, PortId};
use berth_network::{Counters, NetworkError};
use berth_store::{InstanceLine, PortLine, StoreError};
use jiff::Timestamp;

use crate::world::World;
use crate::{Engine, EngineError};

/// How long libvirt may take for the numbers of all guests: less than Prometheus waits for an answer.
const WITHIN: Duration = Duration::from_secs(5);

/// What instances use.
#[derive(Debug, Clone)]
pub struct Sample {
    /// When libvirt was asked.
    pub at: Timestamp,
    /// Why there are no numbers of guests, when libvirt didn't give them.
    pub libvirt_fault: Option<String>,
    /// Every instance, oldest first.
    pub instances: Vec<InstanceStats>,
}

/// What an instance uses.
#[derive(Debug, Clone)]
pub struct InstanceStats {
    /// The instance.
    pub instance: InstanceLine,
    /// What its guest uses, if it runs.
    pub guest: Option<GuestStats>,
    /// What has passed through its NICs that are plugged in, in their order.
    pub nics: Vec<NicStats>,
}

/// What has passed through a NIC.
#[derive(Debug, Clone)]
pub struct NicStats {
    /// Its port.
    pub port: PortId,
    /// Its place among the NICs of the instance; 0 is the primary one.
    pub slot: u32,
    /// What has passed, as the guest sees it.
    pub counters: Counters,
}

impl Engine {
    /// What instances use, at most a second old.
    pub async fn sample(&self) -> Result<Arc<Sample>, EngineError> {
        let world = Arc::clone(&self.world);
        let found = self.world.samples.get(async move { take(&world).await }).await?;
        match found.as_ref() {
            Ok(sample) => Ok(Arc::clone(sample)),
            Err(why) => Err(EngineError::NotMeasured(why.clone())),
        }
    }
}

async fn take(world: &Arc<World>) -> Result<Arc<Sample>, String> {
    let failed = |error: StoreError| error.to_string();
    // libvirt first: an instance that came meanwhile has no numbers yet, and one that went isn't told.
    let measured = {
        let world = Arc::clone(world);
        let at = Timestamp::now();
        tokio::task::spawn_blocking(move || (at, world.hypervisor.stats(WITHIN)))
            .await
            .map_err(|panic| panic.to_string())?
    };
    let (at, guests) = measured;
    let lines = world.store.instance_lines().await.map_err(failed)?;
    let ports = world.store.port_lines().await.map_err(failed)?;
    let other = Arc::clone(world);
    let nics = tokio::task::spawn_blocking(move || nics(&other, &ports)).await;
    let mut nics = nics.map_err(|panic| panic.to_string())?;
    let (mut guests, libvirt_fault) = match guests {
        Ok(guests) => (guests, None),
        Err(error) => (HashMap::new(), Some(error.to_string())),
    };
    let stats = |instance: InstanceLine| InstanceStats {
        guest: guests.remove(&instance.id),
        nics: nics.remove(&instance.id).unwrap_or_default(),
        instance,
    };
    Ok(Arc::new(Sample {
        at,
        libvirt_fault,
        instances: lines.into_iter().map(stats).collect(),
    }))
}

/// The counters of all NICs that are plugged in, by instance; `ports` are in the order of their VPCs. Blocking.
fn nics(world: &World, ports: &[PortLine]) -> HashMap<InstanceId, Vec<NicStats>> {
    let mut all: HashMap<InstanceId, Vec<NicStats>> = HashMap::new();
    for of_vpc in ports.chunk_by(|one, next| one.vpc_index == next.vpc_index) {
        let Some(vpc_index) = of_vpc.first().map(|port| port.vpc_index) else {
            continue;
        };
        let ids: Vec<_> = of_vpc.iter().map(|port| port.id).collect();
        let counted: HashMap<PortId, Counters> = match world.network.counters(vpc_index, &ids) {
            Ok(counted) => counted.into_iter().collect(),
            // Nobody in it runs.
            Err(NetworkError::NoNamespace(_)) => continue,
            Err(error) => {
                tracing::warn!(vpc_index, %error, "the counters of a VPC's NICs can't be read");
                continue;
            }
        };
        for port in of_vpc {
            if let Some(counters) = counted.get(&port.id) {
                let nic = NicStats {
                    port: port.id,
                    slot: port.slot,
                    counters: *counters,
                };
                all.entry(port.instance).or_default().push(nic);
            }
        }
    }
    for nics in all.values_mut() {
        nics.sort_by_key(|nic| nic.slot);
    }
    all
}
