//! Ports: made apart or with an instance, given to one while it runs, taken back.

use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;

use berth_model::{InstanceId, LabelPatch, Labels, Mac, Name, PortId, VpcId};
use berth_network::Counters;
use berth_store::{ChangePort, InstanceRecord, ListBy, Listed, NewPort, PortFilter, PortRecord, StoreError, VpcRecord};

use crate::instance::to_its_end;
use crate::network::{Change, hostname, publics_of};
use crate::{Engine, EngineError, blocking};

/// A port that is asked for.
#[derive(Debug, Clone)]
pub struct CreatePort {
    /// Its name.
    pub name: Option<Name>,
    /// Its subnet.
    pub subnet: String,
    /// Its address; a free one if not given.
    pub address: Option<Ipv4Addr>,
    /// Its MAC; one of our own if not given.
    pub mac: Option<Mac>,
    /// The groups it is in, by name or id; the default one if there are none.
    pub groups: Vec<String>,
    /// Addresses besides its own that its guest may use.
    pub pairs: Vec<Ipv4Addr>,
    /// Its labels.
    pub labels: Labels,
}

/// What is to be changed of a port: only what is given.
#[derive(Debug, Clone, Default)]
pub struct PortChange {
    /// Its name.
    pub name: Option<Name>,
    /// The groups it is in, by name or id.
    pub groups: Option<Vec<String>>,
    /// Addresses besides its own that its guest may use.
    pub pairs: Option<Vec<Ipv4Addr>>,
    /// Whether it goes when its instance does.
    pub delete_on_termination: Option<bool>,
    /// What changes of its labels.
    pub labels: LabelPatch,
}

/// A port with what is told of it.
#[derive(Debug, Clone)]
pub struct PortDetail {
    /// The port.
    pub port: PortRecord,
    /// Its subnet's name.
    pub subnet: Name,
    /// Its name in its VPC's DNS.
    pub hostname: String,
    /// Its instance's name.
    pub instance: Option<Name>,
    /// The names of the groups it is in.
    pub groups: Vec<Name>,
    /// Its public IP.
    pub public: Option<Ipv4Addr>,
}

impl Engine {
    /// The port of that name or id.
    pub async fn find_port(&self, project: &str, reference: &str) -> Result<PortRecord, EngineError> {
        Ok(self.world.store.find_port(project, reference).await?)
    }

    /// A page of a project's ports.
    pub async fn list_ports(
        &self,
        project: &str,
        filter: PortFilter,
        by: &ListBy,
    ) -> Result<Listed<PortDetail>, EngineError> {
        let mut listed = self.world.store.list_ports(project, filter, by).await?;
        let ports = std::mem::take(&mut listed.items);
        Ok(listed.with(self.describe_ports(ports).await?))
    }

    /// Ports with what is told of them: a few queries, however many there are.
    pub async fn describe_ports(&self, ports: Vec<PortRecord>) -> Result<Vec<PortDetail>, EngineError> {
        let store = &self.world.store;
        let ids: HashSet<VpcId> = ports.iter().map(|port| port.vpc).collect();
        let vpcs = store.vpcs_by_id(&ids.into_iter().collect::<Vec<_>>()).await?;
        let vpcs: HashMap<VpcId, VpcRecord> = vpcs.into_iter().map(|vpc| (vpc.id, vpc)).collect();
        let instances: Vec<InstanceId> = ports.iter().filter_map(|port| port.instance).collect();
        let owners = store.types_of_instances(&instances).await?;
        let publics = publics_of(&self.world, &ports).await?;
        let detail = |port: PortRecord| {
            let vpc = vpcs.get(&port.vpc)?;
            let instance = port
                .instance
                .and_then(|id| owners.get(&id))
                .map(|owner| owner.0.clone());
            let groups = vpc.groups.iter().filter(|group| port.groups.contains(&group.id));
            Some(PortDetail {
                subnet: vpc.subnets.iter().find(|subnet| subnet.id == port.subnet)?.name.clone(),
                hostname: hostname(&port, instance.as_ref()),
                groups: groups.map(|group| group.name.clone()).collect(),
                public: publics.get(&port.id).map(|public| public.address),
                instance,
                port,
            })
        };
        Ok(ports.into_iter().filter_map(detail).collect())
    }

