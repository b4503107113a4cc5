//! Making instances: all that were asked for or none, in one transaction.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;

use berth_model::{
    Action, Gib, ImageId, InstanceId, InstanceType, KeyPairId, Labels, LayerId, Name, Policy, PortState, Position,
    Standing, SubnetId, VolumeId, VolumeState, VpcId, Work,
};
use serde_json::json;

use crate::addresses::{Addresses, Numbers};
use crate::layer::{self, Base};
use crate::nic::{self, NicOfNew};
use crate::operation::{OperationRecord, Subject};
use crate::port::{self, PortRecord};
use crate::public_ip::{self, PublicIpOfNew};
use crate::row::{Columns as _, maybe_to_json, sql, to_json};
use crate::security_group::{self, GroupRecord};
use crate::task_begin::FIRST_SLOT;
use crate::transition::{Why, state_event};
use crate::tx::Tx;
use crate::usage::facts;
use crate::volume::VolumeRecord;
use crate::{Claim, InstanceRecord, KeyRef, Requester, Store, StoreError, attached, claim, label, once, quota, volume};

/// An instance to be made. Its ids and its MAC are chosen by the caller, before anything is made of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewInstance {
    /// Its id.
    pub id: InstanceId,
    /// The project it belongs to.
    pub project: String,
    /// Its name.
    pub name: Name,
    /// Its type, as the catalog has it now.
    pub instance_type: InstanceType,
    /// The image it is made from.
    pub image: ImageId,
    /// The key pair that may log in.
    pub key: Option<KeyPairId>,
    /// User data for cloud-init.
    pub user_data: Option<Vec<u8>>,
    /// What becomes of it by itself.
    pub policy: Policy,
    /// The id of its root volume.
    pub root_volume: VolumeId,
    /// The id of its root volume's layer.
    pub root_layer: LayerId,
    /// The size of its root volume.
    pub root_size: Gib,
    /// Whether its root volume stays when it is deleted.
    pub keep_root: bool,
    /// The name of the type of volumes that are made with it.
    pub volume_type: String,
    /// Its other volumes, in the order of its disks.
    pub volumes: Vec<VolumeOfNew>,
    /// Its NICs, the primary one first. All are of one VPC.
    pub nics: Vec<NicOfNew>,
    /// The public IP of its primary NIC.
    pub public_ip: Option<PublicIpOfNew>,
    /// Its labels; what is made with it has none.
    pub labels: Labels,
}

/// A volume that an instance is made with, besides its root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VolumeOfNew {
    /// One to be made, blank.
    New {
        /// Its id.
        id: VolumeId,
        /// Its layer's id.
        layer: LayerId,
        /// Its name.
        name: Name,
        /// Its size.
        size: Gib,
        /// Whether it goes when the instance does.
        delete_on_termination: bool,
    },
    /// One that is there.
    Existing {
        /// Its id.
        id: VolumeId,
        /// Whether it goes when the instance does.
        delete_on_termination: bool,
    },
}

impl Store {
    /// Makes instances, in the state Building, each with its root volume (Creating), its port with the lowest free
    /// address of the subnet, and its operation. All of them or, on any error, none. The claims are in the order of
    /// the request.
    ///
    /// Errors: [`StoreError::AlreadyExists`] for a name that the project has already, [`StoreError::NoAddress`],
    /// [`StoreError::QuotaExceeded`],
    /// [`StoreError::NotFound`] for an image, key pair or subnet that was deleted meanwhile.
    pub async fn create_instances(&self, new: Vec<NewInstance>, by: &Requester) -> Result<Vec<Claim>, StoreError> {
        let mut tx = self.begin().await?;
        let mut given = Given::default();
        let mut made = Vec::with_capacity(new.len());
        for instance in &new {
            made.push(create(&mut tx, &mut given, instance, by).await?);
        }
        let ids: Vec<_> = made.iter().map(|operation| operation.id).collect();
        once::write(&mut tx, by, &ids).await?;
        tx.commit().await?;
        Ok(made
            .iter()
            .zip(&new)
            .map(|(operation, new)| Claim::begun(self, (new.id, FIRST_POSITION), operation, (FIRST_REVISION, None)))
            .collect())
    }
}

