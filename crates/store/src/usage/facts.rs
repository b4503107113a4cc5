//! What each resource is metered as, read from its own row: called by whatever may have changed it, in its transaction.

use berth_model::metering::LedgerKind;
use berth_model::{Gib, InstanceId, SnapshotId, VolumeId, VolumeState};
use sqlx::any::AnyRow;

use super::ledger::{self, Fact};
use crate::row::{Columns as _, sql, to_number};
use crate::tx::Tx;
use crate::{ImageRecord, InstanceRecord, PublicIpRecord, StoreError};

pub(crate) use super::ledger::end;

/// What is metered of something that has no documented states to tell apart: that it is there.
const STORED: &str = "Stored";
const ALLOCATED: &str = "Allocated";

/// An instance is in the state that its record says: every documented state is told, so that a bill can be by state.
pub(crate) async fn instance(tx: &mut Tx, record: &InstanceRecord) -> Result<(), StoreError> {
    let state = record.standing.state();
    let fact = Fact {
        kind: LedgerKind::Instance,
        project: record.project.clone(),
        resource: record.id.to_string(),
        name: record.name.to_string(),
        state: Some(state.to_string()),
        billed: state.billed(),
        rate: record.instance_type.name.clone(),
        quantity: 1,
    };
    ledger::set(tx, fact).await
}

/// A volume may have another size, state or type than before, or be gone.
pub(crate) async fn volume(tx: &mut Tx, id: VolumeId) -> Result<(), StoreError> {
    let query = sql("SELECT id, project, name, size, state, volume_type FROM volumes WHERE id = $1");
    match tx.optional(query.bind(id.to_string())).await? {
        Some(row) => ledger::set(tx, of_volume(&row)?).await,
        None => end(tx, &id).await,
    }
}

/// The volumes of an instance may be others than before.
pub(crate) async fn volumes_of(tx: &mut Tx, instance: InstanceId) -> Result<(), StoreError> {
    let query =
        sql("SELECT id, project, name, size, state, volume_type FROM volumes WHERE instance = $1 ORDER BY slot");
    for row in tx.all(query.bind(instance.to_string())).await? {
        ledger::set(tx, of_volume(&row)?).await?;
    }
    Ok(())
}

fn of_volume(row: &AnyRow) -> Result<Fact, StoreError> {
    let billed = row.parsed::<VolumeState>("state")?.billed();
    Ok(Fact {
        kind: LedgerKind::Volume,
        project: row.text("project")?,
        resource: row.text("id")?,
        name: row.text("name")?,
        state: billed.then(|| STORED.to_owned()),
        billed,
        rate: row.text("volume_type")?,
        quantity: row.number("size")?,
    })
}

/// A snapshot is there.
pub(crate) async fn snapshot(tx: &mut Tx, id: SnapshotId) -> Result<(), StoreError> {
    let query = sql("SELECT id, project, name, size FROM snapshots WHERE id = $1 AND operation IS NULL AND hidden = 0");
    let Some(row) = tx.optional(query.bind(id.to_string())).await? else {
        return Ok(());
    };
    let fact = Fact {
        kind: LedgerKind::Snapshot,
        project: row.text("project")?,
        resource: row.text("id")?,
        name: row.text("name")?,
        state: Some(STORED.to_owned()),
        billed: true,
        rate: String::new(),
        quantity: row.number("size")?,
    };
    ledger::set(tx, fact).await
}

/// An image is there, or is seen by others than before: what is everybody's is nobody's to pay, and a shelf is its
/// volume's.
pub(crate) async fn image(tx: &mut Tx, image: &ImageRecord) -> Result<(), StoreError> {
    let billed = image.visibility == berth_model::Visibility::Private && image.shelf_of.is_none();
    let fact = Fact {
        kind: LedgerKind::Image,
        project: image.project.clone(),
        resource: image.id.to_string(),
        name: image.name.to_string(),
        state: billed.then(|| STORED.to_owned()),
        billed,
        rate: String::new(),
        quantity: to_number(Gib::holding(image.file_size).0)?,
    };
    ledger::set(tx, fact).await
}

/// A public IP was taken from its pool.
pub(crate) async fn public_ip(tx: &mut Tx, public: &PublicIpRecord) -> Result<(), StoreError> {
    let fact = Fact {
        kind: LedgerKind::PublicIp,
        project: public.project.clone(),
        resource: public.id.to_string(),
        name: public.address.to_string(),
        state: Some(ALLOCATED.to_owned()),
        billed: true,
        rate: public.pool.clone(),
        quantity: 1,
    };
    ledger::set(tx, fact).await
}
