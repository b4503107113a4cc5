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
        let backing = backing(from);
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

    /// Whether there is a volume's file, and it stands on that image.
    pub fn stands_on(&self, id: VolumeId, image: ImageId) -> Result<bool, StorageError> {
        let found = self.volume_info(id)?;
        Ok(found.is_some_and(|found| found.backing == Some(backing(image))))
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

    /// Makes sure a volume that nobody has open has at least that size.
    pub fn grow_volume(&self, id: VolumeId, size: Gib) -> Result<(), StorageError> {
        if self.size_of(id)? < size.bytes() {
            self.resize(id, size, &[])?;
        }
        Ok(())
    }

    /// Makes sure a volume has no more than that size. Only for one that was grown and that no guest has had since:
    /// what is cut off is lost.
    pub fn shrink_volume_back(&self, id: VolumeId, size: Gib) -> Result<(), StorageError> {
        if self.size_of(id)? > size.bytes() {
            self.resize(id, size, &["--shrink"])?;
        }
        Ok(())
    }

    fn size_of(&self, id: VolumeId) -> Result<u64, StorageError> {
        let found = self.volume_info(id)?;
        found
            .map(|found| found.virtual_size)
            .ok_or_else(|| StorageError::Strange {
                path: self.volume_path(id),
                why: "it is not there".to_owned(),
            })
    }

    fn resize(&self, id: VolumeId, size: Gib, how: &[&str]) -> Result<(), StorageError> {
        let (path, bytes) = (self.volume_path(id), size.bytes().to_string());
        let args = ["-q".as_ref(), "-f".as_ref(), "qcow2".as_ref()];
        let how: Vec<&std::ffi::OsStr> = how.iter().map(AsRef::as_ref).collect();
        let named = [path.as_os_str(), bytes.as_ref()];
        self.0
            .qemu_img
            .run("resize", &[&args[..], &how[..], &named[..]].concat())
    }

    /// Makes sure a volume is gone.
    pub fn delete_volume(&self, id: VolumeId) -> Result<(), StorageError> {
        files::remove(&self.volume_path(id))
    }
}

/// An image as a volume on it names it. Relative, so that the state directory can be moved; it is resolved against the
/// directory of the volume.
fn backing(image: ImageId) -> PathBuf {
    Path::new("..").join(IMAGES).join(format!("{image}.qcow2"))
}

pub(crate) fn read_header(path: &Path) -> Result<Header, StorageError> {
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
