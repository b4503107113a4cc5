//! The seed disk: what cloud-init and others read at first boot. A small vfat disk labelled as a ConfigDrive, written
//! without any process; the same files are the same bytes. What is in the files is for others to know.

use std::io::{Cursor, Write as _};
use std::path::PathBuf;

use berth_model::InstanceId;
use fatfs::{FatType, FileSystem, FormatVolumeOptions, FsOptions};

use crate::{Storage, StorageError, files};

/// Bytes of the disk: room for the files and what FAT12 needs.
const SIZE: usize = 256 << 10;

/// The most bytes of files on it, all together.
pub(crate) const SEED_MAX: usize = SIZE / 2;

/// The label of a ConfigDrive, filled up as FAT has it. In lower case, as OpenStack writes it: every reader knows that
/// one, and older ones nothing else.
const LABEL: [u8; 11] = *b"config-2   ";

impl Storage {
    /// Makes sure an instance has its seed disk, with these files and no others, and returns where it is.
    pub fn ensure_seed(&self, id: InstanceId, files: &[(String, Vec<u8>)]) -> Result<PathBuf, StorageError> {
        let size = files.iter().map(|(_, bytes)| bytes.len()).sum();
        if size > SEED_MAX {
            return Err(StorageError::Seed(size));
        }
        let path = self.instance_dir(id).seed;
        let disk = disk(files).map_err(StorageError::io("write", &path))?;
        if std::fs::read(&path).is_ok_and(|found| found == disk) {
            return Ok(path);
        }
        files::write(&self.tmp(format!("{id}.seed")), &path, &disk, self.0.owner, 0o600)?;
        Ok(path)
    }
}

fn disk(files: &[(String, Vec<u8>)]) -> std::io::Result<Vec<u8>> {
    let mut bytes = Cursor::new(vec![0; SIZE]);
    let options = FormatVolumeOptions::new()
        .fat_type(FatType::Fat12)
        .volume_label(LABEL)
        .volume_id(0xBE27_0001);
    fatfs::format_volume(&mut bytes, options)?;
    {
        let fs = FileSystem::new(&mut bytes, FsOptions::new())?;
        let root = fs.root_dir();
        for (path, content) in files {
            // One that is there is opened.
            for (end, _) in path.match_indices('/') {
                root.create_dir(&path[..end])?;
            }
            root.create_file(path)?.write_all(content)?;
        }
    }
    Ok(bytes.into_inner())
}
