//! Room on the state directory's disk: what is free, what is promised to those who are writing, and what is kept free.
//!
//! ```text
//!   total ├────── used ──────┼─ reserved ─┼──── may be reserved ────┼─ low_space ─┤
//!                            └──────────────── free ─────────────────────────────┘
//! ```
//!
//! Who is about to write reserves first, so that two who would each fit are not both let in. A reservation lives in
//! memory: after a crash what was half written is in `tmp/` and goes with it.

use std::sync::{Mutex, PoisonError};

use nix::sys::statvfs::statvfs;

use crate::{Storage, StorageError};

/// How much is kept free for guests that grow into their thin volumes, unless the operator says otherwise: 1 GiB.
pub const LOW_SPACE: u64 = 1 << 30;

/// How much is reserved at a time while nobody knows how much will come, in bytes.
const AHEAD: u64 = 64 << 20;

/// Room on the state directory's file system, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// All of it.
    pub total: u64,
    /// What may still be written.
    pub free: u64,
    /// How much of the free is promised to what is being written.
    pub reserved: u64,
    /// How much is to stay free: nothing is reserved out of it.
    pub low_space: u64,
}

/// What is promised, in bytes.
#[derive(Debug, Default)]
pub(crate) struct Promised(Mutex<u64>);

/// Room that is kept for whoever holds this, until it is dropped.
#[derive(Debug)]
#[must_use]
pub struct Reservation {
    storage: Storage,
    left: u64,
}

impl Storage {
    /// Room on the state directory's file system.
    pub fn space(&self) -> Result<Space, StorageError> {
        self.measured(*self.promised())
    }

    /// Promises so many bytes, or says why there is no room for them ([`StorageError::NoRoom`]).
    pub fn reserve(&self, bytes: u64) -> Result<Reservation, StorageError> {
        let mut reservation = Reservation {
            storage: self.clone(),
            left: 0,
        };
        reservation.grow(bytes)?;
        Ok(reservation)
    }

    fn promised(&self) -> std::sync::MutexGuard<'_, u64> {
        // A number is whole even if who held it panicked.
        self.0.promised.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn measured(&self, reserved: u64) -> Result<Space, StorageError> {
        let dir = &self.0.state_dir;
        let found = statvfs(dir).map_err(|errno| StorageError::io("look at", dir)(errno.into()))?;
        let bytes = |blocks: u64| blocks.saturating_mul(found.fragment_size());
        Ok(Space {
            total: bytes(found.blocks()),
            free: bytes(found.blocks_available()),
            reserved,
            low_space: self.0.low_space,
        })
    }
}

impl Space {
    /// How much may still be reserved.
    pub fn available(&self) -> u64 {
        self.free.saturating_sub(self.reserved).saturating_sub(self.low_space)
    }
}

impl Reservation {
    /// How much of it is not written yet, in bytes.
    pub fn left(&self) -> u64 {
        self.left
    }

    /// Reserves so many bytes more, or none.
    pub fn grow(&mut self, bytes: u64) -> Result<(), StorageError> {
        let mut promised = self.storage.promised();
        let space = self.storage.measured(*promised)?;
        if bytes > space.available() {
            return Err(StorageError::NoRoom { wanted: bytes, space });
        }
        *promised += bytes;
        self.left += bytes;
        Ok(())
    }

    /// Makes sure that so many bytes may be written, of a number that nobody knows: reserves ahead while there is room.
    pub fn hold(&mut self, bytes: u64) -> Result<(), StorageError> {
        let missing = bytes.saturating_sub(self.left);
        if missing == 0 || self.grow(missing.max(AHEAD)).is_ok() {
            return Ok(());
        }
        self.grow(missing)
    }

    /// So many bytes are written by now: the file system counts them itself.
    pub fn spend(&mut self, bytes: u64) {
        let spent = bytes.min(self.left);
        self.left -= spent;
        *self.storage.promised() -= spent;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.spend(self.left);
    }
}
