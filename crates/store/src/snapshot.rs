//! Snapshots: what a volume held at one instant, for as long as somebody wants it.

use berth_model::{Gib, ImageId, LayerId, Name, OperationId, Resource, SnapshotId, VolumeId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;

use crate::event::NewEvent;
use crate::instance::canonical;
use crate::row::{Columns as _, sql, to_number, to_word};
use crate::tx::Tx;
use crate::usage::facts;
use crate::{Store, StoreError, image, label, layer};

/// What a snapshot's file system looks like to whoever mounts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Consistency {
    /// As after a loss of power: what was written is there, in order.
    Crash,
    /// The guest's agent had written out and frozen its file systems; or no guest had it.
    Application,
}

/// A snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotRecord {
    /// Its id.
    pub id: SnapshotId,
    /// The project it belongs to.
    pub project: String,
    /// Its name, unique in its project.
    pub name: Name,
    /// The volume it was taken of, which may be gone.
    pub volume: VolumeId,
    /// That volume's name.
    pub volume_name: Name,
    /// The layer it is.
    pub layer: LayerId,
    /// The image at the bottom of it.
    pub image: Option<ImageId>,
    /// The volume's size then.
    pub size: Gib,
    /// The operation that makes it; none once it is there.
    pub operation: Option<OperationId>,
    /// What it is worth.
    pub consistency: Consistency,
    /// When it was asked for.
    pub created_at: Timestamp,
}

impl SnapshotRecord {
    pub(crate) fn read(row: &AnyRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.parsed("id")?,
            project: row.text("project")?,
            name: row.parsed("name")?,
            volume: row.parsed("volume")?,
            volume_name: row.parsed("volume_name")?,
            layer: row.parsed("layer")?,
            image: row.maybe_parsed("image")?,
            size: Gib(row.number("size")?),
            operation: row.maybe_parsed("operation")?,
            consistency: row.word("consistency")?,
            created_at: row.time("created_at")?,
        })
    }
}

/// Writes down a snapshot that is about to be taken. One without a name is the daemon's own, and in no list.
/// [`StoreError::AlreadyExists`] if the project has one of that name.
pub(crate) async fn insert(tx: &mut Tx, new: &SnapshotRecord, hidden: bool) -> Result<(), StoreError> {
    let taken = "SELECT id FROM snapshots WHERE project = $1 AND name = $2";
    tx.check_name("snapshot", taken, (&new.project, &new.name)).await?;
    let insert = sql(
        "INSERT INTO snapshots (id, project, name, volume, volume_name, layer, image, size, operation, \
                      consistency, hidden, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(new.id.to_string())
    .bind(new.project.as_str())
    .bind(new.name.as_str())
    .bind(new.volume.to_string())
    .bind(new.volume_name.as_str())
    .bind(new.layer.to_string())
    .bind(new.image.map(|id| id.to_string()))
    .bind(to_number(new.size.0)?)
    .bind(new.operation.map(|id| id.to_string()))
    .bind(to_word(&new.consistency)?)
    .bind(i64::from(hidden))
    .bind(new.created_at.as_microsecond());
    tx.run(insert).await?;
    if !hidden {
        tx.charge(&new.project, Resource::Snapshots, 1);
    }
    Ok(())
}

/// Gives back what a snapshot that is gone was charged for.
fn free(tx: &mut Tx, row: &AnyRow) -> Result<(), StoreError> {
    if !row.flag("hidden")? {
        tx.free(&row.text("project")?, Resource::Snapshots, 1);
    }
    Ok(())
}

/// The snapshots that an operation takes are there; those that anybody may see are told.
pub(crate) async fn taken(tx: &mut Tx, operation: OperationId, how: Consistency) -> Result<(), StoreError> {
    let update = sql(
        "UPDATE snapshots SET operation = NULL, consistency = $1 WHERE operation = $2 \
                      RETURNING id, project, name, hidden",
    );
    let update = update.bind(to_word(&how)?).bind(operation.to_string());
    for row in tx.all(update).await? {
        if !row.flag("hidden")? {
            facts::snapshot(tx, row.parsed("id")?).await?;
            let event = NewEvent::about(
                "snapshot.created",
                &row.text("project")?,
                &row.text("id")?,
                &row.text("name")?,
            );
            tx.event(NewEvent {
                operation: Some(operation),
                ..event
            })
            .await?;
        }
    }
    Ok(())
}

/// The snapshots that an operation was to take will not be.
pub(crate) async fn not_taken(tx: &mut Tx, operation: OperationId) -> Result<(), StoreError> {
    let forget = sql("DELETE FROM snapshots WHERE operation = $1 RETURNING id, project, hidden");
    for row in tx.all(forget.bind(operation.to_string())).await? {
        label::remove(tx, &row.text("id")?).await?;
        free(tx, &row)?;
    }
    Ok(())
}

/// Forgets a snapshot: the layers that nothing needs any more.
pub(crate) async fn forget(tx: &mut Tx, id: SnapshotId) -> Result<Vec<LayerId>, StoreError> {
    let forget = sql("DELETE FROM snapshots WHERE id = $1 RETURNING layer, project, hidden");
    let Some(row) = tx.optional(forget.bind(id.to_string())).await? else {
        return Ok(Vec::new());
    };
    facts::end(tx, &id).await?;
    label::remove(tx, &id).await?;
    free(tx, &row)?;
    layer::release(tx, Some(row.parsed("layer")?)).await
}

/// What went with a snapshot: the files to remove.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Released {
    /// Layers that nothing needs any more.
    pub layers: Vec<LayerId>,
    /// Shelves that nothing stands on any more.
    pub shelves: Vec<ImageId>,
}

impl Store {
    /// A snapshot.
    pub async fn snapshot(&self, id: SnapshotId) -> Result<Option<SnapshotRecord>, StoreError> {
        let query = sql("SELECT * FROM snapshots WHERE id = $1").bind(id.to_string());
        self.one(query, SnapshotRecord::read).await
    }

    /// The snapshot of a project with that name or id.
    pub async fn find_snapshot(&self, project: &str, reference: &str) -> Result<SnapshotRecord, StoreError> {
        let query = sql("SELECT * FROM snapshots WHERE project = $1 AND (id = $2 OR name = $2) AND hidden = 0");
        let query = query.bind(project).bind(canonical::<SnapshotId>(reference));
        let found = self.one(query, SnapshotRecord::read).await?;
        found.ok_or_else(|| StoreError::not_found("snapshot", reference))
    }

    /// Forgets a snapshot. What was made from it keeps the layers it stands on; what nothing needs is to be removed.
    /// [`StoreError::InUse`] while it is being taken.
    pub async fn delete_snapshot(&self, id: SnapshotId) -> Result<Released, StoreError> {
        let mut tx = self.begin().await?;
        let query = sql("SELECT project, name, operation FROM snapshots WHERE id = $1").bind(id.to_string());
        let row = tx
            .optional(query)
            .await?
            .ok_or_else(|| StoreError::not_found("snapshot", &id))?;
        if let Some(operation) = row.maybe_text("operation")? {
            return Err(StoreError::InUse {
                what: "snapshot",
                by: format!("operation {operation}, which takes it"),
            });
        }
        let layers = forget(&mut tx, id).await?;
        let shelves = image::forget_shelves(&mut tx).await?;
        tx.event(NewEvent::about(
            "snapshot.deleted",
            &row.text("project")?,
            &id,
            &row.text("name")?,
        ))
        .await?;
        tx.commit().await?;
        Ok(Released { layers, shelves })
    }
}
