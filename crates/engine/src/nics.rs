//! NICs that come to an instance and go, also while its guest runs: by the instance's own task, between operations.
//!
//! ```text
//!   Attaching ─▶ network knows the port ─▶ plugged, if the guest runs ─▶ in the definition ─▶ In-use
//!                  └─ fails ─▶ all of that taken back ─▶ Available
//!   Detaching ─▶ the guest lets go ─▶ out of the definition ─▶ the network forgets it ─▶ Available
//!                  └─ doesn't ─▶ In-use as before
//! ```
//!
//! The record says what is under way, so after a crash the same is done again: each step makes sure of what it wants.

use std::sync::Arc;
use std::time::{Duration, Instant};

use berth_domain_xml::Nic;
use berth_hypervisor::HypervisorError;
use berth_model::{Code, InstanceId, PortId, PortState};
use berth_network::Network;
use berth_ops::{Failure, fault_point};
use berth_store::{PortRecord, VolumeRecord};

use crate::context::{OrFail, Subject, Watch};
use crate::release::Release;
use crate::wiring::{self, Held};
use crate::world::World;
use crate::{EngineError, blocking, guest};

/// How long a guest may take to let go of a NIC.
const LET_GO_WITHIN: Duration = Duration::from_secs(30);

/// Takes every port that is on its way to the instance, or from it, to where it is going. The first failure is told.
pub(crate) async fn settle_nics(world: Arc<World>, id: InstanceId, watch: Watch) -> Result<(), EngineError> {
    let ports = world.store.ports_of_instance(id).await?;
    let watch = Arc::new(watch);
    let mut told = Ok(());
    for port in ports {
        let done = match port.state {
            PortState::Attaching => attach(&world, id, port.id, &watch).await,
            PortState::Detaching => detach(&world, id, port.id, &watch).await,
            PortState::Available | PortState::InUse => continue,
        };
        told = told.and(done);
    }
    told
}

/// What is at hand for one port.
struct Work {
    world: Arc<World>,
    subject: Subject,
    port: PortRecord,
    watch: Arc<Watch>,
}

impl Work {
    async fn of(world: &Arc<World>, id: InstanceId, port: PortId, watch: &Arc<Watch>) -> Result<Self, EngineError> {
        let subject = Subject::load(&world.store, id).await?;
        let found = subject.ports.iter().find(|one| one.id == port).cloned();
        let port = found.ok_or_else(|| EngineError::Internal(format!("port {port} has left instance {id}")))?;
        Ok(Self {
            world: Arc::clone(world),
            subject,
            port,
            watch: Arc::clone(watch),
        })
    }

    fn nic(&self) -> Nic {
        guest::nic(&self.world, &self.subject, &self.port)
    }

    /// Whether a guest runs, and whether it has the NIC.
    fn live(&self) -> Result<Option<bool>, HypervisorError> {
        let nics = self.world.hypervisor.live_nics(self.subject.instance.id)?;
        let has = |nics: Vec<berth_domain_xml::ObservedNic>| nics.iter().any(|nic| nic.mac == Some(self.port.mac));
        Ok(nics.map(has))
    }

    /// Makes sure that the definition has the ports of the records, with or without this one.
    fn define(&mut self, with: bool) -> Result<(), Failure> {
        let id = self.port.id;
        self.subject.ports.retain(|port| with || port.id != id);
        let (kind, volumes) = (&self.subject.instance.instance_type, self.subject.volumes.iter());
        let volumes: Vec<&VolumeRecord> = volumes.collect();
        guest::define_with(&self.world, &self.subject, kind, &volumes)
    }

