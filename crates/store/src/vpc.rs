//! VPCs: what belongs to one, and that it goes only when nothing does.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use berth_model::{LabelPatch, Labels, Name, Resource, SubnetId, VpcId};
use ipnet::Ipv4Net;
use jiff::Timestamp;
use sqlx::any::AnyRow;

use crate::addresses::Numbers;
use crate::event::NewEvent;
use crate::instance::canonical;
use crate::list::Select;
use crate::row::{Columns as _, Sql, sql};
use crate::security_group::{self, GroupRecord};
use crate::subnet::{self, SubnetRecord};
use crate::tx::Tx;
use crate::{Dry, Store, StoreError, label};

/// A VPC: one network namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VpcRecord {
    /// Its id.
    pub id: VpcId,
    /// The project it belongs to.
    pub project: String,
    /// Its name, unique in its project.
    pub name: Name,
    /// A small number that no other VPC has, from 1.
    pub index: u32,
    /// Its subnets, in the order of their numbers.
    pub subnets: Vec<SubnetRecord>,
    /// Its security groups, in the order of their numbers.
    pub groups: Vec<GroupRecord>,
    /// When it was made; kept to the microsecond.
    pub created_at: Timestamp,
}

/// What the default subnet of a project is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NetworkTemplate {
    /// Its addresses.
    pub cidr: Ipv4Net,
    /// The address of its gateway.
    pub gateway: Ipv4Addr,
}

/// The name of the VPC, and of the subnet, that a project has without asking; and of the group that a VPC has.
pub(crate) const DEFAULT: &str = "default";
/// The VPC of a project that has a name.
const TAKEN: &str = "SELECT id FROM vpcs WHERE project = $1 AND name = $2";

impl VpcRecord {
    pub(crate) fn read(row: &AnyRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.parsed("id")?,
            project: row.text("project")?,
            name: row.parsed("name")?,
            index: row.number("number")?,
            subnets: Vec::new(),
            groups: Vec::new(),
            created_at: row.time("created_at")?,
        })
    }

    /// The group that ports are in if they are told no other.
    pub fn default_group(&self) -> Option<&GroupRecord> {
        self.groups.iter().find(|group| group.default)
    }
}

/// Reads a VPC, without what belongs to it. [`StoreError::NotFound`].
pub(crate) async fn load(tx: &mut Tx, id: VpcId) -> Result<VpcRecord, StoreError> {
    let row = tx
        .optional(sql("SELECT * FROM vpcs WHERE id = $1").bind(id.to_string()))
        .await?;
    VpcRecord::read(&row.ok_or_else(|| StoreError::not_found("VPC", &id))?)
}

/// Writes down a VPC with its default group.
async fn insert(tx: &mut Tx, project: &str, name: &str) -> Result<VpcId, StoreError> {
    let id = VpcId::new();
    let number = Numbers::of(&tx.all(sql("SELECT number FROM vpcs")).await?)?.take()?;
    let vpc = sql("INSERT INTO vpcs (id, project, name, number, created_at) VALUES ($1, $2, $3, $4, $5)")
        .bind(id.to_string())
        .bind(project.to_owned())
        .bind(name.to_owned())
        .bind(i64::from(number))
        .bind(tx.micros());
    tx.run(vpc).await?;
    tx.charge(project, Resource::Vpcs, 1);
    tx.event(NewEvent::about("vpc.created", project, &id, name)).await?;
    security_group::insert_default(tx, project, id).await?;
    Ok(id)
}

/// VPCs that were made before there were groups get their default group, and their ports are put into it.
pub(crate) async fn complete(tx: &mut Tx) -> Result<(), StoreError> {
    let old = sql("SELECT id, project FROM vpcs v \
                   WHERE NOT EXISTS (SELECT 1 FROM security_groups g WHERE g.vpc = v.id)");
    for row in tx.all(old).await? {
        let vpc: VpcId = row.parsed("id")?;
        let group = security_group::insert_default(tx, &row.text("project")?, vpc).await?;
        let put = sql("UPDATE ports SET security_groups = $1 WHERE vpc = $2");
        let groups = crate::row::to_json(&[group])?;
        tx.run(put.bind(groups).bind(vpc.to_string())).await?;
    }
    Ok(())
}

