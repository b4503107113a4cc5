//! Instances: admission of what is asked of them, and what is told of them.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use berth_model::limits::STOP_GRACE_MAX;
use berth_model::{Action, InstanceId, InstanceType};
use berth_store::{
    Dry, InstanceFilter, InstanceRecord, ListBy, Listed, OperationRecord, PortRecord, Requester, StoreError,
    VolumeRecord,
};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{Engine, EngineError, looking, network};

/// How an instance is to be stopped.
#[derive(Debug, Clone, Copy, Default)]
pub struct StopRequest {
    /// Seconds the guest may take to shut down; the configured grace time if not given, at once if 0.
    pub grace_seconds: Option<u32>,
}

/// An instance with what belongs to it.
#[derive(Debug, Clone)]
pub struct Detail {
    /// The instance.
    pub instance: InstanceRecord,
    /// Its NICs, the primary one first.
    pub nics: Vec<NicDetail>,
    /// Its volumes.
    pub volumes: Vec<VolumeRecord>,
    /// Who logs in over ssh, as its image says.
    pub login: String,
    /// Until when its state is known to be so: earlier than now while libvirt is away.
    pub as_of: Timestamp,
}

/// A NIC with what is told of it.
#[derive(Debug, Clone)]
pub struct NicDetail {
    /// Its port.
    pub port: PortRecord,
    /// The name of its subnet.
    pub subnet: String,
    /// Its public IP.
    pub public: Option<Ipv4Addr>,
}

/// How long a request waits for libvirt to be reached before it is refused.
const REACHED_WITHIN: Duration = Duration::from_secs(2);

impl Engine {
    /// The instance type of that name.
    pub fn find_type(&self, name: &str) -> Result<InstanceType, EngineError> {
        let settings = self.settings();
        let found = settings.types.iter().find(|entry| entry.name == name);
        found.cloned().ok_or_else(|| {
            StoreError::NotFound {
                what: "instance type",
                reference: name.to_owned(),
            }
            .into()
        })
    }

    /// Switches an instance on.
    pub async fn start_instance(&self, id: InstanceId, by: &Requester) -> Result<OperationRecord, EngineError> {
        self.act(id, Action::Start, json!({}), by).await
    }

    /// Shuts an instance down.
    pub async fn stop_instance(
        &self,
        id: InstanceId,
        stop: StopRequest,
        by: &Requester,
    ) -> Result<OperationRecord, EngineError> {
        if let Some(seconds) = stop.grace_seconds.filter(|seconds| *seconds > STOP_GRACE_MAX) {
            let message = format!("{seconds} is not between 0 and {STOP_GRACE_MAX} seconds");
            return Err(EngineError::invalid("timeout_seconds", message));
        }
        self.act(id, Action::Stop, json!({ "grace_seconds": stop.grace_seconds }), by)
            .await
    }

    /// Reboots an instance: asks its guest, or pulls the plug.
    pub async fn reboot_instance(
        &self,
        id: InstanceId,
        hard: bool,
        by: &Requester,
    ) -> Result<OperationRecord, EngineError> {
        let action = if hard { Action::HardReboot } else { Action::SoftReboot };
        self.act(id, action, json!({}), by).await
    }

    /// Removes an instance and all that is its own, from any state; cancels the operation in flight.
    pub async fn delete_instance(&self, id: InstanceId, by: &Requester) -> Result<OperationRecord, EngineError> {
        self.act(id, Action::Delete, json!({}), by).await
    }

    /// The instance with that name or id.
    pub async fn find_instance(&self, project: &str, reference: &str) -> Result<InstanceRecord, EngineError> {
        Ok(self.world.store.find_instance(project, reference).await?)
    }

    /// An instance with what belongs to it.
    pub async fn describe_instance(&self, instance: InstanceRecord) -> Result<Detail, EngineError> {
        let mut details = self.describe(vec![instance]).await?;
        details
            .pop()
            .ok_or_else(|| EngineError::Internal("a description without an instance".to_owned()))
    }

    /// A page of a project's instances with what belongs to them: a few queries, however many there are.
    pub async fn list_instances(
        &self,
        project: &str,
        filter: &InstanceFilter,
        by: &ListBy,
    ) -> Result<Listed<Detail>, EngineError> {
        let mut listed = self.world.store.list_instances(project, filter, by).await?;
        let instances = std::mem::take(&mut listed.items);
        Ok(listed.with(self.describe(instances).await?))
    }

    async fn describe(&self, instances: Vec<InstanceRecord>) -> Result<Vec<Detail>, EngineError> {
        let store = &self.world.store;
        let ids: Vec<_> = instances.iter().map(|instance| instance.id).collect();
        let mut nics: HashMap<InstanceId, Vec<_>> = HashMap::new();
        let subnets: HashMap<_, _> = store
            .vpcs()
            .await?
            .into_iter()
            .flat_map(|vpc| {
                vpc.subnets
                    .into_iter()
                    .map(|subnet| (subnet.id, subnet.name.to_string()))
            })
            .collect();
        let all = store.ports_of_instances(&ids).await?;
        let publics = network::publics_of(&self.world, &all).await?;
        for port in all {
            let Some(instance) = port.instance else { continue };
            nics.entry(instance).or_default().push(NicDetail {
                subnet: subnets.get(&port.subnet).cloned().unwrap_or_default(),
                public: publics.get(&port.id).map(|public| public.address),
                port,
            });
        }
        let mut volumes: HashMap<InstanceId, Vec<_>> = HashMap::new();
        for volume in store.volumes_of_instances(&ids).await? {
            if let Some(instance) = volume.instance {
                volumes.entry(instance).or_default().push(volume);
            }
        }
        let mut logins: HashMap<_, _> = store.logins_of_instances(&ids).await?.into_iter().collect();
        let as_of = self.as_of();
        let detail = |instance: InstanceRecord| Detail {
            as_of,
            login: logins.remove(&instance.id).unwrap_or_default(),
            nics: nics.remove(&instance.id).unwrap_or_default(),
            volumes: volumes.remove(&instance.id).unwrap_or_default(),
            instance,
        };
        Ok(instances.into_iter().map(detail).collect())
    }

    /// Claims an instance for an action and sets it going.
    pub(crate) async fn act(
        &self,
        id: InstanceId,
        action: Action,
        params: Value,
        by: &Requester,
    ) -> Result<OperationRecord, EngineError> {
        self.reachable().await?;
        let (engine, by) = (self.clone(), by.clone());
        to_its_end(async move {
            let claim = engine.world.store.claim(id, action, params, &by).await;
            let claim = claim.map_err(|error| EngineError::of_claim(action, error))?;
            let operation = claim.operation();
            engine.actors.run(claim);
            engine.operation(operation).await
        })
        .await
    }

    /// Refuses what needs libvirt while it is away, before anything is written.
    pub(crate) async fn reachable(&self) -> Result<(), EngineError> {
        let hypervisor = self.world.hypervisor.clone();
        looking(move || Ok(hypervisor.wait_up(REACHED_WITHIN)?)).await
    }
}

/// Does it in a task of its own: a client that goes away must not leave a claim that nobody runs.
pub(crate) async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, EngineError>> + Send + 'static,
) -> Result<T, EngineError> {
    tokio::spawn(Dry::carried(work))
        .await
        .map_err(|panic| EngineError::Internal(panic.to_string()))?
}
