//! What the engine answers when it can't do what is asked.

use berth_hypervisor::HypervisorError;
use berth_model::{Action, Code, InstanceState, OperationId};
use berth_network::NetworkError;
use berth_storage::StorageError;
use berth_store::{ClaimError, StoreError};

/// Why a request was refused or failed. Every one has a stable code.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A field of the request isn't what it must be.
    #[error("{field}: {message}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// What is wrong with it, and what would be right.
        message: String,
    },
    /// A field of the request is larger than it may be.
    #[error("{field}: {message}")]
    TooLarge {
        /// The field.
        field: &'static str,
        /// How large it is, and how large it may be.
        message: String,
    },
    /// The action table doesn't allow the action now.
    #[error("{action} is not allowed while the instance is {state}{}", in_flight(.operation.as_ref()))]
    Refused {
        /// What was asked.
        action: Action,
        /// The documented state.
        state: InstanceState,
        /// What is allowed now.
        allowed: Vec<Action>,
        /// The operation in flight.
        operation: Option<OperationId>,
    },
    /// The instance has to be in another state for this.
    #[error("{what} needs the instance to be {needed}, and it is {state}")]
    WrongState {
        /// What was asked.
        what: &'static str,
        /// The state it needs.
        needed: InstanceState,
        /// The state it is in.
        state: InstanceState,
    },
    /// The disk has no room for it.
    #[error("{0}")]
    NoRoom(String),
    /// The store refused or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// libvirt refused, failed or is away.
    #[error(transparent)]
    Hypervisor(#[from] HypervisorError),
    /// The disk refused or failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The network refused or failed.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// What was written down is not in force yet.
    #[error("it is written down, and not in force yet: {0}; it is tried again by itself")]
    NotInForce(NetworkError),
    /// A NIC could not be given to a guest, or taken from it.
    #[error("{message}")]
    Nic {
        /// The stable code.
        code: Code,
        /// What happened, and what would help.
        message: String,
    },
    /// An instance's file or socket could not be opened.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// What instances use can't be told.
    #[error("what instances use can't be told: {0}")]
    NotMeasured(String),
    /// A defect of Berth.
    #[error("{0}: a defect of Berth, please report it with the daemon's log")]
    Internal(String),
}

fn in_flight(operation: Option<&OperationId>) -> String {
    operation
        .map(|id| format!(" (operation {id} is in flight)"))
        .unwrap_or_default()
}

impl EngineError {
    /// The stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::Invalid { .. } => Code::InvalidArgument,
            Self::TooLarge { .. } => Code::TooLarge,
            Self::Refused { .. } | Self::WrongState { .. } => Code::ActionNotAllowed,
            Self::NoRoom(_) => Code::NoCapacity,
            Self::Store(error) => error.code(),
            Self::Hypervisor(error) => error.code(),
            Self::Storage(error) => error.code(),
            Self::Network(error) | Self::NotInForce(error) => error.code(),
            Self::Nic { code, .. } => *code,
            Self::Io { .. } | Self::NotMeasured(_) | Self::Internal(_) => Code::Internal,
        }
    }

    /// The field of the request that is wrong.
    pub fn field(&self) -> Option<&'static str> {
        match self {
            Self::Invalid { field, .. } | Self::TooLarge { field, .. } => Some(field),
            Self::Store(StoreError::Label(_)) => Some("labels"),
            Self::Refused { .. }
            | Self::WrongState { .. }
            | Self::NoRoom(_)
            | Self::Store(_)
            | Self::Hypervisor(_)
            | Self::Storage(_)
            | Self::Network(_)
            | Self::NotInForce(_)
            | Self::Nic { .. }
            | Self::Io { .. }
            | Self::NotMeasured(_)
            | Self::Internal(_) => None,
        }
    }

    pub(crate) fn invalid(field: &'static str, message: impl ToString) -> Self {
        Self::Invalid {
            field,
            message: message.to_string(),
        }
    }

    pub(crate) fn of_claim(action: Action, error: ClaimError) -> Self {
        match error {
            ClaimError::Refused {
                state,
                allowed,
                operation,
            } => Self::Refused {
                action,
                state,
                allowed,
                operation,
            },
            // A delete that ended in between: the instance was there when it was looked up.
            ClaimError::NotFound(id) => Self::Store(StoreError::NotFound {
                what: "instance",
                reference: id.to_string(),
            }),
            ClaimError::Store(error) => Self::Store(error),
            other => Self::Internal(other.to_string()),
        }
    }
}
