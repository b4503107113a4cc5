//! Public IPs: allocated, attached, moved, detached, released; in force, or out of it, when that is answered.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use berth_model::{InstanceId, Labels, Name, PortId, PublicIpId, PublicIpPool};
use berth_store::{
    InstanceRecord, ListBy, Listed, PortRecord, PublicIpFilter, PublicIpOfNew, PublicIpRecord, StoreError,
};

use crate::instance::to_its_end;
use crate::network::Change;
use crate::{Engine, EngineError};

/// A public IP with what is told of it.
#[derive(Debug, Clone)]
pub struct PublicIpDetail {
    /// The public IP.
    pub public: PublicIpRecord,
    /// The port that has it.
    pub port: Option<PortRecord>,
    /// That port's instance.
    pub instance: Option<(InstanceId, Name)>,
}

/// A pool with how much of it is free.
#[derive(Debug, Clone)]
pub struct PoolDetail {
    /// The pool.
    pub pool: PublicIpPool,
    /// How many addresses it has.
    pub addresses: u64,
    /// How many of them nobody has.
    pub free: u64,
}

/// The public IP that a new instance is to have.
#[derive(Debug, Clone, Default)]
pub struct WantedPublicIp {
    /// A static one of the project.
    pub address: Option<Ipv4Addr>,
    /// The pool of an ephemeral one.
    pub pool: Option<String>,
}

impl Engine {
    /// The pool of that name; all without a name.
    fn pools(&self, name: Option<&str>) -> Result<Vec<PublicIpPool>, EngineError> {
        let all = &self.settings().pools;
        let Some(name) = name else { return Ok(all.clone()) };
        let found = all.iter().find(|pool| pool.name == name);
        let found = found.ok_or_else(|| StoreError::NotFound {
            what: "pool of public IPs",
            reference: name.to_owned(),
        })?;
        Ok(vec![found.clone()])
    }

    /// The pools, with how much of each is free.
    pub async fn public_ip_pools(&self) -> Result<Vec<PoolDetail>, EngineError> {
        let taken = self.world.store.public_ips_per_pool().await?;
        let taken: HashMap<String, u32> = taken.into_iter().collect();
        let detail = |pool: &PublicIpPool| {
            let addresses = u64::from(pool.count());
            PoolDetail {
                pool: pool.clone(),
                addresses,
                free: addresses.saturating_sub(u64::from(taken.get(&pool.name).copied().unwrap_or_default())),
            }
        };
        Ok(self.settings().pools.iter().map(detail).collect())
    }

    /// The public IP of that address or id.
    pub async fn find_public_ip(&self, project: &str, reference: &str) -> Result<PublicIpRecord, EngineError> {
        Ok(self.world.store.find_public_ip(project, reference).await?)
    }

    /// A page of a project's public IPs.
    pub async fn list_public_ips(
        &self,
        project: &str,
        filter: &PublicIpFilter,
        by: &ListBy,
    ) -> Result<Listed<PublicIpDetail>, EngineError> {
        let mut listed = self.world.store.list_public_ips(project, filter, by).await?;
        let publics = std::mem::take(&mut listed.items);
        Ok(listed.with(self.describe_public_ips(publics).await?))
    }

    /// A public IP with what is told of it.
    pub async fn describe_public_ip(&self, public: PublicIpRecord) -> Result<PublicIpDetail, EngineError> {
        let detail = self.describe_public_ips(vec![public]).await?.pop();
        detail.ok_or_else(|| EngineError::Internal("a description without a public IP".to_owned()))
    }

    /// Public IPs with what is told of them: two queries, however many there are.
    async fn describe_public_ips(&self, publics: Vec<PublicIpRecord>) -> Result<Vec<PublicIpDetail>, EngineError> {
        let store = &self.world.store;
        let ports: Vec<PortId> = publics.iter().filter_map(|public| public.port).collect();
        let ports = store.ports_by_id(&ports).await?;
        let instances: Vec<InstanceId> = ports.iter().filter_map(|port| port.instance).collect();
        let names = store.types_of_instances(&instances).await?;
        let ports: HashMap<PortId, PortRecord> = ports.into_iter().map(|port| (port.id, port)).collect();
        let detail = |public: PublicIpRecord| {
            let port = public.port.and_then(|id| ports.get(&id)).cloned();
            let instance = port.as_ref().and_then(|port| port.instance);
            let instance = instance.and_then(|id| Some((id, names.get(&id)?.0.clone())));
            PublicIpDetail { public, port, instance }
        };
        Ok(publics.into_iter().map(detail).collect())
    }

