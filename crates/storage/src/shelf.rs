//! The shelf: a volume saved as an image of its own, whole and verified, so that the volume itself may go.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

use berth_model::{DiskFormat, ImageId, LayerId};
use sha2::{Digest as _, Sha256};

use crate::files::{self, publish};
use crate::image::{ImageFacts, hexadecimal};
use crate::volume::read_header;
use crate::{Storage, StorageError};

/// How much is hashed at a time.
const CHUNK: usize = 1 << 20;

impl Storage {
    /// Makes sure that an image has all that a volume which nobody has open holds: flattened (it stands on nothing),
    /// compressed, and compared with the volume to the last byte before it appears under its name. One that is there
    /// already was made so.
    pub fn save_volume(&self, volume: LayerId, as_image: ImageId) -> Result<ImageFacts, StorageError> {
        let path = self.image_path(as_image);
        if !path.exists() {
            let dir = self.tmp(as_image.to_string());
            files::ensure_dir(&dir, 0o700)?;
            let saved = self.save_in(&dir, volume, &path);
            let cleared = files::remove_dir(&dir);
            saved?;
            cleared?;
        }
        Ok(ImageFacts {
            format: DiskFormat::Qcow2,
            virtual_size: read_header(&path)?.virtual_size,
            file_size: fs::metadata(&path).map_err(StorageError::io("look at", &path))?.len(),
            sha256: hash(&path)?,
        })
    }

    fn save_in(&self, dir: &Path, volume: LayerId, to: &Path) -> Result<(), StorageError> {
        let (from, saved) = (self.layer_path(volume), dir.join("saved"));
        self.0.owner.give(dir, 0o700)?;
        // libvirt may have left it to root when the guest went off.
        self.0.owner.give(&from, 0o600)?;
        let qcow2 = OsStr::new("qcow2");
        let flags = ["-c", "-o", "compression_type=zstd", "-f"].map(OsStr::new);
        let files = [qcow2, "-O".as_ref(), qcow2, from.as_os_str(), saved.as_os_str()];
        self.0
            .qemu_img
            .run_caged("convert", &[&flags[..], &files[..]].concat())?;
        let both = [
            "-q".as_ref(),
            "-f".as_ref(),
            qcow2,
            "-F".as_ref(),
            qcow2,
            from.as_os_str(),
            saved.as_os_str(),
        ];
        self.0.qemu_img.run_caged("compare", &both)?;
        self.0.owner.give(&saved, 0o444)?;
        publish(&saved, to)
    }
}

fn hash(path: &Path) -> Result<String, StorageError> {
    let mut file = File::open(path).map_err(StorageError::io("open", path))?;
    let (mut hash, mut chunk) = (Sha256::new(), vec![0; CHUNK]);
    loop {
        match file.read(&mut chunk).map_err(StorageError::io("read", path))? {
            0 => return Ok(hexadecimal(&hash.finalize())),
            read => hash.update(&chunk[..read]),
        }
    }
}
