//! Which ports there are: of a project, a VPC, an instance, and those that the network is to serve.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use berth_model::{Action, InstanceId, InstanceType, Name, PortId, VolumeState, VpcId};
use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;

use crate::instance::canonical;
use crate::list::Select;
use crate::operation::Phase;
use crate::port::PortRecord;
use crate::row::{Columns as _, Sql, sql, to_word};
use crate::{Store, StoreError};

/// A query for what belongs to one of these instances; none if there are none.
pub(crate) fn in_instances(select: &'static str, ids: &[InstanceId]) -> Option<Sql> {
    among(select, "instance", ids)
}

/// A query for the rows whose column is one of these ids; none if there are none.
pub(crate) fn among<Id: ToString>(select: &'static str, column: &'static str, ids: &[Id]) -> Option<Sql> {
    if ids.is_empty() {
        return None;
    }
    let places: Vec<_> = (1..=ids.len()).map(|place| format!("${place}")).collect();
    // Only the number of places differs from one query to the next; what is in them is bound.
    let text = format!("{select} WHERE {column} IN ({}) ORDER BY id", places.join(", "));
    let query: Sql = sqlx::query(AssertSqlSafe(text)).persistent(false);
    Some(ids.iter().fold(query, |query, id| query.bind(id.to_string())))
}

impl Store {
    /// A port.
    pub async fn port(&self, id: PortId) -> Result<Option<PortRecord>, StoreError> {
        let query = sql("SELECT * FROM ports WHERE id = $1").bind(id.to_string());
        self.one(query, PortRecord::read).await
    }

    /// The port of a project with that name or id.
    pub async fn find_port(&self, project: &str, reference: &str) -> Result<PortRecord, StoreError> {
        let query = sql("SELECT * FROM ports WHERE project = $1 AND (id = $2 OR name = $2)");
        let query = query.bind(project.to_owned()).bind(canonical::<PortId>(reference));
        let found = self.one(query, PortRecord::read).await?;
        found.ok_or_else(|| StoreError::not_found("port", reference))
    }

    /// These ports.
    pub async fn ports_by_id(&self, ids: &[PortId]) -> Result<Vec<PortRecord>, StoreError> {
        let select = Select::from("SELECT * FROM ports t").one_of("t.id", ids);
        self.list(select.all(), PortRecord::read).await
    }

    /// The ports of a VPC.
    pub async fn ports_of_vpc(&self, id: VpcId) -> Result<Vec<PortRecord>, StoreError> {
        let query = sql("SELECT * FROM ports WHERE vpc = $1 ORDER BY id").bind(id.to_string());
        self.list(query, PortRecord::read).await
    }

    /// The ports of a VPC that the network is to serve: not those of instances that are being deleted, or whose create
    /// or unshelve is being undone, and not of those that have nothing on the host, shelved or never made; nor those
    /// that no instance has. Whoever asks for them to make them so has to keep a delete from undoing it until that is
    /// done.
    pub async fn served_ports_of_vpc(&self, id: VpcId) -> Result<Vec<PortRecord>, StoreError> {
        let query = sql("SELECT p.* FROM ports p JOIN instances i ON i.id = p.instance \
                         LEFT JOIN operations o ON o.id = i.operation WHERE p.vpc = $1 \
                         AND (o.id IS NULL OR NOT (o.action = $2 OR (o.phase = $5 AND o.action IN ($6, $7)))) \
                         AND (o.id IS NOT NULL OR NOT EXISTS ( \
                         SELECT 1 FROM volumes v WHERE v.instance = i.id AND v.root = 1 AND v.state IN ($3, $4))) \
                         ORDER BY p.id")
        .bind(id.to_string())
        .bind(Action::Delete.as_str())
        .bind(VolumeState::Reserved.as_str())
        .bind(VolumeState::Error.as_str())
        .bind(to_word(&Phase::Undoing)?)
        .bind(Action::Create.as_str())
        .bind(Action::Unshelve.as_str());
        self.list(query, PortRecord::read).await
    }

    /// The port of a VPC that has that address as its own.
    pub async fn port_at(&self, vpc: VpcId, address: Ipv4Addr) -> Result<Option<PortRecord>, StoreError> {
        let query = sql("SELECT * FROM ports WHERE vpc = $1 AND address = $2").bind(vpc.to_string());
        self.one(query.bind(i64::from(address.to_bits())), PortRecord::read)
            .await
    }

    /// The names and types of instances, by instance.
    pub async fn types_of_instances(
        &self,
        ids: &[InstanceId],
    ) -> Result<HashMap<InstanceId, (Name, InstanceType)>, StoreError> {
        let Some(query) = among("SELECT id, name, instance_type FROM instances", "id", ids) else {
            return Ok(HashMap::new());
        };
        let read = |row: &AnyRow| Ok((row.parsed("id")?, (row.parsed("name")?, row.json("instance_type")?)));
        Ok(self.list(query, read).await?.into_iter().collect())
    }

    /// The ports of an instance, the primary one first.
    pub async fn ports_of_instance(&self, id: InstanceId) -> Result<Vec<PortRecord>, StoreError> {
        let query = sql("SELECT * FROM ports WHERE instance = $1 ORDER BY slot, id").bind(id.to_string());
        self.list(query, PortRecord::read).await
    }

    /// The ports of the instances of a page, in one query.
    pub async fn ports_of_instances(&self, ids: &[InstanceId]) -> Result<Vec<PortRecord>, StoreError> {
        let mut ports = match in_instances("SELECT * FROM ports", ids) {
            Some(query) => self.list(query, PortRecord::read).await?,
            None => Vec::new(),
        };
        ports.sort_by_key(|port| (port.slot, port.id));
        Ok(ports)
    }
}