    /// A port with what is told of it.
    pub async fn describe_port(&self, port: PortRecord) -> Result<PortDetail, EngineError> {
        let id = port.id;
        let found = self.describe_ports(vec![port]).await?.pop();
        Ok(found.ok_or_else(|| StoreError::NotFound {
            what: "port",
            reference: id.to_string(),
        })?)
    }

    /// What a port's guest has sent and received since it was plugged in; none if it isn't.
    pub async fn port_counters(&self, port: &PortRecord) -> Result<Option<Counters>, EngineError> {
        let Some(vpc) = self.world.store.vpc(port.vpc).await? else {
            return Ok(None);
        };
        let (network, id) = (self.world.network.clone(), port.id);
        blocking(move || {
            // One whose namespace isn't there has none.
            let counted = network.counters(vpc.index, &[id]).unwrap_or_default();
            Ok(counted.into_iter().next().map(|(_, counters)| counters))
        })
        .await
    }

    /// Makes a port that no instance has.
    pub async fn create_port(&self, project: &str, new: CreatePort) -> Result<PortRecord, EngineError> {
        let subnet = self.find_subnet(project, &new.subnet, None).await?;
        let groups = match new.groups.as_slice() {
            [] => None,
            named => Some(self.groups_of(project, named, subnet.vpc).await?),
        };
        let new = NewPort {
            id: PortId::new(),
            project: project.to_owned(),
            name: new.name,
            subnet: subnet.id,
            mac: new.mac.unwrap_or_else(Mac::random),
            address: new.address,
            groups,
            pairs: new.pairs,
            labels: new.labels,
        };
        Ok(self.world.store.create_port(new).await?)
    }

    /// Changes what is given of a port. It is in force when this is done.
    pub async fn change_port(&self, port: &PortRecord, change: PortChange) -> Result<PortRecord, EngineError> {
        let groups = match &change.groups {
            Some(named) => Some(self.groups_of(&port.project, named, port.vpc).await?),
            None => None,
        };
        let change = ChangePort {
            name: change.name,
            groups,
            pairs: change.pairs,
            delete_on_termination: change.delete_on_termination,
            labels: change.labels,
        };
        let (engine, id) = (self.clone(), port.id);
        to_its_end(async move {
            let port = engine.world.store.change_port(id, change).await?;
            engine.in_force(port.vpc, Change::Port(id)).await?;
            Ok(port)
        })
        .await
    }

    /// Deletes a port that no instance has.
    pub async fn delete_port(&self, id: PortId) -> Result<(), EngineError> {
        Ok(self.world.store.delete_port(id).await.map(drop)?)
    }

    /// Attaches a port to an instance that is Active, whose guest sees the NIC come, or Stopped.
    pub async fn attach_port(
        &self,
        port: &PortRecord,
        instance: &InstanceRecord,
        delete_on_termination: bool,
    ) -> Result<(), EngineError> {
        self.reachable().await?;
        let (engine, id, instance) = (self.clone(), port.id, instance.id);
        to_its_end(async move {
            let store = &engine.world.store;
            store.begin_attach_port(id, instance, delete_on_termination).await?;
            engine.actors.nics(instance).await
        })
        .await
    }

    /// Detaches a port once the guest lets go of the NIC. One that doesn't in time keeps it.
    pub async fn detach_port(&self, id: PortId) -> Result<(), EngineError> {
        self.reachable().await?;
        let engine = self.clone();
        to_its_end(async move {
            let port = engine.world.store.begin_detach_port(id).await?;
            match port.instance {
                Some(instance) => engine.actors.nics(instance).await,
                None => Ok(()),
            }
        })
        .await
    }
}
