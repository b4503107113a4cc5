//! The seed disk: what cloud-init's NoCloud reads at first boot. A small vfat disk labelled `cidata`, written without
//! any process; the same seed is the same bytes.

use std::io::{Cursor, Write as _};
use std::path::PathBuf;

use berth_model::InstanceId;
use berth_model::limits::USER_DATA_MAX;
use fatfs::{FatType, FileSystem, FormatVolumeOptions, FsOptions};
use serde_json::json;

use crate::{Storage, StorageError, files};

/// What a guest is told at first boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seed {
    /// Its hostname.
    pub hostname: String,
    /// The public keys that may log in, each in OpenSSH's one-line form.
    pub ssh_keys: Vec<String>,
    /// User data: at most 16 KiB.
    pub user_data: Option<Vec<u8>>,
}

/// Bytes of the disk: room for the user data and what FAT12 needs.
const SIZE: usize = 256 << 10;

/// The label that NoCloud looks for, in either case, filled up as FAT has it.
const LABEL: [u8; 11] = *b"CIDATA     ";

impl Storage {
    /// Makes sure an instance has its seed disk, and returns where it is.
    pub fn ensure_seed(&self, id: InstanceId, seed: &Seed) -> Result<PathBuf, StorageError> {
        let size = seed.user_data.as_ref().map_or(0, Vec::len);
        if size > USER_DATA_MAX {
            return Err(StorageError::UserData(size));
        }
        let path = self.instance_dir(id).seed;
        let disk = disk(id, seed).map_err(StorageError::io("write", &path))?;
        if std::fs::read(&path).is_ok_and(|found| found == disk) {
            return Ok(path);
        }
        files::write(&self.tmp(format!("{id}.seed")), &path, &disk, self.0.owner, 0o600)?;
        Ok(path)
    }
}

fn disk(id: InstanceId, seed: &Seed) -> std::io::Result<Vec<u8>> {
    // JSON is YAML too (YAML 1.2), and quotes everything that could be taken for more than a word.
    let meta_data = json!({
        "instance-id": id.to_string(),
        "local-hostname": seed.hostname,
        "public-keys": seed.ssh_keys,
    });
    let mut bytes = Cursor::new(vec![0; SIZE]);
    let options = FormatVolumeOptions::new()
        .fat_type(FatType::Fat12)
        .volume_label(LABEL)
        .volume_id(0xBE27_0001);
    fatfs::format_volume(&mut bytes, options)?;
    {
        let fs = FileSystem::new(&mut bytes, FsOptions::new())?;
        let root = fs.root_dir();
        root.create_file("meta-data")?
            .write_all(meta_data.to_string().as_bytes())?;
        root.create_file("user-data")?
            .write_all(seed.user_data.as_deref().unwrap_or(b"#cloud-config\n"))?;
    }
    Ok(bytes.into_inner())
}
