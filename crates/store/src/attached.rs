//! What becomes of the volumes of an instance when the instance moves: in the transactions that move it.

use berth_model::{Gib, ImageId, InstanceId, LayerId, Name, VolumeAction, VolumeId, VolumeState};

use crate::layer::{self, Base};
use crate::row::{Columns as _, sql, to_number};
use crate::tx::Tx;
use crate::usage::facts;
use crate::{Store, StoreError, label, task_begin, volume};

/// Sets the state of an instance's root volume: it follows the steps of its instance.
pub(crate) async fn set_root_state(tx: &mut Tx, instance: InstanceId, state: VolumeState) -> Result<(), StoreError> {
    let update = sql("UPDATE volumes SET state = $1 WHERE instance = $2 AND root = 1");
    tx.run(update.bind(state.as_str()).bind(instance.to_string())).await?;
    facts::volumes_of(tx, instance).await
}

/// Writes down that an instance's root volume has grown.
pub(crate) async fn grow_root(tx: &mut Tx, instance: InstanceId, size: Gib) -> Result<(), StoreError> {
    let update = sql("UPDATE volumes SET size = $1 WHERE instance = $2 AND root = 1 AND size < $1");
    tx.run(update.bind(to_number(size.0)?).bind(instance.to_string()))
        .await?;
    facts::volumes_of(tx, instance).await
}

/// Charges for an instance's root volume what a resize makes it, or what it is.
pub(crate) async fn charge_root(tx: &mut Tx, instance: InstanceId, size: Option<Gib>) -> Result<(), StoreError> {
    let root = sql("SELECT id FROM volumes WHERE instance = $1 AND root = 1").bind(instance.to_string());
    match tx.optional(root).await? {
        Some(row) => volume::charge(tx, row.parsed("id")?, size).await,
        None => Ok(()),
    }
}

/// Puts an instance's root volume on another image.
pub(crate) async fn set_root_image(tx: &mut Tx, instance: InstanceId, image: ImageId) -> Result<(), StoreError> {
    let update = sql("UPDATE volumes SET image = $1 WHERE instance = $2 AND root = 1");
    tx.run(update.bind(image.to_string()).bind(instance.to_string()))
        .await
        .map(|_| ())
}

/// Sets the state of every volume that is attached to an instance, and tells it of those that aren't its root.
pub(crate) async fn set_state(tx: &mut Tx, instance: InstanceId, state: VolumeState) -> Result<(), StoreError> {
    let update = sql("UPDATE volumes SET state = $1 WHERE instance = $2 AND state <> $1 RETURNING id, root");
    let rows = tx.all(update.bind(state.as_str()).bind(instance.to_string())).await?;
    for row in rows {
        if !row.flag("root")? {
            volume::tell(tx, row.parsed("id")?, state, (None, None)).await?;
        }
    }
    facts::volumes_of(tx, instance).await
}

/// Takes a free volume for an instance that is being made. [`StoreError::VolumeRefused`] if it isn't free.
pub(crate) async fn take(
    tx: &mut Tx,
    id: VolumeId,
    (instance, slot): (InstanceId, u32),
    delete: bool,
) -> Result<(), StoreError> {
    let volume = volume::load(tx, id).await?;
    task_begin::may(&volume, VolumeAction::Attach)?;
    let state = VolumeState::Attaching;
    let update = sql(
        "UPDATE volumes SET state = $1, instance = $2, slot = $3, delete_on_termination = $4, fault = NULL \
                      WHERE id = $5",
    )
    .bind(state.as_str())
    .bind(instance.to_string())
    .bind(i64::from(slot))
    .bind(i64::from(delete))
    .bind(id.to_string());
    tx.run(update).await?;
    volume::tell(tx, id, state, (None, None)).await
}

/// A create failed: what was made with the instance is in Error, what was there before is free again.
pub(crate) async fn not_created(tx: &mut Tx, instance: InstanceId) -> Result<(), StoreError> {
    // What is older than the instance was not made with it.
    let free = sql(
        "UPDATE volumes SET state = $1, instance = NULL, slot = NULL, delete_on_termination = 0 \
                    WHERE instance = $2 AND created_at <> (SELECT created_at FROM instances i WHERE i.id = $2) \
                    RETURNING id",
    )
    .bind(VolumeState::Available.as_str())
    .bind(instance.to_string());
    for row in tx.all(free).await? {
        let id: VolumeId = row.parsed("id")?;
        facts::volume(tx, id).await?;
        volume::tell(tx, id, VolumeState::Available, (None, None)).await?;
    }
    let never = sql("SELECT id, layer FROM volumes WHERE instance = $1").bind(instance.to_string());
    for row in tx.all(never).await? {
        let forget = sql("UPDATE volumes SET layer = NULL WHERE id = $1").bind(row.text("id")?);
        tx.run(forget).await?;
        layer::release(tx, row.maybe_parsed("layer")?).await?;
    }
    set_state(tx, instance, VolumeState::Error).await
}

