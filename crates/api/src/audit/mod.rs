//! The audit log: who, from where, what, on what, the decision and the outcome.
//!
//! ```text
//!   request ─▶ guard ──refused──▶ one line: the decision
//!                │ allowed, and it may change something
//!                ▼
//!              a line with the decision ─▶ the route ─▶ a line with the outcome, and what was begun
//! ```
//!
//! The first line is written before anything is done: what a crash cuts off has its decision in the log. A request
//! that can't be logged is not done. No body, no query and no header gets here, so no secret does. What is only looked at
//! is not logged, unless it is refused.

mod back;
mod entry;
mod file;
mod route;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use axum::response::Response;
use berth_model::OperationId;
use jiff::Timestamp;

pub(crate) use entry::{Decision, Entry};
pub(crate) use route::routes;

use crate::audit::file::Files;
use crate::problem::ApiError;

/// How much is kept, and where.
#[derive(Debug, Clone)]
pub struct AuditSettings {
    /// The directory of its files.
    pub dir: std::path::PathBuf,
    /// How large a file becomes before the next one is begun, in bytes.
    pub file_size: u64,
    /// How many files are kept, the one that is written included.
    pub files: usize,
}

impl AuditSettings {
    /// Ten files of 64 MiB in a directory.
    pub fn new(dir: impl AsRef<Path>) -> Self {
        Self {
            dir: dir.as_ref().to_owned(),
            file_size: 64 << 20,
            files: 10,
        }
    }
}

/// The log. Cheap to clone.
#[derive(Clone)]
pub struct Audit(Arc<Mutex<Files>>);

impl Audit {
    /// Opens the log, or makes it: readable by the daemon's user alone. Blocking.
    pub fn open(settings: AuditSettings) -> std::io::Result<Self> {
        Ok(Self(Arc::new(Mutex::new(Files::open(settings)?))))
    }

    /// Writes an entry, with the next number and this moment.
    pub(crate) async fn write(&self, mut entry: Entry) -> Result<(), ApiError> {
        let files = Arc::clone(&self.0);
        let written = tokio::task::spawn_blocking(move || {
            let mut files = files.lock().unwrap_or_else(PoisonError::into_inner);
            entry.at = Timestamp::now();
            files.append(entry)
        });
        match written.await.map_err(ApiError::internal)? {
            Ok(()) => Ok(()),
            Err(error) => Err(ApiError::not_logged(&error)),
        }
    }

    /// The newest entries that fit, the newest first.
    pub(crate) async fn read(&self, wanted: back::Wanted) -> Result<Vec<Entry>, ApiError> {
        let paths = self.0.lock().unwrap_or_else(PoisonError::into_inner).newest_first();
        let read = tokio::task::spawn_blocking(move || back::read(&paths?, &wanted));
        read.await.map_err(ApiError::internal)?.map_err(ApiError::internal)
    }
}

/// What a request has begun, told by its route through the response.
#[derive(Debug, Clone)]
pub(crate) struct Begun(pub(crate) Vec<OperationId>);

impl Begun {
    /// Notes it on a response.
    pub(crate) fn note(operations: &[OperationId], mut response: Response) -> Response {
        response.extensions_mut().insert(Self(operations.to_vec()));
        response
    }
}
