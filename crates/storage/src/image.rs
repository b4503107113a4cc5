//! Images: read once from whoever brings them, checked, converted, and never written again.
//!
//! ```text
//!   a stream ──copy, hash──▶ tmp/<id>/brought ──our parser──▶ caged: check, measure, convert ──▶ tmp/<id>/work/made
//!                            its room is reserved             its room is reserved                  │ our parser again
//!                                                                                  images/<id> ◀────┘ fsync, rename
//! ```

use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};

use berth_model::{Checksum, DiskFormat, ImageId, VOLUME_MAX};

use crate::cage::Reach;
use crate::convert::{self, Disk};
use crate::copied::{Caller, Copied};
use crate::files::{self, publish};
use crate::format::{self, Recognised};
use crate::{IMAGES, Storage, StorageError};

/// Where the bytes of an image come from.
pub enum ImageSource {
    /// A file of this host.
    File(PathBuf),
    /// A stream, and its length in bytes if that is known.
    Reader(Box<dyn Read + Send>, Option<u64>),
}

/// What the bytes of an image are held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImportChecks {
    /// What they must hash to, if somebody knows.
    pub checksum: Option<Checksum>,
    /// How many there may be.
    pub size_max: u64,
}

impl Default for ImportChecks {
    /// No checksum, and as many bytes as a volume may have.
    fn default() -> Self {
        Self {
            checksum: None,
            size_max: VOLUME_MAX.bytes(),
        }
    }
}

/// What is known of an image once it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFacts {
    /// The format of what was brought; what is kept is always qcow2.
    pub format: DiskFormat,
    /// Bytes of the disk that the guest sees.
    pub virtual_size: u64,
    /// Bytes that the image takes on disk.
    pub file_size: u64,
    /// SHA-256 of the bytes that were brought, in hexadecimal.
    pub sha256: String,
}

impl Storage {
    /// Where an image is.
    pub fn image_path(&self, id: ImageId) -> PathBuf {
        self.dir(IMAGES).join(format!("{id}.qcow2"))
    }

    /// Reads an image to its end, checks it, converts it, and puts it in place. `cancelled` is asked now and then;
    /// `progress` is told the bytes that were read so far, and of how many if that is known. Whatever goes wrong,
    /// nothing is left, and its room is free again.
    pub fn import_image(
        &self,
        id: ImageId,
        source: ImageSource,
        checks: &ImportChecks,
        cancelled: &dyn Fn() -> bool,
        progress: &mut dyn FnMut(u64, Option<u64>),
    ) -> Result<ImageFacts, StorageError> {
        let caller = Caller { cancelled, progress };
        self.in_workshop(&id.to_string(), |dir| self.import_in(dir, id, source, checks, caller))
    }

    fn import_in(
        &self,
        dir: &Path,
        id: ImageId,
        source: ImageSource,
        checks: &ImportChecks,
        mut caller: Caller<'_>,
    ) -> Result<ImageFacts, StorageError> {
        let brought = dir.join("brought");
        let mut copied = Copied::new(self, &brought, checks)?;
        copied.take_all(source, &mut caller)?;
        let (file, sha256) = copied.finish()?;
        let length = convert::length(&file, &brought)?;
        let found = format::inspect(&(file, length)).map_err(StorageError::Image)?;
        let (made, virtual_size, file_size) = self.convert_brought(&brought, found, dir, caller.cancelled)?;
        publish(&made, &self.image_path(id))?;
        Ok(ImageFacts {
            format: found.format,
            virtual_size,
            file_size,
            sha256,
        })
    }

    /// Checks what qemu-img can check, and converts it: where the result is, the size of its disk, and its own.
    fn convert_brought(
        &self,
        brought: &Path,
        found: Recognised,
        dir: &Path,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<(PathBuf, u64, u64), StorageError> {
        let qemu_img = &self.0.qemu_img;
        qemu_img.cage().lend(brought, self.0.owner)?;
        let reads = [brought];
        if checkable(found.format) {
            let args = ["-q", "-f", found.format.qemu_name()].map(OsStr::new);
            let reach = Reach {
                reads: &reads,
                work: None,
                file_max: 0,
            };
            let checked = qemu_img.run_caged("check", &[&args[..], &[brought.as_os_str()]].concat(), reach, cancelled);
            checked.map_err(broken)?;
        }
        let disk = Disk {
            by: qemu_img,
            path: brought,
            reads: &reads,
            format: found.format,
            virtual_size: found.virtual_size.max(found.or.unwrap_or(0)),
            cancelled,
        };
        let made = self.convert(&disk, &[], dir).map_err(broken)?;
        let (converted, length) = self.take_converted(&made)?;
        if !found.allows(converted.virtual_size) {
            let (said, is) = (found.virtual_size, converted.virtual_size);
            let why = format!("its header says that its disk has {said} bytes, and qemu-img finds {is}");
            return Err(StorageError::Image(why));
        }
        Ok((made, converted.virtual_size, length))
    }

    /// Makes sure an image is gone. Volumes that are built on it would lose their data: the caller knows there are none.
    pub fn delete_image(&self, id: ImageId) -> Result<(), StorageError> {
        files::remove(&self.image_path(id))
    }
}

/// Whether `qemu-img check` knows the format: it finds blocks that lie outside the file, which convert reads as zeros.
/// What is raw can't be wrong, and a VHD ends with its footer or is refused.
fn checkable(format: DiskFormat) -> bool {
    match format {
        DiskFormat::Qcow2 | DiskFormat::Vmdk | DiskFormat::Vdi | DiskFormat::Vhdx => true,
        DiskFormat::Raw | DiskFormat::Vhd => false,
    }
}

/// What qemu-img finds wrong with a foreign file is wrong with the file; what its cage can't do is not.
fn broken(error: StorageError) -> StorageError {
    let cage = ["bwrap:", "setpriv:", "prlimit:"];
    match error {
        StorageError::QemuImg { verb, message } if !cage.iter().any(|tool| message.starts_with(tool)) => {
            StorageError::Image(format!("qemu-img {verb} says: {message}"))
        }
        other => other,
    }
}

/// Bytes as pairs of hexadecimal digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or('?');
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}
