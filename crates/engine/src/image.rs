//! Images: imported as a stream of bytes, listed, deleted once nothing is built on them.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use berth_model::{
    Checksum, DiskFormat, ImageId, ImageProperties, LabelPatch, Labels, Name, PropertyError, Resource, Visibility,
};
use berth_storage::{ImageFacts, ImageSource, ImportChecks, Storage};
use berth_store::{
    Dry, Expected, ImageFilter, ImageRecord, ListBy, Listed, OperationRecord, Requester, StoreError, Task, VolumeRecord,
};
use jiff::Timestamp;

use crate::instance::to_its_end;
use crate::world::{World, lock};
use crate::{Engine, EngineError, blocking, volume};

/// What is known of an image that is imported.
#[derive(Debug, Clone)]
pub struct NewImage {
    /// Its name.
    pub name: Name,
    /// Who it is for.
    pub visibility: Visibility,
    /// What it says of itself.
    pub properties: ImageProperties,
    /// Its labels.
    pub labels: Labels,
}

/// An image that is to be fetched.
#[derive(Debug, Clone)]
pub struct PullImage {
    /// Where from.
    pub url: String,
    /// What its bytes have to hash to, as `sha256:…` or `sha512:…`.
    pub checksum: Option<String>,
    /// The checksum file that says it, and what the image is called in it.
    pub checksums: Option<(String, String)>,
}

impl Engine {
    /// Fetches an image from an address, and takes it as one from anybody else.
    pub async fn pull_image(
        &self,
        project: &str,
        new: NewImage,
        pull: PullImage,
        by: &Requester,
    ) -> Result<OperationRecord, EngineError> {
        new.properties.check()?;
        if let Some(text) = &pull.checksum {
            let parsed = text.parse::<Checksum>();
            parsed.map_err(|error| EngineError::invalid("checksum", error))?;
        }
        Storage::check_address(&pull.url)?;
        let from_file = pull.checksums.map(|(url, name)| Expected::File {
            id: ImageId::new(),
            url,
            name,
        });
        let image = ImageRecord {
            visibility: new.visibility,
            properties: new.properties,
            ..unknown(project, &new.name)
        };
        let task = Task::ImportImage {
            image: Box::new(image),
            url: pull.url,
            expected: pull.checksum.map(Expected::Checksum).or(from_file),
            labels: new.labels,
        };
        let (engine, by) = (self.clone(), by.clone());
        to_its_end(async move {
            let claim = engine.world.store.begin_import(task, &by).await?;
            engine.begin(claim).await
        })
        .await
    }

    /// The file of an image, to be read.
    pub async fn export_image(&self, id: ImageId) -> Result<std::fs::File, EngineError> {
        let path = self.world.storage.image_path(id);
        blocking(move || {
            std::fs::File::open(&path).map_err(|source| EngineError::Io {
                what: format!("opening {}", path.display()),
                source,
            })
        })
        .await
    }

    /// Imports an image from its bytes. If the caller goes away the import ends and leaves nothing.
    pub async fn import_image(
        &self,
        project: &str,
        new: NewImage,
        bytes: Box<dyn Read + Send>,
        length: Option<u64>,
    ) -> Result<ImageRecord, EngineError> {
        new.properties.check()?;
        match self.world.store.find_image(project, new.name.as_str()).await {
            Err(StoreError::NotFound { .. }) => {}
            Ok(_) => {
                return Err(StoreError::AlreadyExists {
                    what: "image",
                    name: new.name.to_string(),
                }
                .into());
            }
            Err(other) => return Err(other.into()),
        }
        if new.visibility == Visibility::Private {
            // Before all of it is read.
            self.world.store.check_quota(project, Resource::Images).await?;
        }
        if Dry::is_on() {
            // What only its bytes can tell isn't told: they aren't read.
            let unread = ImageRecord {
                visibility: new.visibility,
                properties: new.properties.clone(),
                ..unknown(project, &new.name)
            };
            self.world.store.insert_image(&unread, &new.labels).await?;
        }
        let import = Import::begin(&self.world);
        let (id, cancelled) = (import.id, Arc::clone(&import.cancelled));
        let storage = self.world.storage.clone();
        let facts = blocking(move || {
            let source = ImageSource::Reader(bytes, length);
            let cancelled = || cancelled.load(Ordering::Relaxed);
            Ok(storage.import_image(id, source, &ImportChecks::default(), &cancelled, &mut |_, _| {})?)
        })
        .await?;
        let image = ImageRecord {
            id,
            visibility: new.visibility,
            properties: new.properties,
            ..unknown(project, &new.name)
        };
        let record = made(image, facts);
        if let Err(error) = self.keep(&record, &new.labels).await {
            let storage = self.world.storage.clone();
            blocking(move || Ok(storage.delete_image(id)?)).await?;
            return Err(error);
        }
        drop(import);
        Ok(record)
    }

