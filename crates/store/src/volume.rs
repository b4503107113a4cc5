//! Volumes: reading them, and the little that is changed without an operation. What moves them is `task_begin` and
//! `task_end`; a root volume also follows the steps of its instance (`attached`).

use berth_model::{Gib, ImageId, InstanceId, LabelPatch, LayerId, Name, OperationId, Resource, VolumeId, VolumeState};
use jiff::Timestamp;
use sqlx::any::AnyRow;

use crate::event::NewEvent;
use crate::instance::canonical;
use crate::port_query::in_instances;
use crate::row::{Columns as _, sql, to_number};
use crate::snapshot::Released;
use crate::tx::Tx;
use crate::usage::facts;
use crate::{Fault, Page, Store, StoreError, image, label, layer};

/// A volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeRecord {
    /// Its id; also its serial number in the guest.
    pub id: VolumeId,
    /// The project it belongs to.
    pub project: String,
    /// Its name; that of a root volume is its instance's.
    pub name: Name,
    /// The instance it is attached to.
    pub instance: Option<InstanceId>,
    /// The image at the bottom of it.
    pub image: Option<ImageId>,
    /// The layer that is written; none if nothing of it is there.
    pub layer: Option<LayerId>,
    /// Its size.
    pub size: Gib,
    /// Its documented state.
    pub state: VolumeState,
    /// The operation that moves it.
    pub operation: Option<OperationId>,
    /// Whether its instance starts from it.
    pub root: bool,
    /// Its place among the disks of its instance: 0 is the root volume.
    pub slot: Option<u32>,
    /// Whether it goes when its instance does.
    pub delete_on_termination: bool,
    /// The name of its type.
    pub volume_type: String,
    /// What went wrong last, until an action puts it right.
    pub fault: Option<Fault>,
    /// When it was asked for.
    pub created_at: Timestamp,
}

/// What is to be changed of a volume: only what is given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChangeVolume {
    /// Its name.
    pub name: Option<Name>,
    /// Whether it goes when its instance does.
    pub delete_on_termination: Option<bool>,
    /// What changes of its labels.
    pub labels: LabelPatch,
}

/// The volume of a project that has a name, and isn't the root of an instance, whose name is the instance's.
pub(crate) const TAKEN: &str = "SELECT id FROM volumes WHERE project = $1 AND name = $2 AND root = 0 LIMIT 1";

impl VolumeRecord {
    pub(crate) fn read(row: &AnyRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.parsed("id")?,
            project: row.text("project")?,
            name: row.parsed("name")?,
            instance: row.maybe_parsed("instance")?,
            image: row.maybe_parsed("image")?,
            layer: row.maybe_parsed("layer")?,
            size: Gib(row.number("size")?),
            state: row.parsed("state")?,
            operation: row.maybe_parsed("operation")?,
            root: row.flag("root")?,
            slot: row.maybe_number("slot")?.and_then(|slot| slot.try_into().ok()),
            delete_on_termination: row.flag("delete_on_termination")?,
            volume_type: row.text("volume_type")?,
            fault: row.maybe_json("fault")?,
            created_at: row.time("created_at")?,
        })
    }
}

/// A volume that an operation moves.
pub(crate) struct Moved {
    pub(crate) id: VolumeId,
    /// The state at rest before it; none while the volume is made.
    pub(crate) origin: Option<VolumeState>,
}

/// The volumes that an operation moves.
pub(crate) async fn moved_by(tx: &mut Tx, operation: OperationId) -> Result<Vec<Moved>, StoreError> {
    let query = sql("SELECT id, origin FROM volumes WHERE operation = $1 ORDER BY id");
    let rows = tx.all(query.bind(operation.to_string())).await?;
    let read = |row: &AnyRow| {
        Ok(Moved {
            id: row.parsed("id")?,
            origin: row.maybe_parsed("origin")?,
        })
    };
    rows.iter().map(read).collect()
}

/// Reads a volume within a transaction.
pub(crate) async fn load(tx: &mut Tx, id: VolumeId) -> Result<VolumeRecord, StoreError> {
    let query = sql("SELECT * FROM volumes WHERE id = $1").bind(id.to_string());
    let row = tx.optional(query).await?;
    VolumeRecord::read(&row.ok_or_else(|| StoreError::not_found("volume", &id))?)
}

