//! Why a call didn't bring what was asked.

use berth_api_types::{DryRunView, Problem};
use berth_model::Code;

use crate::At;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody answers there.
    #[error("no daemon answers at {at}: {reason}")]
    Unreachable {
        /// Where.
        at: Box<At>,
        /// What the connection failed with.
        reason: String,
    },
    /// The daemon refused, or failed.
    #[error("{}", .0.detail)]
    Problem(Box<Problem>),
    /// What was answered isn't what this version of the client understands.
    #[error("the daemon's answer is not understood: {0}; are berth and berthd of the same version?")]
    Protocol(String),
    /// The request was only tried: this is what it would have done.
    #[error("it was only tried: nothing was changed")]
    DryRun(Box<DryRunView>),
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
            // No failure: who asks for a dry run looks at what it would do.
            Self::DryRun(_) => Code::Conflict,
            Self::Protocol(_) => Code::Internal,
            Self::Input(_) => Code::InvalidArgument,
        }
    }
}