/// The revision of a record that was never changed.
const FIRST_REVISION: i64 = 1;

/// Where every create begins.
const FIRST_POSITION: Position = Position::first(Action::Create);

/// What several instances of one request share, read once.
#[derive(Default)]
struct Given {
    images: HashSet<ImageId>,
    keys: HashMap<KeyPairId, KeyRef>,
    addresses: HashMap<(VpcId, SubnetId), Addresses>,
    groups: HashMap<VpcId, Vec<GroupRecord>>,
    numbers: Option<Numbers>,
}

async fn create(
    tx: &mut Tx,
    given: &mut Given,
    new: &NewInstance,
    by: &Requester,
) -> Result<OperationRecord, StoreError> {
    given.image(tx, new.image).await?;
    let key = match new.key {
        Some(id) => Some(given.key(tx, id).await?),
        None => None,
    };
    let taken = "SELECT id FROM instances WHERE project = $1 AND name = $2";
    tx.check_name("instance", taken, (&new.project, &new.name)).await?;
    let operation = OperationRecord::begin(
        tx,
        Work::Instance(FIRST_POSITION),
        Subject {
            project: &new.project,
            id: new.id.to_string(),
            name: &new.name,
        },
        json!({}),
        by,
    );
    claim::begin(tx, &operation).await?;
    let record = record(tx, new, &operation, key);
    insert(tx, &record).await?;
    label::write(tx, &new.project, &new.id, &new.labels).await?;
    facts::instance(tx, &record).await?;
    if let Some(content) = &new.user_data {
        let insert = sql("INSERT INTO user_data (instance, content) VALUES ($1, $2)");
        tx.run(insert.bind(new.id.to_string()).bind(content.as_slice())).await?;
    }
    volumes(tx, new).await?;
    nics(tx, given, new).await?;
    tx.event(state_event(
        &record,
        Why {
            operation: Some(operation.id),
            message: None,
        },
    ))
    .await?;
    Ok(operation)
}

fn record(tx: &Tx, new: &NewInstance, operation: &OperationRecord, key: Option<KeyRef>) -> InstanceRecord {
    InstanceRecord {
        id: new.id,
        project: new.project.clone(),
        name: new.name.clone(),
        revision: FIRST_REVISION,
        standing: Standing::Moving {
            from: None,
            position: FIRST_POSITION,
        },
        operation: Some(operation.id),
        instance_type: new.instance_type.clone(),
        resized_from: None,
        resizing_to: None,
        image: new.image,
        key,
        policy: new.policy,
        fault: None,
        degraded: None,
        created_at: tx.at,
        updated_at: tx.at,
    }
}

async fn insert(tx: &mut Tx, record: &InstanceRecord) -> Result<(), StoreError> {
    let insert = sql("INSERT INTO instances \
                      (id, project, name, revision, operation, instance_type, image, key_pair, created_at, updated_at, \
                      policy) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10)")
    .bind(record.id.to_string())
    .bind(record.project.as_str())
    .bind(record.name.as_str())
    .bind(record.revision)
    .bind(record.operation.map(|id| id.to_string()))
    .bind(to_json(&record.instance_type)?)
    .bind(record.image.to_string())
    .bind(maybe_to_json(record.key.as_ref())?)
    .bind(tx.micros())
    .bind(to_json(&record.policy)?);
    tx.run(insert).await?;
    quota::charge_instance(tx, record);
    Ok(())
}

