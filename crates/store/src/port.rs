//! Ports: NICs, each with an address that no other port of its subnet has. One may be there before its instance is,
//! and after.

use std::net::Ipv4Addr;

use berth_model::limits::{GROUPS_MAX, PAIRS_MAX};
use berth_model::{
    InstanceId, LabelPatch, Labels, Mac, Name, PortId, PortState, SecurityGroupId, SubnetId, VpcId, check_address,
};
use ipnet::Ipv4Net;
use jiff::Timestamp;
use sqlx::any::AnyRow;

use crate::addresses::{Addresses, Numbers, read_address};
use crate::event::NewEvent;
use crate::row::{Columns as _, sql, to_json};
use crate::security_group::{self, GroupRecord};
use crate::tx::Tx;
use crate::{Store, StoreError, label, public_ip, subnet};

/// A port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortRecord {
    /// Its id.
    pub id: PortId,
    /// The project it belongs to.
    pub project: String,
    /// Its name, unique in its project; those that were made with their instance have none.
    pub name: Option<Name>,
    /// The instance whose NIC it is.
    pub instance: Option<InstanceId>,
    /// Its place among the NICs of its instance; 0 is the primary one.
    pub slot: u32,
    /// Where it stands.
    pub state: PortState,
    /// Its VPC.
    pub vpc: VpcId,
    /// Its subnet.
    pub subnet: SubnetId,
    /// Its MAC.
    pub mac: Mac,
    /// Its fixed address.
    pub address: Ipv4Addr,
    /// A small number that no other port has, from 1; free again when the port is gone.
    pub index: u32,
    /// The security groups it is in.
    pub groups: Vec<SecurityGroupId>,
    /// Addresses besides its own that its guest may use.
    pub pairs: Vec<Ipv4Addr>,
    /// Whether it goes when its instance does.
    pub delete_on_termination: bool,
    /// When it was made; kept to the microsecond.
    pub created_at: Timestamp,
}

/// A port to be made apart from an instance. Its id and MAC are chosen by the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPort {
    /// Its id.
    pub id: PortId,
    /// The project it belongs to.
    pub project: String,
    /// Its name.
    pub name: Option<Name>,
    /// Its subnet.
    pub subnet: SubnetId,
    /// Its MAC.
    pub mac: Mac,
    /// Its address; the lowest free one if not given.
    pub address: Option<Ipv4Addr>,
    /// The security groups it is in; the default one of its VPC if not given.
    pub groups: Option<Vec<SecurityGroupId>>,
    /// Addresses besides its own that its guest may use.
    pub pairs: Vec<Ipv4Addr>,
    /// Its labels.
    pub labels: Labels,
}

/// What is to be changed of a port: only what is given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChangePort {
    /// Its name.
    pub name: Option<Name>,
    /// The security groups it is in.
    pub groups: Option<Vec<SecurityGroupId>>,
    /// Addresses besides its own that its guest may use.
    pub pairs: Option<Vec<Ipv4Addr>>,
    /// Whether it goes when its instance does.
    pub delete_on_termination: Option<bool>,
    /// What changes of its labels.
    pub labels: LabelPatch,
}

/// The port of a project that has a name.
const TAKEN: &str = "SELECT id FROM ports WHERE project = $1 AND name = $2";

impl PortRecord {
    pub(crate) fn read(row: &AnyRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.parsed("id")?,
            project: row.text("project")?,
            name: row.maybe_parsed("name")?,
            instance: row.maybe_parsed("instance")?,
            slot: row.maybe_number("slot")?.map_or(Ok(0), u32::try_from).unwrap_or(0),
            state: row.parsed("state")?,
            vpc: row.parsed("vpc")?,
            subnet: row.parsed("subnet")?,
            mac: row.parsed("mac")?,
            address: read_address(row, "address")?,
            index: row.number("number")?,
            groups: row.json("security_groups")?,
            pairs: row.json("pairs")?,
            delete_on_termination: row.flag("delete_on_termination")?,
            created_at: row.time("created_at")?,
        })
    }

    /// What it is called in events: its name, or its address.
    pub(crate) fn called(&self) -> String {
        self.name
            .as_ref()
            .map_or_else(|| self.address.to_string(), ToString::to_string)
    }
}

/// Who has a port, for a message: a row with its `id`, `name` and `instance_name`.
pub(crate) fn used_by(row: &AnyRow) -> Result<String, StoreError> {
    let called = row.maybe_text("name")?.map_or_else(|| row.text("id"), Ok)?;
    Ok(match row.maybe_text("instance_name")? {
        Some(instance) => format!("port {called} of instance '{instance}'"),
        None => format!("port {called}"),
    })
}

