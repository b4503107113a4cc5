//! Volumes: a qcow2 overlay on an image, made in constant time.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use berth_model::{Gib, ImageId, VolumeId};

use crate::files::{self, publish};
use crate::qcow2::{HEAD, Header};
use crate::{IMAGES, Storage, StorageError, VOLUMES};

/// What a volume's file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeInfo {
    /// Bytes of the disk that the guest sees.
    pub virtual_size: u64,
    /// Bytes that it takes on this host's disk.
    pub allocated: u64,
    /// The file beneath it, if there is one.
    pub backing: Option<PathBuf>,
}

impl Storage {
    /// Where a volume is.
    pub fn volume_path(&self, id: VolumeId) -> PathBuf {
        self.dir(VOLUMES).join(format!("{id}.qcow2"))
    }

    /// Makes sure there is a volume of that size on that image.
    pub fn ensure_volume(&self, id: VolumeId, from: ImageId, size: Gib) -> Result<VolumeInfo, StorageError> {
        let path = self.volume_path(id);
        // Relative, so that the state directory can be moved; resolved against the directory of the overlay.
        let backing = Path::new("..").join(IMAGES).join(format!("{from}.qcow2"));
        if let Some(found) = self.volume_info(id)? {
            if found.virtual_size == size.bytes() && found.backing.as_ref() == Some(&backing) {
                return Ok(found);
            }
            let why = format!("it should have {size} on image {from} and says {found:?}");
            return Err(StorageError::Strange { path, why });
        }
        let image = self.image_path(from);
        let needed = Gib::holding(read_header(&image)?.virtual_size);
        if size < needed {
            return Err(StorageError::TooSmall { size, needed });
        }
        let half_made = self.tmp(format!("{id}.qcow2"));
        let bytes = size.bytes().to_string();
        let args = [
            "-q".as_ref(),
            "-f".as_ref(),
            "qcow2".as_ref(),
            "-F".as_ref(),
            "qcow2".as_ref(),
            "-b".as_ref(),
        ];
        let named = [backing.as_os_str(), half_made.as_os_str(), bytes.as_ref()];
        self.0.qemu_img.run("create", &[&args[..], &named[..]].concat())?;
        self.0.owner.give(&half_made, 0o600)?;
        publish(&half_made, &path)?;
        let made = self.volume_info(id)?;
        made.ok_or_else(|| StorageError::Strange {
            path,
            why: "it is gone again".to_owned(),
        })
    }

    /// What a volume's file says; none if there is no such file.
    pub fn volume_info(&self, id: VolumeId) -> Result<Option<VolumeInfo>, StorageError> {
        let path = self.volume_path(id);
        let allocated = match fs::metadata(&path) {
            Ok(found) => found.blocks() * 512,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StorageError::io("look at", &path)(error)),
        };
        let header = read_header(&path)?;
        let backing = header
            .backing
            .map(|name| PathBuf::from(std::ffi::OsStr::from_bytes(&name)));
        Ok(Some(VolumeInfo {
            virtual_size: header.virtual_size,
            allocated,
            backing,
        }))
    }

    /// Makes sure a volume is gone.
    pub fn delete_volume(&self, id: VolumeId) -> Result<(), StorageError> {
        files::remove(&self.volume_path(id))
    }
}

fn read_header(path: &Path) -> Result<Header, StorageError> {
    let file = File::open(path).map_err(StorageError::io("open", path))?;
    let mut head = Vec::with_capacity(HEAD);
    file.take(HEAD as u64)
        .read_to_end(&mut head)
        .map_err(StorageError::io("read", path))?;
    Header::parse(&head).map_err(|why| StorageError::Strange {
        path: path.to_owned(),
        why,
    })
}
