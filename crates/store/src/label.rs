//! Labels: written with what makes or changes their resource, gone with it, read for a page at a time.

use std::collections::{BTreeMap, HashMap};

use berth_model::{InstanceId, KeyPairId, LabelKey, LabelPatch, LabelValue, Labels, PublicIpId, SnapshotId};
use sqlx::any::AnyRow;

use crate::addresses::read_address;
use crate::event::NewEvent;
use crate::list::Select;
use crate::row::{Columns as _, sql};
use crate::tx::Tx;
use crate::{Store, StoreError};

/// What has no change of its own but that of its labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Labelled {
    /// An instance: all else that is changed of it is an action.
    Instance(InstanceId),
    /// A snapshot.
    Snapshot(SnapshotId),
    /// A key pair.
    KeyPair(KeyPairId),
    /// A public IP.
    PublicIp(PublicIpId),
}

/// Writes down the labels of a new resource.
pub(crate) async fn write(
    tx: &mut Tx,
    project: &str,
    resource: &(impl ToString + ?Sized),
    labels: &Labels,
) -> Result<(), StoreError> {
    for (key, value) in labels.iter() {
        let insert = sql("INSERT INTO labels (project, resource, label_key, label_value) VALUES ($1, $2, $3, $4)")
            .bind(project.to_owned())
            .bind(resource.to_string())
            .bind(key.to_string())
            .bind(value.to_string());
        tx.run(insert).await?;
    }
    Ok(())
}

/// Changes the labels of a resource, whose own event is told by who calls this.
pub(crate) async fn change(
    tx: &mut Tx,
    project: &str,
    resource: &(impl ToString + ?Sized),
    patch: &LabelPatch,
) -> Result<(), StoreError> {
    if patch.is_empty() {
        return Ok(());
    }
    let query = sql("SELECT * FROM labels WHERE resource = $1").bind(resource.to_string());
    let labels = patch.apply(read(&tx.all(query).await?)?)?;
    remove(tx, resource).await?;
    write(tx, project, resource, &labels).await
}

/// Forgets the labels of a resource that is gone.
pub(crate) async fn remove(tx: &mut Tx, resource: &(impl ToString + ?Sized)) -> Result<(), StoreError> {
    let forget = sql("DELETE FROM labels WHERE resource = $1").bind(resource.to_string());
    tx.run(forget).await.map(|_| ())
}

fn read(rows: &[AnyRow]) -> Result<Labels, StoreError> {
    let label = |row: &AnyRow| Ok((row.parsed("label_key")?, row.parsed("label_value")?));
    let labels: BTreeMap<LabelKey, LabelValue> = rows.iter().map(label).collect::<Result<_, StoreError>>()?;
    Ok(Labels::try_from(labels)?)
}

impl Labelled {
    /// The resource's own row, the event that tells of a change, and what it is called.
    fn known(self) -> (&'static str, &'static str, &'static str, String) {
        match self {
            Self::Instance(id) => (
                "SELECT project, name FROM instances WHERE id = $1",
                "instance.changed",
                "instance",
                id.to_string(),
            ),
            Self::Snapshot(id) => (
                "SELECT project, name FROM snapshots WHERE id = $1 AND hidden = 0",
                "snapshot.changed",
                "snapshot",
                id.to_string(),
            ),
            Self::KeyPair(id) => (
                "SELECT project, name FROM keypairs WHERE id = $1",
                "keypair.changed",
                "key pair",
                id.to_string(),
            ),
            Self::PublicIp(id) => (
                "SELECT project, address FROM public_ips WHERE id = $1",
                "public_ip.changed",
                "public IP",
                id.to_string(),
            ),
        }
    }

    fn called(self, row: &AnyRow) -> Result<String, StoreError> {
        match self {
            Self::PublicIp(_) => read_address(row, "address").map(|address| address.to_string()),
            Self::Instance(_) | Self::Snapshot(_) | Self::KeyPair(_) => row.text("name"),
        }
    }
}

impl Store {
    /// Changes the labels of what has no other change, and tells of it; a patch that changes nothing does nothing.
    pub async fn change_labels(&self, of: Labelled, patch: &LabelPatch) -> Result<(), StoreError> {
        if patch.is_empty() {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        let (query, kind, what, id) = of.known();
        let row = tx.optional(sql(query).bind(id.clone())).await?;
        let row = row.ok_or_else(|| StoreError::not_found(what, &id))?;
        let project = row.text("project")?;
        change(&mut tx, &project, &id, patch).await?;
        tx.event(NewEvent::about(kind, &project, &id, &of.called(&row)?))
            .await?;
        tx.commit().await
    }

    /// The labels of these resources, in one query; none is mentioned that has none.
    pub async fn labels_of<Id: ToString>(&self, resources: &[Id]) -> Result<HashMap<String, Labels>, StoreError> {
        let mut rows: HashMap<String, Vec<AnyRow>> = HashMap::new();
        if resources.is_empty() {
            return Ok(HashMap::new());
        }
        let query = Select::from("SELECT * FROM labels t").one_of("t.resource", resources);
        for row in self.all(query.all()).await? {
            rows.entry(row.text("resource")?).or_default().push(row);
        }
        let labels = |(resource, rows): (String, Vec<AnyRow>)| Ok((resource, read(&rows)?));
        rows.into_iter().map(labels).collect()
    }
}
