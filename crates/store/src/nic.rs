//! Ports and the instances that have them: given at create, hot, taken away, left behind.
//!
//! ```text
//!   create ────────────────────────▶ In-use        made with the instance, or taken
//!   begin_attach ─▶ Attaching ─▶ attached ─▶ In-use
//!   In-use ─ begin_detach ─▶ Detaching ─▶ detached ─▶ Available
//! ```
//!
//! The record says first what is to be; the instance's own task makes it so, and again after a crash.

use berth_model::{InstanceId, Mac, PortId, PortState, SecurityGroupId, Stable, SubnetId, VpcId};

use crate::port::{self, PortRecord, load, remove, tell, update};
use crate::public_ip;
use crate::row::{Columns as _, sql};
use crate::transition::Held;
use crate::tx::Tx;
use crate::{Store, StoreError};

/// A NIC that an instance is made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NicOfNew {
    /// Its port is made.
    New {
        /// The port's id.
        id: PortId,
        /// Its MAC.
        mac: Mac,
        /// Its VPC.
        vpc: VpcId,
        /// Its subnet.
        subnet: SubnetId,
        /// Its address; the lowest free one if not given.
        address: Option<std::net::Ipv4Addr>,
        /// The security groups it is in; the default one if not given.
        groups: Option<Vec<SecurityGroupId>>,
    },
    /// Its port is there, and free.
    Existing(PortId),
}

/// Gives a free port to an instance.
pub(crate) async fn take(tx: &mut Tx, id: PortId, instance: InstanceId, slot: u32) -> Result<PortRecord, StoreError> {
    let mut port = load(tx, id).await?;
    free(&port)?;
    (port.instance, port.slot, port.state) = (Some(instance), slot, PortState::InUse);
    update(tx, &port).await?;
    tell(tx, &port).await?;
    Ok(port)
}

fn free(port: &PortRecord) -> Result<(), StoreError> {
    if port.state == PortState::Available {
        return Ok(());
    }
    let message = format!("port {} is {}: detach it first", port.called(), port.state);
    Err(StoreError::PortRefused(message))
}

/// A create failed: the ports that were there before are free again. What is older was not made with it.
pub(crate) async fn not_created(tx: &mut Tx, instance: InstanceId) -> Result<(), StoreError> {
    let older = sql("SELECT * FROM ports WHERE instance = $1 \
                     AND created_at <> (SELECT created_at FROM instances i WHERE i.id = $1)");
    for row in tx.all(older.bind(instance.to_string())).await? {
        set_free(tx, PortRecord::read(&row)?).await?;
    }
    Ok(())
}

/// An instance is gone: so are the ports that go with it, the others are free.
pub(crate) async fn leave(tx: &mut Tx, instance: InstanceId) -> Result<(), StoreError> {
    let ports = sql("SELECT * FROM ports WHERE instance = $1").bind(instance.to_string());
    for row in tx.all(ports).await? {
        let port = PortRecord::read(&row)?;
        if port.delete_on_termination {
            remove(tx, &port).await?;
        } else {
            set_free(tx, port).await?;
        }
    }
    Ok(())
}

async fn set_free(tx: &mut Tx, mut port: PortRecord) -> Result<(), StoreError> {
    public_ip::return_ephemeral(tx, port.id).await?;
    (port.instance, port.slot, port.state) = (None, 0, PortState::Available);
    port.delete_on_termination = false;
    update(tx, &port).await?;
    tell(tx, &port).await
}

/// An instance is off, or shelved: its ephemeral public IPs go back to their pools.
pub(crate) async fn return_ephemeral(tx: &mut Tx, instance: InstanceId) -> Result<(), StoreError> {
    let ports = sql("SELECT id FROM ports WHERE instance = $1").bind(instance.to_string());
    for row in tx.all(ports).await? {
        public_ip::return_ephemeral(tx, row.parsed("id")?).await?;
    }
    Ok(())
}

