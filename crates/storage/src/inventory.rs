//! What is there, for whoever compares it with what should be. Looking removes nothing.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use berth_model::{ImageId, InstanceId, LayerId};

use crate::{IMAGES, INSTANCES, Storage, StorageError, VOLUMES};

/// What is in the directories of images, layers and instances.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inventory {
    /// Images, by their files.
    pub images: Vec<ImageId>,
    /// Layers of volumes, by their files.
    pub layers: Vec<LayerId>,
    /// Instances, by their directories.
    pub instances: Vec<InstanceId>,
    /// What has no name that we would give.
    pub unknown: Vec<PathBuf>,
}

impl Storage {
    /// Lists what is there.
    pub fn inventory(&self) -> Result<Inventory, StorageError> {
        let mut unknown = Vec::new();
        Ok(Inventory {
            images: list(&self.dir(IMAGES), ".qcow2", &mut unknown)?,
            layers: list(&self.dir(VOLUMES), ".qcow2", &mut unknown)?,
            instances: list(&self.dir(INSTANCES), "", &mut unknown)?,
            unknown,
        })
    }
}

/// The ids that files of a directory are named after; what has another name is unknown.
pub(crate) fn list<Id: FromStr>(dir: &Path, suffix: &str, unknown: &mut Vec<PathBuf>) -> Result<Vec<Id>, StorageError> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(StorageError::io("list", dir))? {
        let path = entry.map_err(StorageError::io("list", dir))?.path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .and_then(|name| name.strip_suffix(suffix));
        match name.and_then(|name| name.parse().ok()) {
            Some(id) => found.push(id),
            None => unknown.push(path),
        }
    }
    Ok(found)
}
