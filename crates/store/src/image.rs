//! Images: what is known of each; the bytes are the storage's.

use berth_model::{
    DiskFormat, ImageId, ImageProperties, InstanceId, LabelPatch, Labels, Name, Resource, Visibility, VolumeId,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sqlx::any::AnyRow;

use crate::event::NewEvent;
use crate::instance::canonical;
use crate::port_query::in_instances;
use crate::row::{Columns as _, Sql, sql, to_json, to_number, to_word};
use crate::tx::Tx;
use crate::usage::facts;
use crate::{Page, Store, StoreError, attached, label};

/// An image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageRecord {
    /// Its id.
    pub id: ImageId,
    /// The project it belongs to.
    pub project: String,
    /// Its name, unique in its project.
    pub name: Name,
    /// Who it is for.
    #[serde(default)]
    pub visibility: Visibility,
    /// The format of what was imported.
    pub format: DiskFormat,
    /// Bytes of the disk that the guest sees.
    pub virtual_size: u64,
    /// Bytes of the file.
    pub file_size: u64,
    /// SHA-256 of the bytes that were imported, in hexadecimal.
    pub sha256: String,
    /// What it says of itself. Beside the rest, as a shelf's record in a journal always had three of them.
    #[serde(flatten)]
    pub properties: ImageProperties,
    /// When it was imported; kept to the microsecond.
    pub created_at: Timestamp,
    /// The instance whose shelf it is: such an image is in no list, and nobody can ask for it.
    pub shelf_of: Option<InstanceId>,
}

/// The image of a project that has a name.
pub(crate) const TAKEN: &str = "SELECT id FROM images WHERE project = $1 AND name = $2";

/// The properties that have a column of their own, and the column: the others share one.
const OWN_COLUMN: [(&str, &str); 3] = [("os", "os"), ("firmware", "firmware"), ("user", "login")];

impl ImageRecord {
    pub(crate) fn read(row: &AnyRow) -> Result<Self, StoreError> {
        let mut properties: Map<String, Value> = row.maybe_json("properties")?.unwrap_or_default();
        for (property, column) in OWN_COLUMN {
            properties.insert(property.to_owned(), Value::String(row.text(column)?));
        }
        let properties = serde_json::from_value(Value::Object(properties));
        Ok(Self {
            id: row.parsed("id")?,
            project: row.text("project")?,
            name: row.parsed("name")?,
            visibility: if row.flag("public")? {
                Visibility::Default
            } else {
                Visibility::Private
            },
            format: row.word("format")?,
            virtual_size: row.number("virtual_size")?,
            file_size: row.number("file_size")?,
            sha256: row.text("sha256")?,
            properties: properties.map_err(|error| StoreError::corrupt("properties", &error))?,
            created_at: row.time("created_at")?,
            shelf_of: row.maybe_parsed("shelf_of")?,
        })
    }