    /// Gives the port to the guest, or only to its definition.
    fn attach(&mut self) -> Result<(), Failure> {
        fault_point("port.attach begun")?;
        if let Some(plugged) = self.live().or_fail()? {
            let xml = self.nic().to_xml();
            let xml = xml.map_err(|error| Failure::fatal(Code::Internal, error))?;
            let (world, id) = (Arc::clone(&self.world), self.subject.instance.id);
            self.holding(|held| {
                held.whole()?;
                held.each(Network::ensure_port)?;
                fault_point("port.attach connected")?;
                if !plugged {
                    world.hypervisor.plug(id, xml).or_fail()?;
                }
                fault_point("port.attach plugged")?;
                held.each(Network::plug_port)
            })?;
        }
        self.define(true)?;
        fault_point("port.attach defined")
    }

    /// Takes the port from the guest, if it lets go of it, and from its definition, and has the network forget it.
    fn take(&mut self) -> Result<(), Failure> {
        fault_point("port.detach begun")?;
        self.unplug()?;
        fault_point("port.detach unplugged")?;
        self.define(false)?;
        fault_point("port.detach undefined")?;
        self.holding(|held| held.each(Network::remove_port))?;
        fault_point("port.detach forgotten")
    }

    /// Does something with this port alone, while nothing else changes its VPC.
    fn holding(&self, work: impl FnOnce(&mut Held<'_>) -> Result<(), Failure>) -> Result<(), Failure> {
        let instance = &self.subject.instance;
        let whose = (instance.id, &instance.name, &instance.instance_type);
        wiring::holding(&self.world, self.port.vpc, whose, |held| {
            held.ports.retain(|port| port.id == self.port.id);
            work(held)
        })
    }

    fn unplug(&self) -> Result<(), Failure> {
        let xml = self
            .nic()
            .to_xml()
            .map_err(|error| Failure::fatal(Code::Internal, error))?;
        let mac = self.port.mac;
        let release = Release {
            watch: &self.watch,
            deadline: Instant::now() + LET_GO_WITHIN,
            ask_again: self.world.settings().ask_again,
            late: format!(
                "the guest has not let go of the NIC {mac}: it may still be booting; ask again, or stop the instance"
            ),
            refused: format!("the guest refuses to let go of the NIC {mac}"),
        };
        let id = self.subject.instance.id;
        release.wait(
            || Ok(self.live().or_fail()? == Some(true)),
            || self.world.hypervisor.unplug(id, xml.clone()).or_fail(),
        )
    }
}

async fn attach(world: &Arc<World>, id: InstanceId, port: PortId, watch: &Arc<Watch>) -> Result<(), EngineError> {
    let mut work = Work::of(world, id, port, watch).await?;
    let attached = blocking(move || Ok(work.attach().map_err(|why| (why, work)))).await?;
    let Err((why, mut work)) = attached else {
        return Ok(world.store.port_attached(port).await?);
    };
    if is_cut_short(&why) {
        return Err(told(&why));
    }
    let message = told(&why);
    match blocking(move || Ok(work.take())).await? {
        Ok(()) => {
            world.store.port_free(port).await?;
            Err(message)
        }
        // It stays Attaching, and is tried again.
        Err(undo) => Err(EngineError::Internal(format!("{message}; taking that back: {undo:?}"))),
    }
}

async fn detach(world: &Arc<World>, id: InstanceId, port: PortId, watch: &Arc<Watch>) -> Result<(), EngineError> {
    let mut work = Work::of(world, id, port, watch).await?;
    match blocking(move || Ok(work.take())).await? {
        Ok(()) => Ok(world.store.port_free(port).await?),
        Err(why) if is_cut_short(&why) => Err(told(&why)),
        Err(why) => {
            world.store.port_kept(port).await?;
            Err(told(&why))
        }
    }
}

/// Whether the daemon goes down, or libvirt is away: what is under way is gone on with later.
fn is_cut_short(why: &Failure) -> bool {
    matches!(why, Failure::Cancelled | Failure::Away { .. })
}

fn told(why: &Failure) -> EngineError {
    let fault = why.fault();
    EngineError::Nic {
        code: fault.code,
        message: fault.message,
    }
}
