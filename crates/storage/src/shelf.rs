//! The shelf: a volume saved as an image of its own, whole and verified, so that the volume itself may go.
//!
//! ```text
//!   volume ─┬─ caged: convert, compressed ──▶ tmp/<image>/work/made ─┬─ hashed ──┬──▶ images/<image>
//!   image ──┘                                  volume ── compared ───┘           │ fsync, rename
//! ```
//!
//! In a cage too, where QEMU's own user reads the volume: a guest may have it meanwhile, so that no file of it changes
//! its owner. The files beneath it are found from its header, which a guest that broke its QEMU could have written: only
//! files of this installation are followed.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Component, Path, PathBuf};

use berth_model::{DiskFormat, ImageId, LayerId};
use sha2::{Digest as _, Sha256};

use crate::cage::Reach;
use crate::convert::Disk;
use crate::files::publish;
use crate::image::{ImageFacts, hexadecimal};
use crate::volume::read_header;
use crate::{Storage, StorageError};

/// How much is hashed at a time, in bytes.
const CHUNK: usize = 1 << 20;

/// How many files may stand on each other.
const CHAIN_MAX: usize = 64;

/// zstd: smaller and five times faster than zlib. Sixteen requests at once, as many as qemu-img takes, done in whatever
/// order: the file is new, and compressed clusters have no order that would matter to who reads them.
const OPTIONS: [&str; 7] = ["-c", "-m", "16", "-W", "-o", "compression_type=zstd", "-q"];

impl Storage {
    /// Makes sure that an image has all that a layer which nobody writes holds: flattened (it stands on nothing),
    /// compressed, and compared with the layer to the last byte before it appears under its name. One that is there
    /// already was made so.
    pub fn save_volume(
        &self,
        volume: LayerId,
        as_image: ImageId,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<ImageFacts, StorageError> {
        let path = self.image_path(as_image);
        let sha256 = if path.exists() {
            hash(&path)?
        } else {
            self.in_workshop(&as_image.to_string(), |dir| self.save_in(dir, volume, &path, cancelled))?
        };
        Ok(ImageFacts {
            format: DiskFormat::Qcow2,
            virtual_size: read_header(&path)?.virtual_size,
            file_size: fs::metadata(&path).map_err(StorageError::io("look at", &path))?.len(),
            sha256,
        })
    }

    fn save_in(
        &self,
        dir: &Path,
        volume: LayerId,
        to: &Path,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<String, StorageError> {
        let from = self.layer_path(volume);
        // libvirt may have left it to root when the guest went off.
        self.0.owner.give(&from, 0o600)?;
        let chain = self.chain(&from)?;
        let reads: Vec<&Path> = chain.iter().map(PathBuf::as_path).collect();
        let disk = Disk {
            by: &self.0.volume_img,
            path: &from,
            reads: &reads,
            format: DiskFormat::Qcow2,
            virtual_size: read_header(&from)?.virtual_size,
            cancelled,
        };
        let (saved, sha256) = self.save_caged(dir, &disk)?;
        publish(&saved, to)?;
        Ok(sha256)
    }

    /// Where the verified image is, and its SHA-256.
    fn save_caged(&self, dir: &Path, disk: &Disk<'_>) -> Result<(PathBuf, String), StorageError> {
        let virtual_size = disk.virtual_size;
        let saved = self.convert(disk, &OPTIONS, dir)?;
        let (found, _) = self.take_converted(&saved)?;
        if !found.allows(virtual_size) {
            return Err(StorageError::Strange {
                path: saved,
                why: format!(
                    "its disk should have {virtual_size} bytes and has {}",
                    found.virtual_size
                ),
            });
        }
        // Both read the whole file: the second finds it in memory.
        let (compared, hashed) = std::thread::scope(|scope| {
            let hashed = scope.spawn(|| hash(&saved));
            let compared = compare(disk, &saved);
            (compared, hashed.join())
        });
        compared?;
        let sha256 = hashed.map_err(|_| StorageError::Strange {
            path: saved.clone(),
            why: "it could not be hashed".to_owned(),
        })??;
        Ok((saved, sha256))
    }

    /// A volume's file and all that are beneath it.
    fn chain(&self, top: &Path) -> Result<Vec<PathBuf>, StorageError> {
        let state_dir = normal(&self.0.state_dir);
        let mut chain = vec![top.to_owned()];
        let mut at = top.to_owned();
        while let Some(name) = read_header(&at)?.backing {
            let name = OsString::from_vec(name);
            let below = at.parent().map(|dir| normal(&dir.join(&name)));
            let ours = |path: &PathBuf| {
                let in_ours = path.parent().and_then(Path::parent) == Some(&state_dir);
                in_ours && path.symlink_metadata().is_ok_and(|found| found.is_file())
            };
            let Some(below) = below.filter(ours).filter(|_| chain.len() < CHAIN_MAX) else {
                let why = format!("it stands on {}, which is no file of this installation", name.display());
                return Err(StorageError::Strange { path: at, why });
            };
            chain.push(below.clone());
            at = below;
        }
        Ok(chain)
    }
}

/// Fails unless the image holds what the disk does, to the last byte.
fn compare(disk: &Disk<'_>, saved: &Path) -> Result<(), StorageError> {
    let reads = [disk.reads, &[saved]].concat();
    let reach = Reach {
        reads: &reads,
        work: None,
        file_max: 0,
    };
    let flags = ["-q", "-f", "qcow2", "-F", "qcow2"].map(OsStr::new);
    let args = [&flags[..], &[disk.path.as_os_str(), saved.as_os_str()]].concat();
    disk.by.run_caged("compare", &args, reach, &|| false)?;
    Ok(())
}

/// A path without `..`, which is what stands before it taken away.
fn normal(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut so_far, part| {
        if part == Component::ParentDir {
            so_far.pop();
        } else {
            so_far.push(part);
        }
        so_far
    })
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
