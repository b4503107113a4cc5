//! Why a call didn't bring what was asked.

use std::path::PathBuf;

use berth_api_types::Problem;
use berth_model::Code;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody answers on the socket.
    #[error("no daemon answers on {}: {reason}; is berthd running, and may you use its socket?", .socket.display())]
    Unreachable {
        /// The socket.
        socket: PathBuf,
        /// What the connection failed with.
        reason: String,
    },
    /// The daemon refused, or failed.
    #[error("{}", .0.detail)]
    Problem(Box<Problem>),
    /// What was answered isn't what this version of the client understands.
    #[error("the daemon's answer is not understood: {0}; are berth and berthd of the same version?")]
    Protocol(String),
    /// What was to be sent can't be read.
    #[error("{0}")]
    Input(String),
}

impl ClientError {
    /// The stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::Unreachable { .. } => Code::DaemonUnreachable,
            Self::Problem(problem) => problem.code,
            Self::Protocol(_) => Code::Internal,
            Self::Input(_) => Code::InvalidArgument,
        }
    }
}