    fn insert(&self) -> Result<Sql, StoreError> {
        let insert = sql(
            "INSERT INTO images (name, public, os, firmware, login, properties, id, project, format, \
             virtual_size, file_size, sha256, created_at, shelf_of) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        );
        Ok(self
            .bind_changeable(insert)?
            .bind(self.id.to_string())
            .bind(self.project.as_str())
            .bind(to_word(&self.format)?)
            .bind(to_number(self.virtual_size)?)
            .bind(to_number(self.file_size)?)
            .bind(self.sha256.as_str())
            .bind(self.created_at.as_microsecond())
            .bind(self.shelf_of.map(|id| id.to_string())))
    }

    fn update(&self) -> Result<Sql, StoreError> {
        let update = sql(
            "UPDATE images SET name = $1, public = $2, os = $3, firmware = $4, login = $5, \
             properties = $6 WHERE id = $7",
        );
        Ok(self.bind_changeable(update)?.bind(self.id.to_string()))
    }

    /// Charges the project for it, if it is the project's own.
    pub(crate) fn charge(&self, tx: &mut Tx) {
        if self.counts() {
            tx.charge(&self.project, Resource::Images, 1);
        }
    }

    /// Gives back what the project was charged for it.
    pub(crate) fn free(&self, tx: &mut Tx) {
        if self.counts() {
            tx.free(&self.project, Resource::Images, 1);
        }
    }

    /// A default image is every project's, and a shelf is part of its instance.
    fn counts(&self) -> bool {
        self.visibility == Visibility::Private && self.shelf_of.is_none()
    }

    /// Binds what may change, as the first six.
    fn bind_changeable(&self, statement: Sql) -> Result<Sql, StoreError> {
        let mut properties = match serde_json::to_value(&self.properties) {
            Ok(Value::Object(properties)) => properties,
            Ok(_) => Map::new(),
            Err(error) => return Err(StoreError::corrupt("a value to be written", &error)),
        };
        let mut statement = statement
            .bind(self.name.as_str().to_owned())
            .bind(public(self.visibility));
        for (property, _) in OWN_COLUMN {
            let word = properties.remove(property);
            statement = statement.bind(word.as_ref().and_then(Value::as_str).map(str::to_owned));
        }
        Ok(statement.bind(to_json(&properties)?))
    }
}

/// As the column of that name has it.
fn public(visibility: Visibility) -> i64 {
    match visibility {
        Visibility::Default => 1,
        Visibility::Private => 0,
    }
}

/// Writes down the shelf of an instance that is shelved, in place of an older one.
pub(crate) async fn put_on_shelf(tx: &mut Tx, instance: InstanceId, shelf: &ImageRecord) -> Result<(), StoreError> {
    tx.run(shelf.insert()?).await?;
    attached::set_root_image(tx, instance, shelf.id).await?;
    forget_shelves(tx).await.map(|_| ())
}

/// Forgets the shelves that no volume and no snapshot stands on any more: their files are to be removed.
pub(crate) async fn forget_shelves(tx: &mut Tx) -> Result<Vec<ImageId>, StoreError> {
    let forget = sql("DELETE FROM images WHERE shelf_of IS NOT NULL \
                      AND NOT EXISTS (SELECT 1 FROM volumes v WHERE v.image = images.id) \
                      AND NOT EXISTS (SELECT 1 FROM snapshots s WHERE s.image = images.id) RETURNING id");
    let rows = tx.all(forget).await?;
    rows.iter().map(|row| row.parsed("id")).collect()
}

/// [`StoreError::NotFound`] for an image that was deleted meanwhile.
pub(crate) async fn must_be_there(tx: &mut Tx, id: ImageId) -> Result<(), StoreError> {
    let row = tx.optional(sql("SELECT id FROM images WHERE id = $1").bind(id.to_string()));
    row.await?
        .map(|_| ())
        .ok_or_else(|| StoreError::not_found("image", &id))
}

/// Writes down an image that an operation has made.
pub(crate) async fn insert(tx: &mut Tx, image: &ImageRecord, labels: &Labels) -> Result<(), StoreError> {
    tx.check_name("image", TAKEN, (&image.project, &image.name)).await?;
    tx.run(image.insert()?).await?;
    label::write(tx, &image.project, &image.id, labels).await?;
    facts::image(tx, image).await?;
    image.charge(tx);
    tx.event(NewEvent::about("image.created", &image.project, &image.id, &image.name))
        .await
}

impl Store {
    /// Keeps an image. [`StoreError::AlreadyExists`] if the project has one of that name.
    pub async fn insert_image(&self, image: &ImageRecord, labels: &Labels) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        insert(&mut tx, image, labels).await?;
        tx.commit().await
    }

    /// Changes the name, the visibility, the properties and the labels of an image, and returns it as it is then; the rest of a
    /// record says what the file is, and stays. What `change` refuses isn't written.
    pub async fn change_image<E: From<StoreError>>(
        &self,
        id: ImageId,
        change: impl FnOnce(&mut ImageRecord) -> Result<(), E>,
        labels: &LabelPatch,
    ) -> Result<ImageRecord, E> {
        let mut tx = self.begin().await?;
        let row = tx
            .optional(sql("SELECT * FROM images WHERE id = $1").bind(id.to_string()))
            .await?;
        let row = row.ok_or_else(|| StoreError::not_found("image", &id))?;
        let mut image = ImageRecord::read(&row)?;
        let name = image.name.clone();
        image.free(&mut tx);
        change(&mut image)?;
        image.charge(&mut tx);
        if image.name != name {
            tx.check_name("image", TAKEN, (&image.project, &image.name)).await?;
        }
        tx.run(image.update()?).await?;
        label::change(&mut tx, &image.project, &id, labels).await?;
        facts::image(&mut tx, &image).await?;
        tx.event(NewEvent::about("image.changed", &image.project, &image.id, &image.name))
            .await?;
        tx.commit().await?;
        Ok(image)
    }

    /// An image.
    pub async fn image(&self, id: ImageId) -> Result<Option<ImageRecord>, StoreError> {
        self.one(
            sql("SELECT * FROM images WHERE id = $1").bind(id.to_string()),
            ImageRecord::read,
        )
        .await
    }