/// Reads a port. [`StoreError::NotFound`].
pub(crate) async fn load(tx: &mut Tx, id: PortId) -> Result<PortRecord, StoreError> {
    let query = sql("SELECT * FROM ports WHERE id = $1").bind(id.to_string());
    let row = tx.optional(query).await?;
    PortRecord::read(&row.ok_or_else(|| StoreError::not_found("port", &id))?)
}

/// Writes a new port.
pub(crate) async fn insert(tx: &mut Tx, port: &PortRecord) -> Result<(), StoreError> {
    let taken = sql("SELECT id FROM ports WHERE subnet = $1 AND mac = $2");
    if tx
        .optional(taken.bind(port.subnet.to_string()).bind(port.mac.to_string()))
        .await?
        .is_some()
    {
        return Err(StoreError::AlreadyExists {
            what: "MAC address",
            name: port.mac.to_string(),
        });
    }
    let insert = sql(
        "INSERT INTO ports (id, project, name, instance, slot, state, vpc, subnet, mac, address, number, \
                      security_groups, pairs, delete_on_termination, created_at) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
    )
    .bind(port.id.to_string())
    .bind(port.project.clone())
    .bind(port.name.as_ref().map(ToString::to_string))
    .bind(port.instance.map(|id| id.to_string()))
    .bind(port.instance.map(|_| i64::from(port.slot)))
    .bind(port.state.as_str())
    .bind(port.vpc.to_string())
    .bind(port.subnet.to_string())
    .bind(port.mac.to_string())
    .bind(i64::from(port.address.to_bits()))
    .bind(i64::from(port.index))
    .bind(to_json(&port.groups)?)
    .bind(to_json(&port.pairs)?)
    .bind(i64::from(port.delete_on_termination))
    .bind(port.created_at.as_microsecond());
    tx.run(insert).await.map(|_| ())
}

/// Writes what may change of a port.
pub(crate) async fn update(tx: &mut Tx, port: &PortRecord) -> Result<(), StoreError> {
    let update = sql(
        "UPDATE ports SET name = $1, instance = $2, slot = $3, state = $4, security_groups = $5, \
                      pairs = $6, delete_on_termination = $7 WHERE id = $8",
    )
    .bind(port.name.as_ref().map(ToString::to_string))
    .bind(port.instance.map(|id| id.to_string()))
    .bind(port.instance.map(|_| i64::from(port.slot)))
    .bind(port.state.as_str())
    .bind(to_json(&port.groups)?)
    .bind(to_json(&port.pairs)?)
    .bind(i64::from(port.delete_on_termination))
    .bind(port.id.to_string());
    tx.run(update).await.map(|_| ())
}

/// Tells where a port stands now.
pub(crate) async fn tell(tx: &mut Tx, port: &PortRecord) -> Result<(), StoreError> {
    let event = NewEvent::about("port.state", &port.project, &port.id, &port.called());
    tx.event(NewEvent {
        state: Some(port.state.as_str()),
        ..event
    })
    .await
}

/// The groups that a port is to be in, which have to be its VPC's; the default one if none are said.
pub(crate) fn check_groups(
    known: &[GroupRecord],
    wanted: Option<&[SecurityGroupId]>,
) -> Result<Vec<SecurityGroupId>, StoreError> {
    let Some(wanted) = wanted else {
        return Ok(known
            .iter()
            .filter(|group| group.default)
            .map(|group| group.id)
            .collect());
    };
    if wanted.len() > GROUPS_MAX as usize {
        return Err(StoreError::TooMany {
            what: "security groups of a port",
            most: GROUPS_MAX,
        });
    }
    if let Some(missing) = wanted.iter().find(|id| known.iter().all(|group| group.id != **id)) {
        return Err(StoreError::not_found("security group of that VPC", missing));
    }
    let mut groups = wanted.to_vec();
    groups.sort_unstable();
    groups.dedup();
    Ok(groups)
}

/// Addresses besides its own that a port may have: of its subnet, and no other port's.
async fn check_pairs(
    tx: &mut Tx,
    (port, subnet): (PortId, SubnetId),
    cidr: Ipv4Net,
    pairs: &[Ipv4Addr],
) -> Result<(), StoreError> {
    if pairs.len() > PAIRS_MAX as usize {
        return Err(StoreError::TooMany {
            what: "further addresses of a port",
            most: PAIRS_MAX,
        });
    }
    for address in pairs {
        check_address(cidr, *address)?;
        let taken = sql("SELECT id FROM ports WHERE subnet = $1 AND address = $2 AND id <> $3")
            .bind(subnet.to_string())
            .bind(i64::from(address.to_bits()))
            .bind(port.to_string());
        if tx.optional(taken).await?.is_some() {
            return Err(StoreError::AddressTaken(*address));
        }
    }
    Ok(())
}

