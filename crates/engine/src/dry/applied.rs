//! What is applied to the host for what a request touches: the definitions of guests, and what nft is told of VPCs.
//!
//! ```text
//!   events, operations ─▶ Touched ─▶ records now  ─▶ Applied ┐
//!                            └─────▶ records then ─▶ Applied ┴─▶ diffs
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use berth_model::{Action, InstanceId, VolumeAction, VpcId, Work};
use berth_network::Port;
use berth_store::{EventRecord, OperationRecord, PortRecord, Store, StoreError, VpcRecord};

use crate::context::Subject;
use crate::network::ports_of;
use crate::world::World;

/// What a request touches.
#[derive(Debug, Default)]
pub(super) struct Touched {
    /// The instances whose guests would be defined anew, or be gone.
    pub(super) guests: BTreeSet<InstanceId>,
    vpcs: BTreeSet<VpcId>,
}

/// What stands behind what is applied.
#[derive(Default)]
pub(super) struct Applied {
    pub(super) guests: BTreeMap<InstanceId, Subject>,
    pub(super) vpcs: BTreeMap<VpcId, (VpcRecord, Vec<Port>)>,
}

impl Touched {
    /// Finds out what these are about, by the records of the moment: what is made is found then, what goes now.
    pub(super) async fn find(
        &mut self,
        store: &Store,
        operations: &[OperationRecord],
        events: &[EventRecord],
    ) -> Result<(), StoreError> {
        for operation in operations {
            match operation.work {
                Work::Instance(position) if defines(position.action()) => {
                    self.guests.extend(id::<InstanceId>(&operation.subject));
                }
                Work::Volume(VolumeAction::Attach | VolumeAction::Detach, _) => {
                    if let Some(id) = id(&operation.subject)
                        && let Some(volume) = store.volume(id).await?
                    {
                        self.guests.extend(volume.instance);
                    }
                }
                Work::Instance(_) | Work::Volume(..) | Work::Image(_) => {}
            }
        }
        for event in events {
            self.find_of(store, event).await?;
        }
        Ok(())
    }

    async fn find_of(&mut self, store: &Store, event: &EventRecord) -> Result<(), StoreError> {
        let about = event.resource.as_str();
        match event.kind.split('.').next().unwrap_or_default() {
            "instance" => {
                if let Some(id) = id(about) {
                    let ports = store.ports_of_instance(id).await?;
                    self.vpcs.extend(ports.iter().map(|port| port.vpc));
                }
            }
            "port" => {
                if let Some(id) = id(about) {
                    let port = store.port(id).await?;
                    self.port(port, event.kind == "port.state");
                }
            }
            "public_ip" => {
                let public = match store.find_public_ip(&event.project, about).await {
                    Err(StoreError::NotFound { .. }) => return Ok(()),
                    found => found?,
                };
                if let Some(id) = public.port {
                    let port = store.port(id).await?;
                    self.port(port, false);
                }
            }
            "security_group" => match store.find_group(&event.project, about, None).await {
                Err(StoreError::NotFound { .. }) => {}
                found => drop(self.vpcs.insert(found?.vpc)),
            },
            "subnet" => {
                if let Some(id) = id(about) {
                    self.vpcs.extend(store.subnet(id).await?.map(|subnet| subnet.vpc));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn port(&mut self, port: Option<PortRecord>, moves: bool) {
        let Some(port) = port else { return };
        self.vpcs.insert(port.vpc);
        if moves {
            self.guests.extend(port.instance);
        }
    }
}

/// Whether a guest is defined anew by that action, or is gone with it.
fn defines(action: Action) -> bool {
    match action {
        Action::Create
        | Action::Start
        | Action::HardReboot
        | Action::Shelve
        | Action::Unshelve
        | Action::Resize
        | Action::ConfirmResize
        | Action::RevertResize
        | Action::Delete => true,
        Action::Stop | Action::SoftReboot => false,
    }
}

fn id<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

impl Applied {
    /// Reads what is touched, by the records of the moment.
    pub(super) async fn read(world: &World, touched: &Touched) -> Result<Self, StoreError> {
        let mut applied = Self::default();
        for id in &touched.guests {
            match Subject::load(&world.store, *id).await {
                Err(StoreError::NotFound { .. }) => {}
                found => drop(applied.guests.insert(*id, found?)),
            }
        }
        for id in &touched.vpcs {
            if let Some(record) = world.store.vpc(*id).await? {
                let served = world.store.served_ports_of_vpc(*id).await?;
                let ports = ports_of(world, &served).await?;
                applied.vpcs.insert(*id, (record, ports));
            }
        }
        Ok(applied)
    }
}