/// Writes a new volume.
pub(crate) async fn insert(tx: &mut Tx, volume: &VolumeRecord) -> Result<(), StoreError> {
    let insert = sql("INSERT INTO volumes \
                      (id, project, name, instance, image, layer, size, state, operation, root, slot, \
                      delete_on_termination, volume_type, created_at, charged) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $7)")
    .bind(volume.id.to_string())
    .bind(volume.project.as_str())
    .bind(volume.name.as_str())
    .bind(volume.instance.map(|id| id.to_string()))
    .bind(volume.image.map(|id| id.to_string()))
    .bind(volume.layer.map(|id| id.to_string()))
    .bind(to_number(volume.size.0)?)
    .bind(volume.state.as_str())
    .bind(volume.operation.map(|id| id.to_string()))
    .bind(i64::from(volume.root))
    .bind(volume.slot.map(i64::from))
    .bind(i64::from(volume.delete_on_termination))
    .bind(volume.volume_type.as_str())
    .bind(tx.micros());
    tx.run(insert).await?;
    tx.charge(&volume.project, Resource::Volumes, 1);
    tx.charge(&volume.project, Resource::VolumeGb, to_number(volume.size.0)?);
    Ok(())
}

/// Charges for a volume what is asked for it, if that is more than its size; else its size.
pub(crate) async fn charge(tx: &mut Tx, id: VolumeId, asked: Option<Gib>) -> Result<(), StoreError> {
    let query = sql("SELECT project, size, charged FROM volumes WHERE id = $1").bind(id.to_string());
    let Some(row) = tx.optional(query).await? else {
        return Ok(());
    };
    let (size, charged): (i64, i64) = (row.number("size")?, row.number("charged")?);
    let asked = asked.map(|asked| to_number(asked.0)).transpose()?;
    let (project, now) = (row.text("project")?, asked.map_or(size, |asked| asked.max(size)));
    match asked {
        Some(_) => tx.charge(&project, Resource::VolumeGb, now - charged),
        None => tx.owe(&project, Resource::VolumeGb, now - charged),
    }
    let update = sql("UPDATE volumes SET charged = $1 WHERE id = $2").bind(now);
    tx.run(update.bind(id.to_string())).await.map(|_| ())
}

/// Gives back what a volume that is gone was charged for.
pub(crate) fn free(tx: &mut Tx, row: &AnyRow) -> Result<(), StoreError> {
    let project = row.text("project")?;
    tx.free(&project, Resource::Volumes, 1);
    tx.free(&project, Resource::VolumeGb, row.number("charged")?);
    Ok(())
}

/// Tells the documented state that a volume is in now.
pub(crate) async fn tell(
    tx: &mut Tx,
    id: VolumeId,
    state: VolumeState,
    (operation, message): (Option<OperationId>, Option<String>),
) -> Result<(), StoreError> {
    let query = sql("SELECT project, name FROM volumes WHERE id = $1").bind(id.to_string());
    let row = tx
        .optional(query)
        .await?
        .ok_or_else(|| StoreError::not_found("volume", &id))?;
    let event = NewEvent::about("volume.state", &row.text("project")?, &id, &row.text("name")?);
    tx.event(NewEvent {
        state: Some(state.as_str()),
        operation,
        message,
        ..event
    })
    .await
}

/// Forgets a volume, and the layers that nothing else needs.
pub(crate) async fn remove(tx: &mut Tx, id: VolumeId, operation: OperationId) -> Result<Released, StoreError> {
    let forget = sql("DELETE FROM volumes WHERE id = $1 RETURNING name, layer, project, charged");
    let Some(row) = tx.optional(forget.bind(id.to_string())).await? else {
        return Ok(Released::default());
    };
    facts::end(tx, &id).await?;
    label::remove(tx, &id).await?;
    free(tx, &row)?;
    let layers = layer::release(tx, row.maybe_parsed("layer")?).await?;
    let event = NewEvent::about("volume.deleted", &row.text("project")?, &id, &row.text("name")?);
    tx.event(NewEvent {
        operation: Some(operation),
        ..event
    })
    .await?;
    let shelves = image::forget_shelves(tx).await?;
    Ok(Released { layers, shelves })
}

