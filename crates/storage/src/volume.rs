//! Layers of volumes: qcow2 files that stand on each other, on an image, or on nothing, each made in constant time.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use berth_model::{Gib, ImageId, LayerId};

use crate::files::{self, publish};
use crate::qcow2::{HEAD, Header};
use crate::{IMAGES, Storage, StorageError, VOLUMES};

/// What a layer stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Under {
    /// Nothing: what was never written is zeroes.
    Nothing,
    /// An image.
    Image(ImageId),
    /// Another layer.
    Layer(LayerId),
    /// A file that Berth would not have put it on.
    Strange,
}

/// What a layer's file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerInfo {
    /// Bytes of the disk that the guest sees.
    pub virtual_size: u64,
    /// Bytes that it takes on this host's disk.
    pub allocated: u64,
    /// What is beneath it.
    pub under: Under,
}

impl Under {
    /// What is meant by the name that a qcow2 header has for the file beneath: ours is told by its directory and its
    /// id, however the way to it is written.
    fn read(name: Option<&[u8]>) -> Self {
        let Some(name) = name else { return Self::Nothing };
        let path = Path::new(OsStr::from_bytes(name));
        let dir = path.parent().and_then(Path::file_name).and_then(OsStr::to_str);
        let stem = path.file_name().and_then(OsStr::to_str);
        let stem = stem.and_then(|name| name.strip_suffix(".qcow2"));
        let known = match (dir, stem) {
            (Some(IMAGES), Some(id)) => id.parse().ok().map(Self::Image),
            (Some(VOLUMES), Some(id)) => id.parse().ok().map(Self::Layer),
            _ => None,
        };
        known.unwrap_or(Self::Strange)
    }

    /// The name of it for a file in any of the directories. Relative, so that the state directory can be moved; it is
    /// resolved against the directory of the file that stands on it.
    fn name(self) -> Option<PathBuf> {
        let up = Path::new("..");
        match self {
            Self::Image(id) => Some(up.join(IMAGES).join(format!("{id}.qcow2"))),
            Self::Layer(id) => Some(up.join(VOLUMES).join(format!("{id}.qcow2"))),
            Self::Nothing | Self::Strange => None,
        }
    }
}

impl Storage {
    /// Where a layer is.
    pub fn layer_path(&self, id: LayerId) -> PathBuf {
        self.dir(VOLUMES).join(format!("{id}.qcow2"))
    }

    /// Where what a layer stands on is; none for one that stands on nothing.
    pub fn path_of(&self, under: Under) -> Option<PathBuf> {
        match under {
            Under::Image(id) => Some(self.image_path(id)),
            Under::Layer(id) => Some(self.layer_path(id)),
            Under::Nothing | Under::Strange => None,
        }
    }

    /// Makes sure there is a layer of that size on that. It holds nothing itself yet.
    pub fn ensure_layer(&self, id: LayerId, under: Under, size: Gib) -> Result<(), StorageError> {
        let path = self.layer_path(id);
        if let Some(found) = self.layer_info(id)? {
            if found.virtual_size == size.bytes() && found.under == under {
                return Ok(());
            }
            let why = format!("it should have {size} on {under:?} and says {found:?}");
            return Err(StorageError::Strange { path, why });
        }
        if let Some(below) = self.path_of(under) {
            let needed = Gib::holding(read_header(&below)?.virtual_size);
            if size < needed {
                return Err(StorageError::TooSmall { size, needed });
            }
        }
        let half_made = self.tmp(format!("{id}.qcow2"));
        let bytes = size.bytes().to_string();
        let mut args: Vec<&OsStr> = ["-q", "-f", "qcow2"].map(OsStr::new).to_vec();
        let below = under.name();
        if let Some(below) = &below {
            args.extend(["-F", "qcow2", "-b"].map(OsStr::new));
            args.push(below.as_os_str());
        }
        args.extend([half_made.as_os_str(), bytes.as_ref()]);
        self.0.qemu_img.run("create", &args)?;
        self.0.owner.give(&half_made, 0o600)?;
        publish(&half_made, &path)
    }