    /// Allocates a static public IP: that one, or a free one of that pool, or of any.
    pub async fn allocate_public_ip(
        &self,
        project: &str,
        pool: Option<&str>,
        address: Option<Ipv4Addr>,
        labels: &Labels,
    ) -> Result<PublicIpRecord, EngineError> {
        let pools = self.pools(pool)?;
        let store = &self.world.store;
        Ok(store.allocate_public_ip(project, &pools, address, labels).await?)
    }

    /// Gives a port an ephemeral public IP of that pool, or of any.
    pub async fn give_public_ip(
        &self,
        port: &PortRecord,
        pool: Option<&str>,
        labels: Labels,
    ) -> Result<PublicIpRecord, EngineError> {
        let (engine, pools, port) = (self.clone(), self.pools(pool)?, port.clone());
        to_its_end(async move {
            let public = engine.world.store.give_public_ip(port.id, &pools, &labels).await?;
            engine.in_force(port.vpc, Change::Port(port.id)).await?;
            Ok(public)
        })
        .await
    }

    /// Attaches a static public IP to a port; with `moves` it is taken from the one that has it.
    pub async fn attach_public_ip(
        &self,
        public: PublicIpId,
        port: &PortRecord,
        moves: bool,
    ) -> Result<PublicIpRecord, EngineError> {
        let (engine, port) = (self.clone(), port.clone());
        to_its_end(async move {
            let (public, from) = engine.world.store.attach_public_ip(public, port.id, moves).await?;
            if let Some(from) = from {
                engine.port_in_force(from).await?;
            }
            engine.in_force(port.vpc, Change::Port(port.id)).await?;
            Ok(public)
        })
        .await
    }

    /// Takes a public IP from its port; an ephemeral one is back in its pool.
    pub async fn detach_public_ip(&self, public: &PublicIpRecord) -> Result<PublicIpRecord, EngineError> {
        let (engine, id, from) = (self.clone(), public.id, public.port);
        to_its_end(async move {
            let public = engine.world.store.detach_public_ip(id).await?;
            if let Some(from) = from {
                engine.port_in_force(from).await?;
            }
            Ok(public)
        })
        .await
    }

    /// Gives a static public IP that no port has back to its pool.
    pub async fn release_public_ip(&self, id: PublicIpId) -> Result<(), EngineError> {
        Ok(self.world.store.release_public_ip(id).await?)
    }

    async fn port_in_force(&self, id: PortId) -> Result<(), EngineError> {
        match self.world.store.port(id).await? {
            Some(port) => self.in_force(port.vpc, Change::Port(id)).await,
            None => Ok(()),
        }
    }

    /// The primary port of an instance.
    pub async fn primary_port(&self, instance: &InstanceRecord) -> Result<PortRecord, EngineError> {
        let ports = self.world.store.ports_of_instance(instance.id).await?;
        let first = ports.into_iter().next();
        Ok(first.ok_or_else(|| StoreError::NotFound {
            what: "port of instance",
            reference: instance.name.to_string(),
        })?)
    }

    /// What a new instance is to have, looked up.
    pub(crate) async fn public_ip_of_new(
        &self,
        project: &str,
        wanted: &WantedPublicIp,
    ) -> Result<PublicIpOfNew, EngineError> {
        match wanted.address {
            Some(address) => {
                let found = self.find_public_ip(project, &address.to_string()).await?;
                Ok(PublicIpOfNew::Static(found.id))
            }
            None => Ok(PublicIpOfNew::Ephemeral(self.pools(wanted.pool.as_deref())?)),
        }
    }
}
