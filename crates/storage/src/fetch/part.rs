//! What came so far of a download, and what it is a part of.
//!
//! `<id>.part` has the bytes; `<id>.json` says from where they are, and what the server called that version of the file
//! (ETag, else Last-Modified). Only with both does a download go on; else it begins anew.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;

use berth_model::ImageId;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::space::Reservation;
use crate::{DOWNLOADS, Storage, StorageError, convert, files};

/// What the bytes are of.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Origin {
    /// The address that was asked for first.
    pub(super) url: String,
    /// What the server calls this version of the file; none if it can't be asked to go on with it.
    pub(super) version: Option<String>,
    /// All of its bytes, if the server said so.
    pub(super) total: Option<u64>,
}

/// A download's file.
pub(super) struct Part {
    path: PathBuf,
    origin_path: PathBuf,
    origin_tmp: PathBuf,
    file: File,
    room: Reservation,
    /// How many bytes there are.
    pub(super) have: u64,
    /// What they are of.
    pub(super) origin: Origin,
}

impl Part {
    /// What there is of this address's file; nothing if there is no way to go on with it.
    pub(super) fn open(storage: &Storage, id: ImageId, url: &Url) -> Result<Self, StorageError> {
        let (path, origin_path) = paths(storage, id);
        let mut open = OpenOptions::new();
        let file = open.read(true).write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(StorageError::io("open", &path))?;
        let known = fs::read(&origin_path).ok();
        let origin: Option<Origin> = known.and_then(|known| serde_json::from_slice(&known).ok());
        let mut part = Self {
            have: convert::length(&file, &path)?,
            origin_tmp: storage.tmp(format!("{id}.json")),
            room: storage.reserve(0)?,
            path,
            origin_path,
            file,
            origin: Origin::default(),
        };
        match origin.filter(|origin| origin.url == url.as_str() && origin.version.is_some()) {
            Some(origin) => part.origin = origin,
            None => part.restart(Origin {
                url: url.to_string(),
                ..Origin::default()
            })?,
        }
        Ok(part)
    }

    /// Where it is.
    pub(super) fn into_path(self) -> Result<PathBuf, StorageError> {
        self.file
            .sync_all()
            .map_err(StorageError::io("write out", &self.path))?;
        Ok(self.path)
    }

    /// Forgets the bytes that came so far: what comes now is of this origin.
    pub(super) fn restart(&mut self, origin: Origin) -> Result<(), StorageError> {
        self.file.set_len(0).map_err(StorageError::io("empty", &self.path))?;
        self.have = 0;
        self.remember(origin)
    }

    /// Writes down what the bytes are of.
    pub(super) fn remember(&mut self, origin: Origin) -> Result<(), StorageError> {
        let text = serde_json::to_vec(&origin).map_err(|error| StorageError::io("write", &self.path)(error.into()))?;
        let mut file = files::create(&self.origin_tmp, 0o600)?;
        file.write_all(&text)
            .map_err(StorageError::io("write", &self.origin_tmp))?;
        files::publish(&self.origin_tmp, &self.origin_path)?;
        self.origin = origin;
        Ok(())
    }

    /// Gets ready to write what is still to come: its room, and its place.
    pub(super) fn make_ready(&mut self) -> Result<(), StorageError> {
        self.room.spend(self.room.left());
        let missing = self.origin.total.map_or(0, |total| total.saturating_sub(self.have));
        self.room.grow(missing)?;
        let sought = self.file.seek(SeekFrom::Start(self.have));
        sought.map(drop).map_err(StorageError::io("write", &self.path))
    }

    /// Adds bytes.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        let length = bytes.len() as u64;
        self.room.hold(length)?;
        self.file
            .write_all(bytes)
            .map_err(StorageError::io("write", &self.path))?;
        self.room.spend(length);
        self.have += length;
        Ok(())
    }
}

/// Where a download and its origin are.
pub(super) fn paths(storage: &Storage, id: ImageId) -> (PathBuf, PathBuf) {
    let dir = storage.dir(DOWNLOADS);
    (dir.join(format!("{id}.part")), dir.join(format!("{id}.json")))
}