    /// The image with that name or id that a project may use: its own before a default one.
    pub async fn find_image(&self, project: &str, reference: &str) -> Result<ImageRecord, StoreError> {
        let query = sql(
            "SELECT * FROM images WHERE (project = $1 OR public = 1) AND (id = $2 OR name = $2) \
             AND shelf_of IS NULL ORDER BY CASE WHEN project = $1 THEN 0 ELSE 1 END, id LIMIT 1",
        );
        let found = self
            .one(
                query.bind(project).bind(canonical::<ImageId>(reference)),
                ImageRecord::read,
            )
            .await?;
        found.ok_or_else(|| StoreError::not_found("image", reference))
    }

    /// Who logs in to the guests of a page, in one query: as the images have it that their root volumes stand on.
    pub async fn logins_of_instances(&self, ids: &[InstanceId]) -> Result<Vec<(InstanceId, String)>, StoreError> {
        let select =
            "SELECT instance, id, (SELECT login FROM images WHERE images.id = volumes.image) AS login FROM volumes";
        let Some(query) = in_instances(select, ids) else {
            return Ok(Vec::new());
        };
        let read = |row: &AnyRow| {
            let login = row.maybe_text("login")?;
            Ok(login.map(|login| row.parsed("instance").map(|id| (id, login))))
        };
        self.list(query, read).await?.into_iter().flatten().collect()
    }

    /// A page of all images that aren't shelves, in the order of their ids.
    pub async fn every_image(&self, page: Page<ImageId>) -> Result<Vec<ImageRecord>, StoreError> {
        let query = sql("SELECT * FROM images WHERE id > $1 AND shelf_of IS NULL ORDER BY id LIMIT $2")
            .bind(page.after())
            .bind(i64::from(page.limit));
        self.list(query, ImageRecord::read).await
    }

    /// The shelves that an instance's shelves have made and that only these volumes stand on.
    pub async fn shelves_only_of(&self, id: InstanceId, volumes: &[VolumeId]) -> Result<Vec<ImageId>, StoreError> {
        let mut only = Vec::new();
        for shelf in self.shelf_images(id).await? {
            let users = sql("SELECT id FROM volumes WHERE image = $1 UNION SELECT id FROM snapshots WHERE image = $1");
            let users: Vec<String> = self.list(users.bind(shelf.to_string()), |row| row.text("id")).await?;
            if users
                .iter()
                .all(|user| volumes.iter().any(|volume| volume.to_string() == *user))
            {
                only.push(shelf);
            }
        }
        Ok(only)
    }

    /// Forgets an image. [`StoreError::InUse`] while a volume is built on it.
    pub async fn delete_image(&self, id: ImageId) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let row = tx
            .optional(sql("SELECT * FROM images WHERE id = $1").bind(id.to_string()))
            .await?;
        let image = ImageRecord::read(&row.ok_or_else(|| StoreError::not_found("image", &id))?)?;
        if let Some(by) = user(&mut tx, id, &image.project).await? {
            return Err(StoreError::InUse { what: "image", by });
        }
        tx.run(sql("DELETE FROM images WHERE id = $1").bind(id.to_string()))
            .await?;
        facts::end(&mut tx, &id).await?;
        label::remove(&mut tx, &id).await?;
        image.free(&mut tx);
        tx.event(NewEvent::about("image.deleted", &image.project, &id, &image.name))
            .await?;
        tx.commit().await
    }
}

/// What stands on an image, if anything does: what another project has isn't named.
async fn user(tx: &mut Tx, id: ImageId, project: &str) -> Result<Option<String>, StoreError> {
    let called = |kind: &str, row: &AnyRow| {
        Ok(if row.text("project")? == project {
            format!("{kind} '{}'", row.text("name")?)
        } else {
            "another project".to_owned()
        })
    };
    let volume = sql("SELECT project, name, root FROM volumes WHERE image = $1 ORDER BY id LIMIT 1");
    if let Some(volume) = tx.optional(volume.bind(id.to_string())).await? {
        let kind = if volume.flag("root")? { "instance" } else { "volume" };
        return called(kind, &volume).map(Some);
    }
    let snapshot = sql("SELECT project, name FROM snapshots WHERE image = $1 ORDER BY id LIMIT 1");
    let snapshot = tx.optional(snapshot.bind(id.to_string())).await?;
    snapshot.map(|snapshot| called("snapshot", &snapshot)).transpose()
}