/// An instance is unshelved: its root volume gets a new layer, on its shelf.
pub(crate) async fn unshelve(tx: &mut Tx, instance: InstanceId, layer: LayerId) -> Result<(), StoreError> {
    let query = sql("SELECT id, image, layer FROM volumes WHERE instance = $1 AND root = 1");
    let Some(row) = tx.optional(query.bind(instance.to_string())).await? else {
        return Ok(());
    };
    let base = Base {
        parent: None,
        image: row.maybe_parsed("image")?,
    };
    layer::insert(tx, layer, base).await?;
    let put = sql("UPDATE volumes SET layer = $1 WHERE id = $2").bind(layer.to_string());
    tx.run(put.bind(row.text("id")?)).await?;
    layer::release(tx, row.maybe_parsed("layer")?).await.map(|_| ())
}

/// An instance is gone: so are the volumes that go with it, the others are free.
pub(crate) async fn leave(tx: &mut Tx, instance: InstanceId) -> Result<(), StoreError> {
    // What was never made goes with the instance that it was made for.
    let gone = sql("DELETE FROM volumes WHERE instance = $1 \
                    AND (delete_on_termination = 1 OR layer IS NULL) RETURNING id, layer, project, charged");
    for row in tx.all(gone.bind(instance.to_string())).await? {
        facts::end(tx, &row.text("id")?).await?;
        label::remove(tx, &row.text("id")?).await?;
        volume::free(tx, &row)?;
        layer::release(tx, row.maybe_parsed("layer")?).await?;
    }
    let free = sql(
        "UPDATE volumes SET instance = NULL, slot = NULL, root = 0, delete_on_termination = 0, \
                    state = CASE WHEN operation IS NULL AND state <> $3 THEN $1 ELSE state END, \
                    origin = CASE WHEN operation IS NULL THEN NULL ELSE $1 END \
                    WHERE instance = $2 RETURNING id, name, project, state",
    )
    .bind(VolumeState::Available.as_str())
    .bind(instance.to_string())
    .bind(VolumeState::Error.as_str());
    for row in tx.all(free).await? {
        let (id, name): (VolumeId, Name) = (row.parsed("id")?, row.parsed("name")?);
        make_unique(tx, id, &row.text("project")?, name).await?;
        facts::volume(tx, id).await?;
        volume::tell(tx, id, row.parsed("state")?, (None, None)).await?;
    }
    Ok(())
}

/// A root volume that outlives its instance had the instance's name, which another volume may have: then it is called
/// after its id as well.
async fn make_unique(tx: &mut Tx, id: VolumeId, project: &str, name: Name) -> Result<(), StoreError> {
    let others = sql("SELECT id FROM volumes WHERE project = $1 AND name = $2 AND root = 0 AND id <> $3 LIMIT 1")
        .bind(project.to_owned())
        .bind(name.to_string())
        .bind(id.to_string());
    if tx.optional(others).await?.is_none() {
        return Ok(());
    }
    // The end of an id is its random part.
    let short: String = id.to_string().chars().rev().take(8).collect();
    let begins: String = name.as_str().chars().take(Name::MAX - 9).collect();
    let other: Name = format!("{begins}-{short}")
        .parse()
        .map_err(|error| StoreError::corrupt("name", &error))?;
    let rename = sql("UPDATE volumes SET name = $1 WHERE id = $2").bind(other.to_string());
    tx.run(rename.bind(id.to_string())).await.map(|_| ())
}

impl Store {
    /// A guest has let go of a volume that was asked back long before, or by itself: it is free. `false` if an operation
    /// has it, or it isn't attached there any more.
    pub async fn let_go(&self, id: VolumeId, instance: InstanceId) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let free = sql(
            "UPDATE volumes SET state = $1, instance = NULL, slot = NULL, delete_on_termination = 0 \
                        WHERE id = $2 AND instance = $3 AND state = $4 AND operation IS NULL AND root = 0",
        )
        .bind(VolumeState::Available.as_str())
        .bind(id.to_string())
        .bind(instance.to_string())
        .bind(VolumeState::InUse.as_str());
        if tx.run(free).await? != 1 {
            return Ok(false);
        }
        let message = Some("the guest has let go of it".to_owned());
        volume::tell(&mut tx, id, VolumeState::Available, (None, message)).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Forgets the layers of a shelved instance's root volume: all of it is on the shelf. The files to remove.
    pub async fn forget_root_layers(&self, instance: InstanceId) -> Result<Vec<LayerId>, StoreError> {
        let mut tx = self.begin().await?;
        let query = sql("SELECT id, layer FROM volumes WHERE instance = $1 AND root = 1 AND state = $2");
        let query = query.bind(instance.to_string()).bind(VolumeState::Reserved.as_str());
        let Some(row) = tx.optional(query).await? else {
            return Ok(Vec::new());
        };
        let Some(top) = row.maybe_parsed::<LayerId>("layer")? else {
            return Ok(Vec::new());
        };
        let forget = sql("UPDATE volumes SET layer = NULL WHERE id = $1").bind(row.text("id")?);
        tx.run(forget).await?;
        let gone = layer::release(&mut tx, Some(top)).await?;
        tx.commit().await?;
        Ok(gone)
    }
}