impl Store {
    /// Begins to attach a free port to an instance that is Active or Stopped and has room for it: it is Attaching.
    pub async fn begin_attach_port(
        &self,
        id: PortId,
        instance: InstanceId,
        delete_on_termination: bool,
    ) -> Result<PortRecord, StoreError> {
        let mut tx = self.begin().await?;
        let mut port = load(&mut tx, id).await?;
        free(&port)?;
        let held = at_rest(&mut tx, instance).await?;
        let mut ports = Vec::new();
        let query = sql("SELECT * FROM ports WHERE instance = $1").bind(instance.to_string());
        for row in tx.all(query).await? {
            ports.push(PortRecord::read(&row)?);
        }
        let (kind, name) = (&held.record.instance_type, &held.record.name);
        let is_free = |slot: &u32| ports.iter().all(|other| other.slot != *slot);
        let Some(slot) = (0..kind.nics).find(is_free) else {
            let message = format!(
                "instance '{name}' has as many NICs as type {} may have ({}): detach one, or resize it",
                kind.name, kind.nics
            );
            return Err(StoreError::PortRefused(message));
        };
        if let Some(other) = ports.iter().find(|other| other.vpc != port.vpc) {
            let message = format!(
                "port {} is of another VPC than the ports of instance '{name}', such as {}",
                port.called(),
                other.address
            );
            return Err(StoreError::PortRefused(message));
        }
        (port.instance, port.slot, port.state) = (Some(instance), slot, PortState::Attaching);
        port.delete_on_termination = delete_on_termination;
        update(&mut tx, &port).await?;
        tell(&mut tx, &port).await?;
        tx.commit().await?;
        Ok(port)
    }

    /// Begins to detach a port from its instance: it is Detaching. Not the primary one.
    pub async fn begin_detach_port(&self, id: PortId) -> Result<PortRecord, StoreError> {
        let mut tx = self.begin().await?;
        let mut port = load(&mut tx, id).await?;
        let (PortState::InUse, Some(instance)) = (port.state, port.instance) else {
            let message = format!(
                "port {} is {}: only one that is In-use is detached",
                port.called(),
                port.state
            );
            return Err(StoreError::PortRefused(message));
        };
        if port.slot == 0 {
            let message = format!(
                "port {} is the primary NIC of its instance, which keeps it",
                port.called()
            );
            return Err(StoreError::PortRefused(message));
        }
        at_rest(&mut tx, instance).await?;
        port.state = PortState::Detaching;
        update(&mut tx, &port).await?;
        tell(&mut tx, &port).await?;
        tx.commit().await?;
        Ok(port)
    }

    /// A port that was Attaching is In-use. One that isn't Attaching any more is left as it is.
    pub async fn port_attached(&self, id: PortId) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let mut port = load(&mut tx, id).await?;
        if port.state == PortState::Attaching {
            port.state = PortState::InUse;
            update(&mut tx, &port).await?;
            tell(&mut tx, &port).await?;
        }
        tx.commit().await
    }

    /// A port that was Attaching or Detaching is Available. One that is neither any more is left as it is.
    pub async fn port_free(&self, id: PortId) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let port = load(&mut tx, id).await?;
        if matches!(port.state, PortState::Attaching | PortState::Detaching) {
            set_free(&mut tx, port).await?;
        }
        tx.commit().await
    }

    /// A port that was Detaching is In-use again: its guest keeps it.
    pub async fn port_kept(&self, id: PortId) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let mut port = load(&mut tx, id).await?;
        if port.state == PortState::Detaching {
            port.state = PortState::InUse;
            update(&mut tx, &port).await?;
            tell(&mut tx, &port).await?;
        }
        tx.commit().await
    }

    /// The ports that are on their way to an instance or from it.
    pub async fn ports_under_way(&self) -> Result<Vec<PortRecord>, StoreError> {
        let query = sql("SELECT * FROM ports WHERE state IN ($1, $2) ORDER BY id")
            .bind(PortState::Attaching.as_str())
            .bind(PortState::Detaching.as_str());
        self.list(query, port::PortRecord::read).await
    }
}

/// An instance that is Active or Stopped, with nothing in flight.
async fn at_rest(tx: &mut Tx, instance: InstanceId) -> Result<Held, StoreError> {
    let held = Held::load(tx, instance).await?;
    let held = held.ok_or_else(|| StoreError::not_found("instance", &instance))?;
    let resting = held.record.operation.is_none();
    if resting && matches!(held.stable(), Some(Stable::Active | Stable::Stopped)) {
        return Ok(held);
    }
    Err(StoreError::PortRefused(format!(
        "instance '{}' is {}: a port needs it to be Active or Stopped",
        held.record.name,
        held.record.standing.state()
    )))
}