/// Writes down the volumes of a new instance: those that are made with it, and those it takes.
async fn volumes(tx: &mut Tx, new: &NewInstance) -> Result<(), StoreError> {
    let base = Base {
        parent: None,
        image: Some(new.image),
    };
    layer::insert(tx, new.root_layer, base).await?;
    let root = VolumeRecord {
        id: new.root_volume,
        project: new.project.clone(),
        name: new.name.clone(),
        instance: Some(new.id),
        image: Some(new.image),
        layer: Some(new.root_layer),
        size: new.root_size,
        state: VolumeState::Creating,
        operation: None,
        root: true,
        slot: Some(0),
        delete_on_termination: !new.keep_root,
        volume_type: new.volume_type.clone(),
        fault: None,
        created_at: tx.at,
    };
    volume::insert(tx, &root).await?;
    for (slot, wanted) in (FIRST_SLOT..).zip(&new.volumes) {
        match wanted {
            VolumeOfNew::New {
                id,
                layer,
                name,
                size,
                delete_on_termination,
            } => {
                tx.check_name("volume", volume::TAKEN, (&new.project, name)).await?;
                layer::insert(tx, *layer, Base::default()).await?;
                let blank = VolumeRecord {
                    id: *id,
                    name: name.clone(),
                    image: None,
                    layer: Some(*layer),
                    size: *size,
                    root: false,
                    slot: Some(slot),
                    delete_on_termination: *delete_on_termination,
                    ..root.clone()
                };
                volume::insert(tx, &blank).await?;
            }
            VolumeOfNew::Existing {
                id,
                delete_on_termination,
            } => attached::take(tx, *id, (new.id, slot), *delete_on_termination).await?,
        }
    }
    Ok(())
}

/// Writes down the NICs of a new instance: those that are made with it, and those it takes.
async fn nics(tx: &mut Tx, given: &mut Given, new: &NewInstance) -> Result<(), StoreError> {
    let mut primary = None;
    for (slot, wanted) in (0..).zip(&new.nics) {
        let id = match wanted {
            NicOfNew::New {
                id,
                mac,
                vpc,
                subnet,
                address,
                groups,
            } => {
                let known = given.groups(tx, *vpc).await?;
                let groups = port::check_groups(known, groups.as_deref())?;
                let (address, index) = given.address(tx, (*vpc, *subnet), *address).await?;
                let port = PortRecord {
                    id: *id,
                    project: new.project.clone(),
                    name: None,
                    instance: Some(new.id),
                    slot,
                    state: PortState::InUse,
                    vpc: *vpc,
                    subnet: *subnet,
                    mac: *mac,
                    address,
                    index,
                    groups,
                    pairs: Vec::new(),
                    delete_on_termination: true,
                    created_at: tx.at,
                };
                port::insert(tx, &port).await?;
                *id
            }
            NicOfNew::Existing(id) => nic::take(tx, *id, new.id, slot).await?.id,
        };
        primary.get_or_insert(id);
    }
    match (primary, &new.public_ip) {
        (Some(port), Some(wanted)) => public_ip::of_new(tx, &new.project, port, wanted).await,
        _ => Ok(()),
    }
}

impl Given {
    async fn image(&mut self, tx: &mut Tx, id: ImageId) -> Result<(), StoreError> {
        if self.images.insert(id) {
            let row = tx
                .optional(sql("SELECT id FROM images WHERE id = $1").bind(id.to_string()))
                .await?;
            row.ok_or_else(|| StoreError::not_found("image", &id))?;
        }
        Ok(())
    }

    async fn key(&mut self, tx: &mut Tx, id: KeyPairId) -> Result<KeyRef, StoreError> {
        if let Some(key) = self.keys.get(&id) {
            return Ok(key.clone());
        }
        let query = sql("SELECT name, public_key FROM keypairs WHERE id = $1").bind(id.to_string());
        let row = tx
            .optional(query)
            .await?
            .ok_or_else(|| StoreError::not_found("key pair", &id))?;
        let key = KeyRef {
            name: row.parsed("name")?,
            public_key: row.text("public_key")?,
        };
        self.keys.insert(id, key.clone());
        Ok(key)
    }

    async fn groups(&mut self, tx: &mut Tx, vpc: VpcId) -> Result<&[GroupRecord], StoreError> {
        Ok(match self.groups.entry(vpc) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(security_group::of_vpc(tx, vpc).await?),
        })
    }

    /// That address of the subnet or the lowest free one, and the lowest free number of a port.
    async fn address(
        &mut self,
        tx: &mut Tx,
        of: (VpcId, SubnetId),
        wanted: Option<Ipv4Addr>,
    ) -> Result<(Ipv4Addr, u32), StoreError> {
        let addresses = match self.addresses.entry(of) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(Addresses::load(tx, of.0, of.1).await?),
        };
        let address = addresses.take(wanted)?;
        let numbers = match &mut self.numbers {
            Some(numbers) => numbers,
            none => none.insert(Numbers::load(tx).await?),
        };
        Ok((address, numbers.take()?))
    }
}