impl Store {
    /// The default VPC of a project, made with one subnet if it isn't there. One that is there is left as it is,
    /// whatever the template says now.
    pub async fn ensure_default_network(
        &self,
        project: &str,
        template: &NetworkTemplate,
    ) -> Result<VpcRecord, StoreError> {
        if let Some(found) = self.default_network(project).await? {
            return Ok(found);
        }
        // Not what was asked for, but what that needs.
        Dry::part(self.make_default_network(project, template)).await?;
        let made = self.default_network(project).await?;
        made.ok_or_else(|| StoreError::not_found("VPC", DEFAULT))
    }

    /// The default VPC of a project, if it is there.
    pub async fn default_network(&self, project: &str) -> Result<Option<VpcRecord>, StoreError> {
        let query = sql("SELECT * FROM vpcs WHERE project = $1 AND name = $2");
        let query = query.bind(project.to_owned()).bind(DEFAULT);
        self.complete_vpc(self.one(query, VpcRecord::read).await?).await
    }

    async fn make_default_network(&self, project: &str, template: &NetworkTemplate) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        match tx.check_name("VPC", TAKEN, (project, DEFAULT)).await {
            // Made by somebody else meanwhile.
            Err(StoreError::AlreadyExists { .. }) => return Ok(()),
            checked => checked?,
        }
        let id = insert(&mut tx, project, DEFAULT).await?;
        let subnet = SubnetRecord {
            id: SubnetId::new(),
            vpc: id,
            name: DEFAULT.parse().map_err(|error| StoreError::corrupt("name", &error))?,
            index: 1,
            cidr: template.cidr,
            gateway: template.gateway,
            dns: Vec::new(),
            ntp: Vec::new(),
            nat: true,
            created_at: tx.at,
        };
        subnet::insert(&mut tx, project, &subnet).await?;
        tx.commit().await
    }

    /// Makes a VPC with its default group. [`StoreError::AlreadyExists`] if the project has one of that name.
    pub async fn create_vpc(&self, project: &str, name: &Name, labels: &Labels) -> Result<VpcRecord, StoreError> {
        let mut tx = self.begin().await?;
        tx.check_name("VPC", TAKEN, (project, name)).await?;
        let id = insert(&mut tx, project, name.as_str()).await?;
        label::write(&mut tx, project, &id, labels).await?;
        tx.commit().await?;
        self.vpc(id).await?.ok_or_else(|| StoreError::not_found("VPC", &id))
    }

    /// Changes the name and the labels of a VPC: what is given.
    pub async fn change_vpc(&self, id: VpcId, name: Option<&Name>, labels: &LabelPatch) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let vpc = load(&mut tx, id).await?;
        let name = name.filter(|name| **name != vpc.name);
        if name.is_none() && labels.is_empty() {
            return Ok(());
        }
        if let Some(name) = name {
            tx.check_name("VPC", TAKEN, (&vpc.project, name)).await?;
            let rename = sql("UPDATE vpcs SET name = $1 WHERE id = $2").bind(name.to_string());
            tx.run(rename.bind(id.to_string())).await?;
        }
        label::change(&mut tx, &vpc.project, &id, labels).await?;
        let name = name.unwrap_or(&vpc.name);
        tx.event(NewEvent::about("vpc.changed", &vpc.project, &id, name))
            .await?;
        tx.commit().await
    }

    /// [`StoreError::InUse`] if a VPC has a subnet.
    pub async fn check_vpc_unused(&self, id: VpcId) -> Result<(), StoreError> {
        let query = sql("SELECT name FROM subnets WHERE vpc = $1 ORDER BY number LIMIT 1").bind(id.to_string());
        match self.one(query, |row| row.text("name")).await? {
            Some(name) => Err(in_use(&name)),
            None => Ok(()),
        }
    }

    /// Forgets a VPC and its groups. [`StoreError::InUse`] if it has a subnet.
    pub async fn delete_vpc(&self, id: VpcId) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let vpc = load(&mut tx, id).await?;
        let used = sql("SELECT name FROM subnets WHERE vpc = $1 ORDER BY number LIMIT 1").bind(id.to_string());
        if let Some(row) = tx.optional(used).await? {
            return Err(in_use(&row.text("name")?));
        }
        security_group::remove_all(&mut tx, id).await?;
        tx.run(sql("DELETE FROM vpcs WHERE id = $1").bind(id.to_string()))
            .await?;
        label::remove(&mut tx, &id).await?;
        tx.free(&vpc.project, Resource::Vpcs, 1);
        tx.event(NewEvent::about("vpc.deleted", &vpc.project, &id, &vpc.name))
            .await?;
        tx.commit().await
    }

    /// A VPC.
    pub async fn vpc(&self, id: VpcId) -> Result<Option<VpcRecord>, StoreError> {
        let query = sql("SELECT * FROM vpcs WHERE id = $1").bind(id.to_string());
        self.complete_vpc(self.one(query, VpcRecord::read).await?).await
    }

    /// The VPC of a project with that name or id.
    pub async fn find_vpc(&self, project: &str, reference: &str) -> Result<VpcRecord, StoreError> {
        let query = sql("SELECT * FROM vpcs WHERE project = $1 AND (id = $2 OR name = $2)");
        let query = query.bind(project.to_owned()).bind(canonical::<VpcId>(reference));
        let found = self.complete_vpc(self.one(query, VpcRecord::read).await?).await?;
        found.ok_or_else(|| StoreError::not_found("VPC", reference))
    }

    /// Every VPC.
    pub async fn vpcs(&self) -> Result<Vec<VpcRecord>, StoreError> {
        let query = sql("SELECT * FROM vpcs ORDER BY id");
        let found = self.list(query, VpcRecord::read).await?;
        self.complete_vpcs(found).await
    }

    /// These VPCs, in a few queries, however many there are.
    pub async fn vpcs_by_id(&self, ids: &[VpcId]) -> Result<Vec<VpcRecord>, StoreError> {
        let query = Select::from("SELECT * FROM vpcs t").one_of("t.id", ids).all();
        let found = self.list(query, VpcRecord::read).await?;
        self.complete_vpcs(found).await
    }

    async fn complete_vpc(&self, vpc: Option<VpcRecord>) -> Result<Option<VpcRecord>, StoreError> {
        let Some(mut vpc) = vpc else { return Ok(None) };
        let of = |select: &'static str| -> Sql { sql(select).bind(vpc.id.to_string()) };
        let subnets = of("SELECT * FROM subnets WHERE vpc = $1 ORDER BY number");
        let groups = of("SELECT * FROM security_groups WHERE vpc = $1 ORDER BY number");
        vpc.subnets = self.list(subnets, SubnetRecord::read).await?;
        vpc.groups = self.list(groups, GroupRecord::read).await?;
        Ok(Some(vpc))
    }

    pub(crate) async fn complete_vpcs(&self, mut vpcs: Vec<VpcRecord>) -> Result<Vec<VpcRecord>, StoreError> {
        let ids: Vec<_> = vpcs.iter().map(|vpc| vpc.id).collect();
        let of = |select: &'static str| {
            let select = Select::from(select).one_of("t.vpc", &ids);
            select.ending(" ORDER BY t.vpc, t.number").all()
        };
        let all = of("SELECT * FROM subnets t");
        let mut subnets: HashMap<VpcId, Vec<SubnetRecord>> = HashMap::new();
        for subnet in self.list(all, SubnetRecord::read).await? {
            subnets.entry(subnet.vpc).or_default().push(subnet);
        }
        let all = of("SELECT * FROM security_groups t");
        let mut groups: HashMap<VpcId, Vec<GroupRecord>> = HashMap::new();
        for group in self.list(all, GroupRecord::read).await? {
            groups.entry(group.vpc).or_default().push(group);
        }
        for vpc in &mut vpcs {
            vpc.subnets = subnets.remove(&vpc.id).unwrap_or_default();
            vpc.groups = groups.remove(&vpc.id).unwrap_or_default();
        }
        Ok(vpcs)
    }
}

fn in_use(subnet: &str) -> StoreError {
    StoreError::InUse {
        what: "VPC",
        by: format!("subnet '{subnet}'"),
    }
}
