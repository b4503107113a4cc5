//! VPCs and their subnets.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use berth_model::{Name, SubnetId, VpcId};
use ipnet::Ipv4Net;
use sqlx::any::AnyRow;

use crate::event::NewEvent;
use crate::port::{Numbers, read_address};
use crate::row::{Columns as _, sql};
use crate::{Store, StoreError};

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
}

/// A subnet: one bridge in its VPC's namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubnetRecord {
    /// Its id.
    pub id: SubnetId,
    /// Its name, unique in its VPC.
    pub name: Name,
    /// A small number that no other subnet of the VPC has, from 1.
    pub index: u32,
    /// Its addresses.
    pub cidr: Ipv4Net,
    /// The address of its gateway, which no port is given.
    pub gateway: Ipv4Addr,
}

/// What the default subnet of a project is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NetworkTemplate {
    /// Its addresses.
    pub cidr: Ipv4Net,
    /// The address of its gateway.
    pub gateway: Ipv4Addr,
}

/// The name of the VPC, and of the subnet, that a project has without asking.
const DEFAULT: &str = "default";

impl VpcRecord {
    fn read(row: &AnyRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.parsed("id")?,
            project: row.text("project")?,
            name: row.parsed("name")?,
            index: row.number("number")?,
            subnets: Vec::new(),
        })
    }
}

impl SubnetRecord {
    fn read(row: &AnyRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.parsed("id")?,
            name: row.parsed("name")?,
            index: row.number("number")?,
            cidr: row.parsed("cidr")?,
            gateway: read_address(row, "gateway")?,
        })
    }
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
        self.make_default_network(project, template).await?;
        let made = self.default_network(project).await?;
        made.ok_or_else(|| StoreError::not_found("VPC", DEFAULT))
    }

    async fn default_network(&self, project: &str) -> Result<Option<VpcRecord>, StoreError> {
        let query = sql("SELECT * FROM vpcs WHERE project = $1 AND name = $2")
            .bind(project)
            .bind(DEFAULT);
        self.with_subnets(self.one(query, VpcRecord::read).await?).await
    }

    async fn make_default_network(&self, project: &str, template: &NetworkTemplate) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let made = sql("SELECT id FROM vpcs WHERE project = $1 AND name = $2")
            .bind(project)
            .bind(DEFAULT);
        if tx.optional(made).await?.is_some() {
            return Ok(());
        }
        let id = VpcId::new();
        let number = Numbers::of(&tx.all(sql("SELECT number FROM vpcs")).await?)?.take()?;
        let vpc = sql("INSERT INTO vpcs (id, project, name, number) VALUES ($1, $2, $3, $4)");
        tx.run(
            vpc.bind(id.to_string())
                .bind(project)
                .bind(DEFAULT)
                .bind(i64::from(number)),
        )
        .await?;
        let subnet = sql("INSERT INTO subnets (id, vpc, name, number, cidr, gateway) VALUES ($1, $2, $3, 1, $4, $5)")
            .bind(SubnetId::new().to_string())
            .bind(id.to_string())
            .bind(DEFAULT)
            .bind(template.cidr.to_string())
            .bind(i64::from(template.gateway.to_bits()));
        tx.run(subnet).await?;
        tx.event(NewEvent::about("vpc.created", &id, DEFAULT)).await?;
        tx.commit().await
    }

    /// A VPC.
    pub async fn vpc(&self, id: VpcId) -> Result<Option<VpcRecord>, StoreError> {
        let query = sql("SELECT * FROM vpcs WHERE id = $1").bind(id.to_string());
        self.with_subnets(self.one(query, VpcRecord::read).await?).await
    }

    /// Every VPC.
    pub async fn vpcs(&self) -> Result<Vec<VpcRecord>, StoreError> {
        let mut vpcs = self
            .list(sql("SELECT * FROM vpcs ORDER BY id"), VpcRecord::read)
            .await?;
        let mut subnets: HashMap<VpcId, Vec<SubnetRecord>> = HashMap::new();
        for row in self.all(sql("SELECT * FROM subnets ORDER BY vpc, number")).await? {
            subnets
                .entry(row.parsed("vpc")?)
                .or_default()
                .push(SubnetRecord::read(&row)?);
        }
        for vpc in &mut vpcs {
            vpc.subnets = subnets.remove(&vpc.id).unwrap_or_default();
        }
        Ok(vpcs)
    }

    async fn with_subnets(&self, vpc: Option<VpcRecord>) -> Result<Option<VpcRecord>, StoreError> {
        let Some(mut vpc) = vpc else { return Ok(None) };
        let query = sql("SELECT * FROM subnets WHERE vpc = $1 ORDER BY number").bind(vpc.id.to_string());
        vpc.subnets = self.list(query, SubnetRecord::read).await?;
        Ok(Some(vpc))
    }
}