impl Store {
    /// A volume.
    pub async fn volume(&self, id: VolumeId) -> Result<Option<VolumeRecord>, StoreError> {
        self.one(
            sql("SELECT * FROM volumes WHERE id = $1").bind(id.to_string()),
            VolumeRecord::read,
        )
        .await
    }

    /// The volume of a project with that name or id. A root volume has the name of its instance, and steps back for
    /// another volume of that name.
    pub async fn find_volume(&self, project: &str, reference: &str) -> Result<VolumeRecord, StoreError> {
        let query = sql("SELECT * FROM volumes WHERE project = $1 AND (id = $2 OR name = $2) ORDER BY root LIMIT 1");
        let query = query.bind(project).bind(canonical::<VolumeId>(reference));
        let found = self.one(query, VolumeRecord::read).await?;
        found.ok_or_else(|| StoreError::not_found("volume", reference))
    }

    /// The volumes of an instance, in the order of its disks.
    pub async fn volumes_of_instance(&self, id: InstanceId) -> Result<Vec<VolumeRecord>, StoreError> {
        let query = sql("SELECT * FROM volumes WHERE instance = $1 ORDER BY slot, id").bind(id.to_string());
        self.list(query, VolumeRecord::read).await
    }

    /// The volumes of the instances of a page, in one query.
    pub async fn volumes_of_instances(&self, ids: &[InstanceId]) -> Result<Vec<VolumeRecord>, StoreError> {
        match in_instances("SELECT * FROM volumes", ids) {
            Some(query) => self.list(query, VolumeRecord::read).await,
            None => Ok(Vec::new()),
        }
    }

    /// A page of all volumes, in the order of their ids.
    pub async fn every_volume(&self, page: Page<VolumeId>) -> Result<Vec<VolumeRecord>, StoreError> {
        let query = sql("SELECT * FROM volumes WHERE id > $1 ORDER BY id LIMIT $2")
            .bind(page.after())
            .bind(i64::from(page.limit));
        self.list(query, VolumeRecord::read).await
    }

    /// Changes what is given of a volume: all that is asked, or nothing.
    ///
    /// Errors: [`StoreError::RootVolume`] for the name of a root volume, which is its instance's,
    /// [`StoreError::AlreadyExists`], [`StoreError::NotAttached`] for one that has no instance to go with.
    pub async fn change_volume(&self, id: VolumeId, change: &ChangeVolume) -> Result<VolumeRecord, StoreError> {
        let mut tx = self.begin().await?;
        let mut volume = load(&mut tx, id).await?;
        if let Some(to) = change.name.as_ref().filter(|to| **to != volume.name) {
            if volume.root {
                return Err(StoreError::RootVolume { what: "renamed" });
            }
            tx.check_name("volume", TAKEN, (&volume.project, to)).await?;
            volume.name = to.clone();
            tx.event(NewEvent::about("volume.renamed", &volume.project, &id, to))
                .await?;
        }
        if let Some(delete) = change.delete_on_termination {
            if volume.instance.is_none() {
                return Err(StoreError::NotAttached(volume.name));
            }
            volume.delete_on_termination = delete;
        }
        let update = sql("UPDATE volumes SET name = $1, delete_on_termination = $2 WHERE id = $3")
            .bind(volume.name.as_str().to_owned())
            .bind(i64::from(volume.delete_on_termination))
            .bind(id.to_string());
        tx.run(update).await?;
        if change.delete_on_termination.is_some() || !change.labels.is_empty() {
            label::change(&mut tx, &volume.project, &id, &change.labels).await?;
            tx.event(NewEvent::about("volume.changed", &volume.project, &id, &volume.name))
                .await?;
        }
        tx.commit().await?;
        Ok(volume)
    }

    /// How much all volumes may hold together, in GiB: what was promised.
    pub async fn promised(&self) -> Result<Gib, StoreError> {
        let query = sql("SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) AS amount FROM volumes WHERE layer IS NOT NULL");
        Ok(Gib(self
            .one(query, |row| row.number("amount"))
            .await?
            .unwrap_or_default()))
    }
}