    /// Saves a volume as an image, as it is at that instant. What the image says of the guest is what the one at the
    /// bottom of the volume says.
    pub async fn save_volume(
        &self,
        volume: &VolumeRecord,
        (name, labels): (Name, Labels),
        by: &Requester,
    ) -> Result<OperationRecord, EngineError> {
        let freeze = volume::freeze(volume)?;
        let below = match volume.image {
            Some(id) => self.world.store.image(id).await?,
            None => None,
        };
        let below = below.unwrap_or_else(|| unknown(&volume.project, &name));
        let image = ImageRecord {
            id: ImageId::new(),
            project: volume.project.clone(),
            name,
            visibility: Visibility::Private,
            created_at: Timestamp::now(),
            shelf_of: None,
            ..below
        };
        let task = Task::SaveAsImage {
            volume: volume.id,
            layer: freeze.layer,
            // Nobody writes to one that is attached to nothing, for as long as it is Uploading.
            freeze: volume.instance.map(|_| freeze),
            image: Box::new(image),
            labels,
        };
        self.start_task(task, by).await
    }

    /// Writes down an image whose file is there, if its disk is one that its properties allow.
    async fn keep(&self, record: &ImageRecord, labels: &Labels) -> Result<(), EngineError> {
        record.properties.check_disk(record.virtual_size)?;
        Ok(self.world.store.insert_image(record, labels).await?)
    }

    /// Changes the name, the visibility, properties and labels of an image: all that is asked, or nothing. What shapes the
    /// domain reaches the instances made of it when they are next switched on.
    pub async fn change_image(
        &self,
        id: ImageId,
        change: impl FnOnce(&mut ImageRecord),
        labels: &LabelPatch,
    ) -> Result<ImageRecord, EngineError> {
        let change = |image: &mut ImageRecord| {
            change(image);
            image.properties.check()?;
            image.properties.check_disk(image.virtual_size)?;
            Ok(())
        };
        self.world.store.change_image(id, change, labels).await
    }

    /// The image with that name or id.
    pub async fn find_image(&self, project: &str, reference: &str) -> Result<ImageRecord, EngineError> {
        Ok(self.world.store.find_image(project, reference).await?)
    }

    /// A page of the images that a project may use.
    pub async fn list_images(
        &self,
        project: &str,
        filter: ImageFilter,
        by: &ListBy,
    ) -> Result<Listed<ImageRecord>, EngineError> {
        Ok(self.world.store.list_images(project, filter, by).await?)
    }

    /// Removes an image that nothing is built on: the record first, so that nothing can be built on it meanwhile.
    pub async fn delete_image(&self, id: ImageId) -> Result<(), EngineError> {
        self.world.store.delete_image(id).await?;
        let storage = self.world.storage.clone();
        blocking(move || Ok(storage.delete_image(id)?)).await
    }
}

/// An image of which nothing is known yet.
fn unknown(project: &str, name: &Name) -> ImageRecord {
    ImageRecord {
        id: ImageId::new(),
        project: project.to_owned(),
        name: name.clone(),
        visibility: Visibility::Private,
        format: DiskFormat::Qcow2,
        virtual_size: 0,
        file_size: 0,
        sha256: String::new(),
        properties: ImageProperties::default(),
        created_at: Timestamp::now(),
        shelf_of: None,
    }
}

/// An image whose file is there now.
pub(crate) fn made(image: ImageRecord, facts: ImageFacts) -> ImageRecord {
    ImageRecord {
        format: facts.format,
        virtual_size: facts.virtual_size,
        file_size: facts.file_size,
        sha256: facts.sha256,
        created_at: Timestamp::now(),
        ..image
    }
}

impl From<PropertyError> for EngineError {
    fn from(error: PropertyError) -> Self {
        Self::invalid(error.field, error.message)
    }
}

/// An import under way: its file is no leftover, and when it is dropped early it is cancelled.
struct Import {
    id: ImageId,
    world: Arc<World>,
    cancelled: Arc<AtomicBool>,
}

impl Import {
    fn begin(world: &Arc<World>) -> Self {
        let id = ImageId::new();
        lock(&world.importing).insert(id);
        Self {
            id,
            world: Arc::clone(world),
            cancelled: Arc::default(),
        }
    }
}

impl Drop for Import {
    fn drop(&mut self) {
        self.cancelled.store(true, Ordering::Relaxed);
        lock(&self.world.importing).remove(&self.id);
    }
}
