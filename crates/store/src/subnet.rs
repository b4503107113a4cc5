//! Subnets: ranges of addresses within a VPC that don't overlap there.

use std::net::Ipv4Addr;

use berth_model::{LabelPatch, Labels, Name, Resource, SubnetId, VpcId, check_subnet, gateway_of};
use ipnet::Ipv4Net;
use jiff::Timestamp;
use sqlx::any::AnyRow;

use crate::addresses::{Numbers, read_address};
use crate::event::NewEvent;
use crate::instance::canonical;
use crate::list::Select;
use crate::port::used_by;
use crate::row::{Columns as _, sql, to_json};
use crate::tx::Tx;
use crate::{Store, StoreError, label, vpc};

/// A subnet: one bridge in its VPC's namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubnetRecord {
    /// Its id.
    pub id: SubnetId,
    /// Its VPC.
    pub vpc: VpcId,
    /// Its name, unique in its VPC.
    pub name: Name,
    /// A small number that no other subnet of the VPC has, from 1.
    pub index: u32,
    /// Its addresses.
    pub cidr: Ipv4Net,
    /// The address of its gateway, which no port is given.
    pub gateway: Ipv4Addr,
    /// The resolvers its guests are told of; none: the gateway.
    pub dns: Vec<Ipv4Addr>,
    /// The time servers its guests are told of.
    pub ntp: Vec<Ipv4Addr>,
    /// Whether its guests reach the outside without a public IP.
    pub nat: bool,
    /// When it was made; kept to the microsecond.
    pub created_at: Timestamp,
}

/// A subnet to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSubnet {
    /// Its VPC.
    pub vpc: VpcId,
    /// Its name.
    pub name: Name,
    /// Its addresses.
    pub cidr: Ipv4Net,
    /// The resolvers its guests are told of.
    pub dns: Vec<Ipv4Addr>,
    /// The time servers its guests are told of.
    pub ntp: Vec<Ipv4Addr>,
    /// Whether its guests reach the outside without a public IP.
    pub nat: bool,
    /// Its labels.
    pub labels: Labels,
}

/// What is to be changed of a subnet: only what is given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChangeSubnet {
    /// Its name.
    pub name: Option<Name>,
    /// The resolvers its guests are told of.
    pub dns: Option<Vec<Ipv4Addr>>,
    /// The time servers its guests are told of.
    pub ntp: Option<Vec<Ipv4Addr>>,
    /// Whether its guests reach the outside without a public IP.
    pub nat: Option<bool>,
    /// What changes of its labels.
    pub labels: LabelPatch,
}

/// The subnet of a VPC that has a name.
const TAKEN: &str = "SELECT id FROM subnets WHERE vpc = $1 AND name = $2";

impl SubnetRecord {
    pub(crate) fn read(row: &AnyRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.parsed("id")?,
            vpc: row.parsed("vpc")?,
            name: row.parsed("name")?,
            index: row.number("number")?,
            cidr: row.parsed("cidr")?,
            gateway: read_address(row, "gateway")?,
            dns: row.json("dns")?,
            ntp: row.json("ntp")?,
            nat: row.flag("nat")?,
            created_at: row.time("created_at")?,
        })
    }
}

/// Reads a subnet. [`StoreError::NotFound`].
pub(crate) async fn load(tx: &mut Tx, id: SubnetId) -> Result<SubnetRecord, StoreError> {
    let query = sql("SELECT * FROM subnets WHERE id = $1").bind(id.to_string());
    let row = tx.optional(query).await?;
    SubnetRecord::read(&row.ok_or_else(|| StoreError::not_found("subnet", &id))?)
}

