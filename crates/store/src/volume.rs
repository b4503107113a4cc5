//! Volumes. A root volume comes and goes with its instance, in the transactions that move it.

use berth_model::{Gib, ImageId, InstanceId, Name, VolumeId, VolumeState};
use sqlx::any::AnyRow;

use crate::port::in_instances;
use crate::row::{Columns as _, sql, to_number};
use crate::tx::Tx;
use crate::{Page, Store, StoreError};

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
    /// The image it is built on.
    pub image: Option<ImageId>,
    /// Its size.
    pub size: Gib,
    /// Its documented state.
    pub state: VolumeState,
    /// Whether its instance starts from it.
    pub root: bool,
}

impl VolumeRecord {
    fn read(row: &AnyRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.parsed("id")?,
            project: row.text("project")?,
            name: row.parsed("name")?,
            instance: row.maybe_parsed("instance")?,
            image: row.maybe_parsed("image")?,
            size: Gib(row.number("size")?),
            state: row.parsed("state")?,
            root: row.flag("root")?,
        })
    }
}

/// Writes a new volume.
pub(crate) async fn insert(tx: &mut Tx, volume: &VolumeRecord) -> Result<(), StoreError> {
    let insert = sql(
        "INSERT INTO volumes (id, project, name, instance, image, size, state, root, created_at) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(volume.id.to_string())
    .bind(volume.project.as_str())
    .bind(volume.name.as_str())
    .bind(volume.instance.map(|id| id.to_string()))
    .bind(volume.image.map(|id| id.to_string()))
    .bind(to_number(volume.size.0)?)
    .bind(volume.state.as_str())
    .bind(i64::from(volume.root))
    .bind(tx.micros());
    tx.run(insert).await.map(|_| ())
}

/// Sets the state of an instance's root volume: it follows the steps of its instance.
pub(crate) async fn set_root_state(tx: &mut Tx, instance: InstanceId, state: VolumeState) -> Result<(), StoreError> {
    let update = sql("UPDATE volumes SET state = $1 WHERE instance = $2 AND root = 1");
    tx.run(update.bind(state.as_str()).bind(instance.to_string()))
        .await
        .map(|_| ())
}

/// Writes down that an instance's root volume has grown.
pub(crate) async fn grow_root(tx: &mut Tx, instance: InstanceId, size: Gib) -> Result<(), StoreError> {
    let update = sql("UPDATE volumes SET size = $1 WHERE instance = $2 AND root = 1 AND size < $1");
    tx.run(update.bind(to_number(size.0)?).bind(instance.to_string()))
        .await
        .map(|_| ())
}

/// Puts an instance's root volume on another image.
pub(crate) async fn set_root_image(tx: &mut Tx, instance: InstanceId, image: ImageId) -> Result<(), StoreError> {
    let update = sql("UPDATE volumes SET image = $1 WHERE instance = $2 AND root = 1");
    tx.run(update.bind(image.to_string()).bind(instance.to_string()))
        .await
        .map(|_| ())
}

/// Sets the state of every volume that is attached to an instance.
pub(crate) async fn set_attached_state(
    tx: &mut Tx,
    instance: InstanceId,
    state: VolumeState,
) -> Result<(), StoreError> {
    let update = sql("UPDATE volumes SET state = $1 WHERE instance = $2");
    tx.run(update.bind(state.as_str()).bind(instance.to_string()))
        .await
        .map(|_| ())
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

    /// The volumes of an instance.
    pub async fn volumes_of_instance(&self, id: InstanceId) -> Result<Vec<VolumeRecord>, StoreError> {
        let query = sql("SELECT * FROM volumes WHERE instance = $1 ORDER BY id").bind(id.to_string());
        self.list(query, VolumeRecord::read).await
    }

    /// The volumes of the instances of a page, in one query.
    pub async fn volumes_of_instances(&self, ids: &[InstanceId]) -> Result<Vec<VolumeRecord>, StoreError> {
        match in_instances("SELECT * FROM volumes", ids) {
            Some(query) => self.list(query, VolumeRecord::read).await,
            None => Ok(Vec::new()),
        }
    }

    /// A page of all volumes.
    pub async fn volumes(&self, page: Page<VolumeId>) -> Result<Vec<VolumeRecord>, StoreError> {
        let query = sql("SELECT * FROM volumes WHERE id > $1 ORDER BY id LIMIT $2");
        self.list(query.bind(page.after()).bind(i64::from(page.limit)), VolumeRecord::read)
            .await
    }
}