    /// What a layer's file says; none if there is no such file.
    pub fn layer_info(&self, id: LayerId) -> Result<Option<LayerInfo>, StorageError> {
        let path = self.layer_path(id);
        let allocated = match fs::metadata(&path) {
            Ok(found) => found.blocks() * 512,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StorageError::io("look at", &path)(error)),
        };
        let header = read_header(&path)?;
        Ok(Some(LayerInfo {
            virtual_size: header.virtual_size,
            allocated,
            under: Under::read(header.backing.as_deref()),
        }))
    }

    /// Makes sure a layer that nobody has open has at least that size.
    pub fn grow_layer(&self, id: LayerId, size: Gib) -> Result<(), StorageError> {
        if self.size_of(id)? < size.bytes() {
            self.resize(id, size, &[])?;
        }
        Ok(())
    }

    /// Makes sure a layer has no more than that size. Only for one that was grown and that no guest has had since:
    /// what is cut off is lost.
    pub fn shrink_layer_back(&self, id: LayerId, size: Gib) -> Result<(), StorageError> {
        if self.size_of(id)? > size.bytes() {
            self.resize(id, size, &["--shrink"])?;
        }
        Ok(())
    }

    fn size_of(&self, id: LayerId) -> Result<u64, StorageError> {
        let found = self.layer_info(id)?;
        found
            .map(|found| found.virtual_size)
            .ok_or_else(|| StorageError::Strange {
                path: self.layer_path(id),
                why: "it is not there".to_owned(),
            })
    }

    fn resize(&self, id: LayerId, size: Gib, how: &[&str]) -> Result<(), StorageError> {
        let (path, bytes) = (self.layer_path(id), size.bytes().to_string());
        let mut args: Vec<&OsStr> = ["-q", "-f", "qcow2"].map(OsStr::new).to_vec();
        args.extend(how.iter().map(OsStr::new));
        args.extend([path.as_os_str(), bytes.as_ref()]);
        self.0.qemu_img.run("resize", &args)
    }

    /// Makes sure that a layer which nobody has open stands on that, and has in itself all that was between: what it
    /// stood on is not needed for it any more. May take as long as copying that does.
    pub fn pull_layer(&self, id: LayerId, onto: Under) -> Result<(), StorageError> {
        let path = self.layer_path(id);
        if self.layer_info(id)?.is_some_and(|found| found.under == onto) {
            return Ok(());
        }
        // No name at all is how qemu-img is told to stand it on nothing.
        let below = onto.name().unwrap_or_default();
        let mut args: Vec<&OsStr> = ["-q", "-f", "qcow2", "-b"].map(OsStr::new).to_vec();
        args.push(below.as_os_str());
        if !below.as_os_str().is_empty() {
            args.extend(["-F", "qcow2"].map(OsStr::new));
        }
        args.push(path.as_os_str());
        self.0.qemu_img.run("rebase", &args)
    }

    /// Makes sure that layers are gone.
    pub fn delete_layers(&self, ids: &[LayerId]) -> Result<(), StorageError> {
        ids.iter().try_for_each(|id| files::remove(&self.layer_path(*id)))
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_ours_by_its_directory_and_id() {
        let (image, layer) = (ImageId::new(), LayerId::new());
        for name in [
            format!("../images/{image}.qcow2"),
            format!("../volumes/../images/{image}.qcow2"),
            format!("/var/lib/berth/images/{image}.qcow2"),
        ] {
            assert_eq!(Under::read(Some(name.as_bytes())), Under::Image(image), "{name}");
        }
        let name = format!("../volumes/{layer}.qcow2");
        assert_eq!(Under::read(Some(name.as_bytes())), Under::Layer(layer));
        for name in ["/etc/passwd", "json:{}", "images/x.qcow2", "", "../images/"] {
            assert_eq!(Under::read(Some(name.as_bytes())), Under::Strange, "{name}");
        }
        assert_eq!(Under::read(None), Under::Nothing);
    }
}