/// Writes down a subnet of a project's VPC.
pub(crate) async fn insert(tx: &mut Tx, project: &str, subnet: &SubnetRecord) -> Result<(), StoreError> {
    let insert = sql(
        "INSERT INTO subnets (id, vpc, name, number, cidr, gateway, dns, ntp, nat, created_at) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(subnet.id.to_string())
    .bind(subnet.vpc.to_string())
    .bind(subnet.name.to_string())
    .bind(i64::from(subnet.index))
    .bind(subnet.cidr.to_string())
    .bind(i64::from(subnet.gateway.to_bits()))
    .bind(to_json(&subnet.dns)?)
    .bind(to_json(&subnet.ntp)?)
    .bind(i64::from(subnet.nat))
    .bind(subnet.created_at.as_microsecond());
    tx.run(insert).await?;
    tx.charge(project, Resource::Subnets, 1);
    tell(tx, subnet, "subnet.created").await
}

async fn tell(tx: &mut Tx, subnet: &SubnetRecord, kind: &'static str) -> Result<(), StoreError> {
    let project = vpc::load(tx, subnet.vpc).await?.project;
    tx.event(NewEvent::about(kind, &project, &subnet.id, &subnet.name))
        .await
}

impl Store {
    /// Makes a subnet.
    ///
    /// Errors: [`StoreError::Subnet`] for a range that can be none, [`StoreError::Overlap`], [`StoreError::AlreadyExists`].
    pub async fn create_subnet(&self, new: NewSubnet) -> Result<SubnetRecord, StoreError> {
        check_subnet(new.cidr)?;
        let mut tx = self.begin().await?;
        let project = vpc::load(&mut tx, new.vpc).await?.project;
        tx.check_name("subnet", TAKEN, (&new.vpc, &new.name)).await?;
        let all = sql("SELECT * FROM subnets WHERE vpc = $1").bind(new.vpc.to_string());
        let rows = tx.all(all).await?;
        for row in &rows {
            let other = SubnetRecord::read(row)?;
            if other.cidr.contains(&new.cidr) || new.cidr.contains(&other.cidr) {
                return Err(StoreError::Overlap {
                    cidr: new.cidr,
                    other: other.name,
                    taken: other.cidr,
                });
            }
        }
        let subnet = SubnetRecord {
            id: SubnetId::new(),
            vpc: new.vpc,
            name: new.name,
            index: Numbers::of(&rows)?.take()?,
            gateway: gateway_of(new.cidr),
            cidr: new.cidr,
            dns: new.dns,
            ntp: new.ntp,
            nat: new.nat,
            created_at: tx.at,
        };
        insert(&mut tx, &project, &subnet).await?;
        label::write(&mut tx, &project, &subnet.id, &new.labels).await?;
        tx.commit().await?;
        Ok(subnet)
    }

    /// Changes what is given of a subnet, or nothing.
    pub async fn change_subnet(&self, id: SubnetId, change: ChangeSubnet) -> Result<SubnetRecord, StoreError> {
        let mut tx = self.begin().await?;
        let mut subnet = load(&mut tx, id).await?;
        if let Some(name) = change.name.filter(|name| *name != subnet.name) {
            tx.check_name("subnet", TAKEN, (&subnet.vpc, &name)).await?;
            subnet.name = name;
        }
        subnet.dns = change.dns.unwrap_or(subnet.dns);
        subnet.ntp = change.ntp.unwrap_or(subnet.ntp);
        subnet.nat = change.nat.unwrap_or(subnet.nat);
        let update = sql("UPDATE subnets SET name = $1, dns = $2, ntp = $3, nat = $4 WHERE id = $5")
            .bind(subnet.name.to_string())
            .bind(to_json(&subnet.dns)?)
            .bind(to_json(&subnet.ntp)?)
            .bind(i64::from(subnet.nat))
            .bind(id.to_string());
        tx.run(update).await?;
        let project = vpc::load(&mut tx, subnet.vpc).await?.project;
        label::change(&mut tx, &project, &id, &change.labels).await?;
        tell(&mut tx, &subnet, "subnet.changed").await?;
        tx.commit().await?;
        Ok(subnet)
    }

    /// Forgets a subnet. [`StoreError::InUse`] if it has a port.
    pub async fn delete_subnet(&self, id: SubnetId) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let subnet = load(&mut tx, id).await?;
        let ports = sql("SELECT p.id, p.name, i.name AS instance_name FROM ports p \
                         LEFT JOIN instances i ON i.id = p.instance WHERE p.subnet = $1 ORDER BY p.id LIMIT 1");
        if let Some(row) = tx.optional(ports.bind(id.to_string())).await? {
            return Err(StoreError::InUse {
                what: "subnet",
                by: used_by(&row)?,
            });
        }
        tx.run(sql("DELETE FROM subnets WHERE id = $1").bind(id.to_string()))
            .await?;
        let project = vpc::load(&mut tx, subnet.vpc).await?.project;
        label::remove(&mut tx, &id).await?;
        tx.free(&project, Resource::Subnets, 1);
        tell(&mut tx, &subnet, "subnet.deleted").await?;
        tx.commit().await
    }

    /// A subnet.
    pub async fn subnet(&self, id: SubnetId) -> Result<Option<SubnetRecord>, StoreError> {
        let query = sql("SELECT * FROM subnets WHERE id = $1").bind(id.to_string());
        self.one(query, SubnetRecord::read).await
    }

    /// The subnet of a project by its id, its name, or `VPC/NAME`. A name that several VPCs have is taken as the one of
    /// `vpc`, if that is given; else it is [`StoreError::Ambiguous`].
    pub async fn find_subnet(
        &self,
        project: &str,
        reference: &str,
        vpc: Option<VpcId>,
    ) -> Result<SubnetRecord, StoreError> {
        let (of, name) = self.split_reference(project, reference, vpc).await?;
        let query = sql("SELECT s.* FROM subnets s JOIN vpcs v ON v.id = s.vpc \
                         WHERE v.project = $1 AND (s.id = $2 OR s.name = $2) AND ($3 = '' OR s.vpc = $3) LIMIT 2")
        .bind(project.to_owned())
        .bind(canonical::<SubnetId>(name))
        .bind(of.map(|id| id.to_string()).unwrap_or_default());
        let found = self.list(query, SubnetRecord::read).await?;
        only_one("subnet", reference, found)
    }

    /// How many ports each subnet of these VPCs has; none is mentioned that has none.
    pub async fn ports_per_subnet(&self, vpcs: &[VpcId]) -> Result<Vec<(SubnetId, u32)>, StoreError> {
        let select = Select::from("SELECT t.subnet, COUNT(*) AS ports FROM ports t").one_of("t.vpc", vpcs);
        self.list(select.ending(" GROUP BY t.subnet").all(), |row| {
            Ok((row.parsed("subnet")?, row.number("ports")?))
        })
        .await
    }

    /// What a reference names: a VPC, if it says which one, and a name in it.
    pub(crate) async fn split_reference<'a>(
        &self,
        project: &str,
        reference: &'a str,
        vpc: Option<VpcId>,
    ) -> Result<(Option<VpcId>, &'a str), StoreError> {
        match reference.split_once('/') {
            Some((of, name)) => Ok((Some(self.find_vpc(project, of).await?.id), name)),
            None => Ok((vpc, reference)),
        }
    }
}

/// The one that a reference names.
pub(crate) fn only_one<T>(what: &'static str, reference: &str, mut found: Vec<T>) -> Result<T, StoreError> {
    if found.len() > 1 {
        return Err(StoreError::Ambiguous {
            what,
            reference: reference.to_owned(),
        });
    }
    found.pop().ok_or_else(|| StoreError::not_found(what, reference))
}
