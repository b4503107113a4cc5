//! What is brought, on its way into a file of our own: counted, hashed, and with room reserved before it is written.

use std::fs::File;
use std::io::{Read, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use berth_model::Checksum;
use sha2::{Digest as _, Sha256, Sha512};

use crate::convert;
use crate::error::Amount;
use crate::files::create;
use crate::image::{ImageSource, ImportChecks, hexadecimal};
use crate::space::Reservation;
use crate::{Storage, StorageError};

/// How much is copied at a time, in bytes.
const CHUNK: usize = 1 << 20;

/// Whether to go on, and who is told how far it is.
pub(crate) struct Caller<'a> {
    pub(crate) cancelled: &'a dyn Fn() -> bool,
    pub(crate) progress: &'a mut dyn FnMut(u64, Option<u64>),
}

/// What was brought so far: in its file with a hole for each run of zeros, and hashed.
pub(crate) struct Copied<'a> {
    path: &'a Path,
    file: File,
    room: Reservation,
    checks: &'a ImportChecks,
    sha256: Sha256,
    sha512: Option<Sha512>,
    so_far: u64,
}

impl<'a> Copied<'a> {
    /// Nothing yet, in a new file.
    pub(crate) fn new(storage: &Storage, path: &'a Path, checks: &'a ImportChecks) -> Result<Self, StorageError> {
        Ok(Self {
            path,
            file: create(path, 0o600)?,
            room: storage.reserve(0)?,
            checks,
            sha256: Sha256::new(),
            sha512: matches!(checks.checksum, Some(Checksum::Sha512(_))).then(Sha512::new),
            so_far: 0,
        })
    }

    /// Copies all that the source has.
    pub(crate) fn take_all(&mut self, source: ImageSource, caller: &mut Caller<'_>) -> Result<(), StorageError> {
        let (mut reader, length) = open(source)?;
        if let Some(length) = length {
            self.check_size(length)?;
            self.room.grow(length)?;
        }
        let mut chunk = vec![0; CHUNK];
        loop {
            if (caller.cancelled)() {
                return Err(StorageError::Cancelled);
            }
            // The sender went away: what came so far is no image.
            let read = reader.read(&mut chunk).map_err(|_| StorageError::Cancelled)?;
            let Some(bytes) = chunk.get(..read).filter(|bytes| !bytes.is_empty()) else {
                break;
            };
            self.take(bytes)?;
            (caller.progress)(self.so_far, length);
        }
        match length {
            Some(length) if length != self.so_far => Err(StorageError::Cancelled),
            Some(_) | None => Ok(()),
        }
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        let length = bytes.len() as u64;
        self.check_size(self.so_far + length)?;
        self.room.hold(length)?;
        self.sha256.update(bytes);
        if let Some(sha512) = &mut self.sha512 {
            sha512.update(bytes);
        }
        self.so_far += length;
        let written = if bytes.iter().all(|byte| *byte == 0) {
            self.file.seek(SeekFrom::Start(self.so_far)).map(drop)
        } else {
            self.file.write_all(bytes)
        };
        written.map_err(StorageError::io("write", self.path))?;
        self.room.spend(length);
        Ok(())
    }

    fn check_size(&self, length: u64) -> Result<(), StorageError> {
        let max = self.checks.size_max;
        if length > max {
            return Err(StorageError::Image(format!("it has more than {}", Amount(max))));
        }
        Ok(())
    }

    /// The whole file, and its SHA-256 in hexadecimal, if it is what it was to be.
    pub(crate) fn finish(self) -> Result<(File, String), StorageError> {
        self.file
            .set_len(self.so_far)
            .map_err(StorageError::io("write", self.path))?;
        let sha256 = self.sha256.finalize();
        let got = match self.sha512 {
            Some(sha512) => Checksum::Sha512(sha512.finalize().into()),
            None => Checksum::Sha256(sha256.into()),
        };
        if let Some(expected) = self.checks.checksum.filter(|expected| *expected != got) {
            let (expected, got) = (Box::new(expected), Box::new(got));
            return Err(StorageError::Checksum { expected, got });
        }
        Ok((self.file, hexadecimal(&sha256)))
    }
}

fn open(source: ImageSource) -> Result<(Box<dyn Read + Send>, Option<u64>), StorageError> {
    match source {
        ImageSource::Reader(reader, length) => Ok((reader, length)),
        ImageSource::File(path) => {
            let file = File::open(&path).map_err(StorageError::io("open", &path))?;
            let length = convert::length(&file, &path)?;
            Ok((Box::new(file), Some(length)))
        }
    }
}
