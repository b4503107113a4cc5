//! The ledger's first entries: what was counted before there was one, and what is there when it begins.
//!
//! Until then the database held intervals of billed time by the wall clock, without states. They are taken over as time
//! in the state `Billed`, on metered time that is the wall clock's since the first of them; the table goes in the same
//! transaction. Volumes, snapshots, images and public IPs are metered from then on.

use berth_model::metering::{LedgerKind, Meter, Window};
use berth_model::{SnapshotId, VolumeId};
use sqlx::any::AnyRow;

use super::clock;
use super::facts;
use super::ledger::{self, Fact, Writing, mark};
use crate::instance::instances;
use crate::row::{Columns as _, sql};
use crate::tx::Tx;
use crate::{ImageRecord, InstanceRecord, PublicIpRecord, StoreError};

/// What the boots of the host before the ledger are called in it.
const BEFORE: &str = "before the ledger";
/// The state of what was billed then.
const BILLED: &str = "Billed";

/// Begins the ledger if it is empty, and anchors the clock if the host has booted.
pub(crate) async fn begin(tx: &mut Tx) -> Result<(), StoreError> {
    let any = sql("SELECT number FROM ledger ORDER BY number LIMIT 1");
    if tx.optional(any).await?.is_none() {
        take_over(tx).await?;
        tx.run(sql("DROP TABLE usage_intervals")).await?;
        what_is_there(tx).await?;
    }
    let meter = ledger::head(tx).await?.meter.clone();
    clock::write(tx, &meter).await
}

/// An end of an interval that was counted before.
struct Edge {
    at: i64,
    begins: bool,
    fact: Fact,
}

async fn take_over(tx: &mut Tx) -> Result<(), StoreError> {
    let query = sql("SELECT instance, instance_name, project, instance_type, began, ended FROM usage_intervals");
    let mut edges = Vec::new();
    for row in tx.all(query).await? {
        let fact = before(&row)?;
        let window = Window {
            from: Some(row.number("began")?),
            to: row.maybe_number("ended")?,
        };
        edges.extend(window.to.map(|at| Edge {
            at,
            begins: false,
            fact: fact.clone(),
        }));
        edges.extend(window.from.map(|at| Edge { at, begins: true, fact }));
    }
    // Of two intervals that follow each other the one ends before the other begins.
    edges.sort_by_key(|edge| (edge.at, edge.begins));
    let Some(first) = edges.first().map(|edge| edge.at) else {
        return Ok(());
    };
    let now = tx.micros().max(edges.last().map_or(first, |edge| edge.at));
    let meter = Meter {
        boot: BEFORE.to_owned(),
        shift: 0,
        skew: first,
        alive: now - first,
    };
    tx.ledger = Some(Writing {
        head: berth_model::metering::Head::default(),
        meter: meter.clone(),
    });
    let anchor = mark(LedgerKind::Clock, (BEFORE.to_owned(), "boot".to_owned()), 0);
    ledger::write(tx, anchor, (0, first), None).await?;
    let mut open = std::collections::HashMap::new();
    for edge in edges {
        let (resource, at) = (edge.fact.resource.clone(), (edge.at - first, edge.at));
        if edge.begins {
            open.insert(resource, ledger::write(tx, edge.fact, at, None).await?);
        } else {
            let gone = Fact {
                state: None,
                billed: false,
                ..edge.fact
            };
            ledger::write(tx, gone, at, open.remove(&resource)).await?;
        }
    }
    for (resource, number) in open {
        let keep = sql("INSERT INTO metered (resource, number) VALUES ($1, $2)");
        tx.run(keep.bind(resource).bind(number)).await?;
    }
    // What comes next is of this boot, from this moment on.
    clock::write(tx, &meter).await?;
    tx.ledger = None;
    Ok(())
}

fn before(row: &AnyRow) -> Result<Fact, StoreError> {
    Ok(Fact {
        kind: LedgerKind::Instance,
        project: row.text("project")?,
        resource: row.text("instance")?,
        name: row.text("instance_name")?,
        state: Some(BILLED.to_owned()),
        billed: true,
        rate: row.text("instance_type")?,
        quantity: 1,
    })
}

async fn what_is_there(tx: &mut Tx) -> Result<(), StoreError> {
    for row in tx.all(sql(instances!("ORDER BY i.id"))).await? {
        facts::instance(tx, &InstanceRecord::read(&row)?).await?;
    }
    for row in tx.all(sql("SELECT id FROM volumes ORDER BY id")).await? {
        facts::volume(tx, row.parsed::<VolumeId>("id")?).await?;
    }
    for row in tx.all(sql("SELECT id FROM snapshots ORDER BY id")).await? {
        facts::snapshot(tx, row.parsed::<SnapshotId>("id")?).await?;
    }
    for row in tx.all(sql("SELECT * FROM images ORDER BY id")).await? {
        facts::image(tx, &ImageRecord::read(&row)?).await?;
    }
    for row in tx.all(sql("SELECT * FROM public_ips ORDER BY id")).await? {
        facts::public_ip(tx, &PublicIpRecord::read(&row)?).await?;
    }
    Ok(())
}
