//! Images: read once from whoever brings them, checked, and never written again.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Read, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use berth_model::{DiskFormat, ImageId, VOLUME_MAX};
use sha2::{Digest as _, Sha256};

use crate::files::{self, create, publish};
use crate::qcow2::{self, HEAD, Sniffed, check_size};
use crate::{IMAGES, Storage, StorageError};

/// Where the bytes of an image come from.
pub enum ImageSource {
    /// A file of this host.
    File(PathBuf),
    /// A stream, and its length in bytes if that is known.
    Reader(Box<dyn Read + Send>, Option<u64>),
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

/// How much is copied at a time.
const CHUNK: usize = 1 << 20;

impl Storage {
    /// Where an image is.
    pub fn image_path(&self, id: ImageId) -> PathBuf {
        self.dir(IMAGES).join(format!("{id}.qcow2"))
    }

    /// Reads an image to its end, checks it, and puts it in place. `cancelled` is asked between chunks; `progress` is
    /// told the bytes so far, and of how many if that is known. Whatever goes wrong, nothing is left.
    pub fn import_image(
        &self,
        id: ImageId,
        source: ImageSource,
        cancelled: &dyn Fn() -> bool,
        progress: &mut dyn FnMut(u64, Option<u64>),
    ) -> Result<ImageFacts, StorageError> {
        let dir = self.tmp(id.to_string());
        files::ensure_dir(&dir, 0o700)?;
        let imported = self.import_in(&dir, id, source, cancelled, progress);
        let cleared = files::remove_dir(&dir);
        let facts = imported?;
        cleared?;
        Ok(facts)
    }

    fn import_in(
        &self,
        dir: &Path,
        id: ImageId,
        source: ImageSource,
        cancelled: &dyn Fn() -> bool,
        progress: &mut dyn FnMut(u64, Option<u64>),
    ) -> Result<ImageFacts, StorageError> {
        let brought = dir.join("brought");
        let (mut reader, length) = open(source)?;
        let (file, sha256) = copy(&mut reader, &brought, (length, cancelled), progress)?;
        let (format, virtual_size) = inspect(file, &brought)?;
        // QEMU's user works in here, and nowhere else.
        self.0.owner.give(&brought, 0o600)?;
        self.0.owner.give(dir, 0o700)?;
        let whole = match format {
            DiskFormat::Qcow2 => {
                let checked = self.0.qemu_img.run_caged(
                    "check",
                    &[OsStr::new("-q"), "-f".as_ref(), "qcow2".as_ref(), brought.as_os_str()],
                );
                checked.map_err(broken)?;
                brought
            }
            DiskFormat::Raw => {
                let converted = dir.join("converted");
                let args = [
                    OsStr::new("-f"),
                    "raw".as_ref(),
                    "-O".as_ref(),
                    "qcow2".as_ref(),
                    brought.as_os_str(),
                    converted.as_os_str(),
                ];
                self.0.qemu_img.run_caged("convert", &args)?;
                converted
            }
        };
        let file_size = fs::metadata(&whole).map_err(StorageError::io("look at", &whole))?.len();
        self.0.owner.give(&whole, 0o444)?;
        publish(&whole, &self.image_path(id))?;
        Ok(ImageFacts {
            format,
            virtual_size,
            file_size,
            sha256,
        })
    }

    /// Makes sure an image is gone. Volumes that are built on it would lose their data: the caller knows there are none.
    pub fn delete_image(&self, id: ImageId) -> Result<(), StorageError> {
        files::remove(&self.image_path(id))
    }
}

fn open(source: ImageSource) -> Result<(Box<dyn Read + Send>, Option<u64>), StorageError> {
    match source {
        ImageSource::Reader(reader, length) => Ok((reader, length)),
        ImageSource::File(path) => {
            let file = File::open(&path).map_err(StorageError::io("open", &path))?;
            let length = file.metadata().map_err(StorageError::io("look at", &path))?.len();
            Ok((Box::new(file), Some(length)))
        }
    }
}

/// Copies what is brought, with a hole for each run of zeros, and hashes it on the way.
fn copy(
    reader: &mut dyn Read,
    to: &Path,
    (length, cancelled): (Option<u64>, &dyn Fn() -> bool),
    progress: &mut dyn FnMut(u64, Option<u64>),
) -> Result<(File, String), StorageError> {
    let mut file = create(to, 0o600)?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0; CHUNK];
    let mut so_far = 0_u64;
    loop {
        if cancelled() {
            return Err(StorageError::Cancelled);
        }
        // The sender went away: what came so far is no image.
        let read = reader.read(&mut chunk).map_err(|_| StorageError::Cancelled)?;
        let Some(bytes) = chunk.get(..read).filter(|bytes| !bytes.is_empty()) else {
            break;
        };
        hash.update(bytes);
        so_far += bytes.len() as u64;
        if so_far > VOLUME_MAX.bytes() {
            return Err(StorageError::Image(format!("it has more than {VOLUME_MAX}")));
        }
        let written = if bytes.iter().all(|byte| *byte == 0) {
            file.seek(SeekFrom::Start(so_far)).map(drop)
        } else {
            file.write_all(bytes)
        };
        written.map_err(StorageError::io("write", to))?;
        progress(so_far, length);
    }
    if length.is_some_and(|length| length != so_far) {
        return Err(StorageError::Cancelled);
    }
    file.set_len(so_far).map_err(StorageError::io("write", to))?;
    Ok((file, hexadecimal(&hash.finalize())))
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or('?');
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

/// Says what was brought, from its own bytes, or why it is refused.
fn inspect(mut file: File, path: &Path) -> Result<(DiskFormat, u64), StorageError> {
    let length = file.metadata().map_err(StorageError::io("look at", path))?.len();
    let mut head = Vec::with_capacity(HEAD);
    file.rewind().map_err(StorageError::io("read", path))?;
    file.take(HEAD as u64)
        .read_to_end(&mut head)
        .map_err(StorageError::io("read", path))?;
    match qcow2::sniff(&head).map_err(StorageError::Image)? {
        Sniffed::Qcow2(header) => {
            header.check_foreign().map_err(StorageError::Image)?;
            Ok((DiskFormat::Qcow2, header.virtual_size))
        }
        Sniffed::Raw => {
            check_size(length).map_err(StorageError::Image)?;
            if length % 512 != 0 {
                let why = format!("it is not qcow2, and {length} bytes are no whole sectors of a raw disk");
                return Err(StorageError::Image(why));
            }
            Ok((DiskFormat::Raw, length))
        }
    }
}

/// What `qemu-img check` finds wrong is wrong with the image.
fn broken(error: StorageError) -> StorageError {
    match error {
        StorageError::QemuImg { message, .. } => StorageError::Image(format!("qemu-img check says: {message}")),
        other => other,
    }
}
