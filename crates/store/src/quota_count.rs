//! What the records say that each project has: the counters equal it, from the first start of a daemon that has them.
//!
//! Counted from the records themselves, all of them: for a database that is older than the counters, and for `berth host
//! check`, which tells a difference. There is none unless Berth has a defect; nothing corrects one by itself, for that
//! would hide it.

use std::collections::{BTreeMap, BTreeSet};

use berth_model::{Resource, Visibility};

use crate::instance::instances;
use crate::quota::by_resource;
use crate::row::{Columns as _, sql};
use crate::security_group::GroupRecord;
use crate::task::Task;
use crate::tx::Tx;
use crate::{InstanceRecord, Store, StoreError};

/// A counter that is not what the records say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Miscounted {
    /// The project.
    pub project: String,
    /// Of what.
    pub resource: Resource,
    /// What it is charged for.
    pub charged: i64,
    /// What it has.
    pub counted: i64,
}

/// Amounts by project and resource; what isn't mentioned is 0.
type Counted = BTreeMap<(String, Resource), i64>;

/// What is counted by the database.
const COUNTS: [(Resource, &str); 8] = [
    (
        Resource::Volumes,
        "SELECT project, COUNT(*) AS amount FROM volumes GROUP BY project",
    ),
    (
        Resource::VolumeGb,
        "SELECT project, CAST(SUM(charged) AS BIGINT) AS amount FROM volumes GROUP BY project",
    ),
    (
        Resource::Snapshots,
        "SELECT project, COUNT(*) AS amount FROM snapshots WHERE hidden = 0 GROUP BY project",
    ),
    (
        Resource::Images,
        "SELECT project, COUNT(*) AS amount FROM images WHERE public = 0 AND shelf_of IS NULL GROUP BY project",
    ),
    (
        Resource::Vpcs,
        "SELECT project, COUNT(*) AS amount FROM vpcs GROUP BY project",
    ),
    (
        Resource::Subnets,
        "SELECT v.project, COUNT(*) AS amount FROM subnets s JOIN vpcs v ON v.id = s.vpc GROUP BY v.project",
    ),
    (
        Resource::PublicIps,
        "SELECT project, COUNT(*) AS amount FROM public_ips GROUP BY project",
    ),
    (
        Resource::KeyPairs,
        "SELECT project, COUNT(*) AS amount FROM keypairs GROUP BY project",
    ),
];

async fn count(tx: &mut Tx) -> Result<Counted, StoreError> {
    let mut counted = Counted::new();
    for (resource, query) in COUNTS {
        for row in tx.all(sql(query)).await? {
            counted.insert((row.text("project")?, resource), row.number("amount")?);
        }
    }
    let mut add = |project: &str, resource, amount: i64| {
        *counted.entry((project.to_owned(), resource)).or_default() += amount;
    };
    for row in tx.all(sql(instances!())).await? {
        let record = InstanceRecord::read(&row)?;
        add(&record.project, Resource::Instances, 1);
        for (resource, amount) in by_resource(record.capacity()) {
            add(&record.project, resource, amount);
        }
    }
    for row in tx.all(sql("SELECT * FROM security_groups")).await? {
        let group = GroupRecord::read(&row)?;
        add(&group.project, Resource::SecurityGroups, 1);
        add(&group.project, Resource::SecurityGroupRules, group.amount_of_rules());
    }
    // An image that is on its way has no record yet, and its place is taken.
    let tasks = sql("SELECT params FROM operations WHERE finished_at IS NULL \
                     AND (action LIKE 'volume.%' OR action LIKE 'image.%')");
    for row in tx.all(tasks).await? {
        let task: Task = row.json("params")?;
        if let Some(image) = task
            .image_record()
            .filter(|image| image.visibility == Visibility::Private)
        {
            add(&image.project, Resource::Images, 1);
        }
    }
    Ok(counted)
}

/// Charges for all that was there before there were counters.
pub(crate) async fn charge_older(store: &Store) -> Result<(), StoreError> {
    let mut tx = store.begin().await?;
    if tx
        .run(sql(
            "UPDATE counters SET value = 1 WHERE name = 'charged' AND value = 0",
        ))
        .await?
        == 0
    {
        return Ok(());
    }
    tx.run(sql("DELETE FROM charges")).await?;
    for ((project, resource), amount) in count(&mut tx).await? {
        tx.owe(&project, resource, amount);
    }
    tx.commit().await
}

impl Store {
    /// The counters that are not what the records say: none, unless Berth has a defect. Reads every record at one
    /// instant, and lets nobody write meanwhile.
    pub async fn miscounted(&self) -> Result<Vec<Miscounted>, StoreError> {
        let mut tx = self.begin().await?;
        let counted = count(&mut tx).await?;
        let mut charged = Counted::new();
        for row in tx.all(sql("SELECT project, resource, used FROM charges")).await? {
            charged.insert((row.text("project")?, row.parsed("resource")?), row.number("used")?);
        }
        let all: BTreeSet<_> = counted.keys().chain(charged.keys()).collect();
        let of = |amounts: &Counted, key| amounts.get(key).copied().unwrap_or_default();
        let both = all.into_iter().map(|key| Miscounted {
            project: key.0.clone(),
            resource: key.1,
            charged: of(&charged, key),
            counted: of(&counted, key),
        });
        Ok(both.filter(|it| it.charged != it.counted).collect())
    }
}