impl Store {
    /// Makes a port that no instance has yet.
    ///
    /// Errors: [`StoreError::AlreadyExists`] for a name or a MAC, [`StoreError::AddressTaken`], [`StoreError::NoAddress`],
    /// [`StoreError::Subnet`] for an address that is no port's, [`StoreError::NotFound`] for a group.
    pub async fn create_port(&self, new: NewPort) -> Result<PortRecord, StoreError> {
        let mut tx = self.begin().await?;
        let subnet = subnet::load(&mut tx, new.subnet).await?;
        if let Some(name) = &new.name {
            tx.check_name("port", TAKEN, (&new.project, name)).await?;
        }
        let known = security_group::of_vpc(&mut tx, subnet.vpc).await?;
        let groups = check_groups(&known, new.groups.as_deref())?;
        let mut addresses = Addresses::load(&mut tx, subnet.vpc, subnet.id).await?;
        let address = addresses.take(new.address)?;
        check_pairs(&mut tx, (new.id, subnet.id), subnet.cidr, &new.pairs).await?;
        let port = PortRecord {
            id: new.id,
            project: new.project,
            name: new.name,
            instance: None,
            slot: 0,
            state: PortState::Available,
            vpc: subnet.vpc,
            subnet: subnet.id,
            mac: new.mac,
            address,
            index: Numbers::load(&mut tx).await?.take()?,
            groups,
            pairs: new.pairs,
            delete_on_termination: false,
            created_at: tx.at,
        };
        insert(&mut tx, &port).await?;
        label::write(&mut tx, &port.project, &port.id, &new.labels).await?;
        tell(&mut tx, &port).await?;
        tx.commit().await?;
        Ok(port)
    }

    /// Changes what is given of a port, or nothing.
    pub async fn change_port(&self, id: PortId, change: ChangePort) -> Result<PortRecord, StoreError> {
        let mut tx = self.begin().await?;
        let mut port = load(&mut tx, id).await?;
        if let Some(name) = change.name.filter(|name| Some(name) != port.name.as_ref()) {
            tx.check_name("port", TAKEN, (&port.project, &name)).await?;
            port.name = Some(name);
        }
        if let Some(groups) = change.groups {
            let known = security_group::of_vpc(&mut tx, port.vpc).await?;
            port.groups = check_groups(&known, Some(&groups))?;
        }
        if let Some(pairs) = change.pairs {
            let cidr = subnet::load(&mut tx, port.subnet).await?.cidr;
            check_pairs(&mut tx, (id, port.subnet), cidr, &pairs).await?;
            port.pairs = pairs;
        }
        if let Some(delete) = change.delete_on_termination {
            if port.instance.is_none() {
                return Err(StoreError::PortRefused(format!(
                    "port {} has no instance to go with: attach it first",
                    port.called()
                )));
            }
            port.delete_on_termination = delete;
        }
        update(&mut tx, &port).await?;
        label::change(&mut tx, &port.project, &id, &change.labels).await?;
        tx.event(NewEvent::about("port.changed", &port.project, &id, &port.called()))
            .await?;
        tx.commit().await?;
        Ok(port)
    }

    /// Forgets a port that no instance has; a static public IP of it is free. [`StoreError::InUse`].
    pub async fn delete_port(&self, id: PortId) -> Result<PortRecord, StoreError> {
        let mut tx = self.begin().await?;
        let port = load(&mut tx, id).await?;
        if let Some(instance) = port.instance {
            let query = sql("SELECT name FROM instances WHERE id = $1").bind(instance.to_string());
            let name = tx.optional(query).await?.map(|row| row.text("name")).transpose()?;
            return Err(StoreError::InUse {
                what: "port",
                by: format!("instance '{}'", name.unwrap_or_else(|| instance.to_string())),
            });
        }
        remove(&mut tx, &port).await?;
        tx.commit().await?;
        Ok(port)
    }
}

/// Forgets a port; a static public IP of it is free, an ephemeral one goes.
pub(crate) async fn remove(tx: &mut Tx, port: &PortRecord) -> Result<(), StoreError> {
    public_ip::leave(tx, port.id).await?;
    tx.run(sql("DELETE FROM ports WHERE id = $1").bind(port.id.to_string()))
        .await?;
    label::remove(tx, &port.id).await?;
    tx.event(NewEvent::about("port.deleted", &port.project, &port.id, &port.called()))
        .await
}
