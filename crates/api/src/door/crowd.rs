//! How many are inside: all together, and of one source.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Source;

/// Who is inside.
#[derive(Debug)]
pub(super) struct Crowd {
    room: Arc<Semaphore>,
    sources: Arc<Mutex<HashMap<Source, usize>>>,
    of_one: usize,
}

/// Room for one more, whoever comes.
pub(super) type Room = Option<OwnedSemaphorePermit>;

/// A place of one source. Dropping it leaves it.
pub(super) struct Place {
    _room: Room,
    source: Source,
    sources: Arc<Mutex<HashMap<Source, usize>>>,
}

impl Crowd {
    pub(super) fn new(total: usize, of_one: usize) -> Self {
        Self {
            room: Arc::new(Semaphore::new(total)),
            sources: Arc::default(),
            of_one,
        }
    }

    /// Waits until there is room for one more.
    pub(super) async fn room(&self) -> Room {
        // The semaphore is never closed.
        self.room.clone().acquire_owned().await.ok()
    }

    /// Takes a place for a source; none if it has as many as it may.
    pub(super) fn enter(&self, room: Room, source: Source) -> Option<Place> {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let has = sources.entry(source).or_default();
        if *has >= self.of_one {
            return None;
        }
        *has += 1;
        Some(Place {
            _room: room,
            source,
            sources: self.sources.clone(),
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(has) = sources.get_mut(&self.source) {
            *has -= 1;
            if *has == 0 {
                sources.remove(&self.source);
            }
        }
    }
}
