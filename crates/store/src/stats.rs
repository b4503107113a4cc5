//! What the statistics of a moment are about: every instance with where it stands, and every port that one has.

use berth_model::{InstanceId, InstanceType, Name, OperationId, PortId, Standing};
use sqlx::any::AnyRow;

use crate::instance::read_standing;
use crate::row::{Columns as _, sql};
use crate::{Store, StoreError};

/// An instance, as much of it as statistics need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceLine {
    /// Its id.
    pub id: InstanceId,
    /// The project it belongs to.
    pub project: String,
    /// Its name.
    pub name: Name,
    /// Where it stands.
    pub standing: Standing,
    /// Its type.
    pub instance_type: InstanceType,
}

/// A port that an instance has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortLine {
    /// Its id.
    pub id: PortId,
    /// The instance.
    pub instance: InstanceId,
    /// Its place among the NICs of the instance; 0 is the primary one.
    pub slot: u32,
    /// The number of its VPC.
    pub vpc_index: u32,
}

impl Store {
    /// Every instance, oldest first.
    pub async fn instance_lines(&self) -> Result<Vec<InstanceLine>, StoreError> {
        let query = sql(
            "SELECT i.id, i.project, i.name, i.stable, i.operation, i.instance_type, o.action, o.step \
                         FROM instances i LEFT JOIN operations o ON o.id = i.operation ORDER BY i.id",
        );
        let read = |row: &AnyRow| {
            Ok(InstanceLine {
                id: row.parsed("id")?,
                project: row.text("project")?,
                name: row.parsed("name")?,
                standing: read_standing(row, row.maybe_parsed::<OperationId>("operation")?)?,
                instance_type: row.json("instance_type")?,
            })
        };
        self.list(query, read).await
    }

    /// Every port that an instance has, by VPC.
    pub async fn port_lines(&self) -> Result<Vec<PortLine>, StoreError> {
        let query = sql(
            "SELECT p.id, p.instance, p.slot, v.number FROM ports p JOIN vpcs v ON v.id = p.vpc \
                         WHERE p.instance IS NOT NULL ORDER BY v.number, p.id",
        );
        let read = |row: &AnyRow| {
            Ok(PortLine {
                id: row.parsed("id")?,
                instance: row.parsed("instance")?,
                slot: row.number("slot")?,
                vpc_index: row.number("number")?,
            })
        };
        self.list(query, read).await
    }

    /// Makes sure that the database can be written: commits a change that changes nothing.
    pub async fn check_writable(&self) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        tx.run(sql("UPDATE installation SET boot = boot")).await?;
        tx.commit().await
    }
}
