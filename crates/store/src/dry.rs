//! Dry runs: a request is tried up to the commit of its transaction, and leaves nothing.
//!
//! ```text
//!   scope(request) ── begin … statements … commit ─▶ quotas settled ─▶ StoreError::DryRun ─▶ up, past every effect behind it
//!                                                          │
//!                                                          └─▶ the transaction stays open, the right to write with it
//!   then(reading) ── reads and writes are in that transaction: records as they would be
//!   end ──────────── rolled back
//! ```
//!
//! What is behind a commit (a task that is woken, a file, a rule) is never reached, for the commit is an error: no
//! caller has to know of dry runs, and none can forget them. What comes before it is guarded where it is done.
//!
//! A part of what a request does, such as the default network that it finds missing, is a transaction of its own only
//! when it is meant ([`Dry::part`]): tried, all parts are one, so that the next one builds on the one before.

use std::sync::{Arc, Mutex, PoisonError};

use berth_model::OperationId;
use tokio::sync::{Mutex as AsyncMutex, OwnedMappedMutexGuard, OwnedMutexGuard};

use crate::event::{EventRecord, NewEvent};
use crate::tx::Tx;
use crate::{OperationRecord, Store, StoreError, record};

/// A request that is tried.
#[derive(Default)]
pub struct Dry {
    /// Its transaction, between two uses of it.
    open: Arc<AsyncMutex<Option<Tx>>>,
    tried: Mutex<Option<Tried>>,
}

/// What a request would have committed.
#[derive(Debug, Clone, Default)]
pub struct Tried {
    /// The events that would be told. Their numbers are others' now.
    pub events: Vec<EventRecord>,
    /// The operations that would begin.
    pub operations: Vec<OperationId>,
}

/// Where the current task is.
#[derive(Clone)]
struct Place {
    dry: Arc<Dry>,
    /// Whether what is committed is only a part.
    part: bool,
}

tokio::task_local! {
    static PLACE: Place;
}

impl Dry {
    /// Whether the current task tries a request.
    pub fn is_on() -> bool {
        PLACE.try_with(|_| ()).is_ok()
    }

    /// Tries a request: nothing that it commits is.
    pub async fn scope<F: Future>(self: &Arc<Self>, request: F) -> F::Output {
        let place = Place {
            dry: Arc::clone(self),
            part: false,
        };
        PLACE.scope(place, request).await
    }

    /// Does something in the transaction that a request left open: it sees the records as they would be, and what it
    /// commits joins them.
    pub async fn then<F: Future>(self: &Arc<Self>, work: F) -> F::Output {
        let place = Place {
            dry: Arc::clone(self),
            part: true,
        };
        PLACE.scope(place, work).await
    }

    /// Does a part of a request that is a transaction of its own; tried, it goes on in the one that is there.
    pub async fn part<F: Future>(work: F) -> F::Output {
        match PLACE.try_with(|place| Arc::clone(&place.dry)) {
            Ok(dry) => dry.then(work).await,
            Err(_) => work.await,
        }
    }

    /// The same work for a task of its own.
    pub fn carried<F: Future>(work: F) -> impl Future<Output = F::Output> {
        let place = PLACE.try_with(Clone::clone).ok();
        async move {
            match place {
                Some(place) => PLACE.scope(place, work).await,
                None => work.await,
            }
        }
    }

    /// The same work for a thread of its own.
    pub fn carried_blocking<T>(work: impl FnOnce() -> T) -> impl FnOnce() -> T {
        let place = PLACE.try_with(Clone::clone).ok();
        move || match place {
            Some(place) => PLACE.sync_scope(place, work),
            None => work(),
        }
    }

    /// What would have been committed; none if the request never came so far.
    pub fn tried(&self) -> Option<Tried> {
        self.tried.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// In place of a commit, for what a request does that is no transaction: kinds of events, with what each is about
    /// and its name.
    pub fn instead<'a>(would: impl IntoIterator<Item = (&'static str, &'a str, &'a str)>) -> StoreError {
        let event = |(kind, about, name)| NewEvent::about(kind, "", about, name).numbered(0, record::now());
        let tried = Tried {
            events: would.into_iter().map(event).collect(),
            operations: Vec::new(),
        };
        match PLACE.try_with(Clone::clone) {
            Ok(place) => *place.dry.tried.lock().unwrap_or_else(PoisonError::into_inner) = Some(tried),
            Err(_) => return StoreError::Interrupted,
        }
        StoreError::DryRun
    }

    /// Rolls back.
    pub async fn end(&self) {
        drop(self.open.lock().await.take());
    }

    /// The transaction that the current task goes on with, if it tries something that has one.
    pub(crate) async fn taken() -> Option<Tx> {
        let place = PLACE.try_with(Clone::clone).ok()?;
        place.dry.open.lock().await.take()
    }

    /// The same, to be read in.
    pub(crate) async fn read() -> Option<OwnedMappedMutexGuard<Option<Tx>, Tx>> {
        let place = PLACE.try_with(Clone::clone).ok()?;
        let open = Arc::clone(&place.dry.open).lock_owned().await;
        OwnedMutexGuard::try_map(open, Option::as_mut).ok()
    }

    /// Keeps a transaction open in place of its commit.
    pub(crate) async fn keep(tx: Tx) -> Result<(), StoreError> {
        let place = PLACE.try_with(Clone::clone).map_err(|_| StoreError::Interrupted)?;
        if !place.part {
            let tried = Tried {
                events: tx.events().to_vec(),
                operations: tx.begun.clone(),
            };
            *place.dry.tried.lock().unwrap_or_else(PoisonError::into_inner) = Some(tried);
        }
        *place.dry.open.lock().await = Some(tx);
        if place.part { Ok(()) } else { Err(StoreError::DryRun) }
    }
}

impl Tried {
    /// The records of its operations, read within [`Dry::then`].
    pub async fn operations(&self, store: &Store) -> Result<Vec<OperationRecord>, StoreError> {
        let mut found = Vec::with_capacity(self.operations.len());
        for id in &self.operations {
            found.extend(store.operation(*id).await?);
        }
        Ok(found)
    }
}
