//! Why the daemon didn't start or ended: one clear message and a stable code, which is also the exit code.

use std::fmt;
use std::io::Write as _;

use berth_engine::EngineError;
use berth_hypervisor::HypervisorError;
use berth_model::Code;
use berth_network::NetworkError;
use berth_storage::StorageError;
use berth_store::StoreError;

/// Why the daemon didn't start or ended.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: Code,
    message: String,
}

impl Failure {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(Code::Internal, message)
    }

    /// Says it on stderr for the person who started the daemon by hand.
    pub(crate) fn print(&self) {
        // Nobody is left to be told if stderr is closed.
        let _ = writeln!(std::io::stderr(), "error: {} ({})", self.message, self.code);
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// That what the operator wrote isn't right: where, and why.
pub(crate) fn wrong(place: &str, why: &impl ToString) -> Failure {
    Failure::new(Code::InvalidArgument, format!("{place}: {}", why.to_string()))
}

macro_rules! from {
    ($($error:ty),+) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::new(error.code(), error.to_string())
            }
        }
    )+};
}

from!(EngineError, HypervisorError, NetworkError, StorageError, StoreError);
