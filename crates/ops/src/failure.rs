//! Why a step didn't do what it should.

use berth_model::Code;
use berth_store::Fault;

/// A step that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It may work when tried again: libvirt was away, something was busy.
    #[error("{message}")]
    Transient {
        /// The stable code.
        code: Code,
        /// What happened, in words.
        message: String,
    },
    /// Something that every step needs is away, and may come back: libvirt.
    #[error("{message}")]
    Away {
        /// The stable code.
        code: Code,
        /// What happened, in words.
        message: String,
    },
    /// Trying again changes nothing.
    #[error("{message}")]
    Final {
        /// The stable code.
        code: Code,
        /// What happened, in words.
        message: String,
    },
    /// A later request took the instance over, and the step stopped waiting.
    #[error("cancelled by a later request")]
    Cancelled,
}

impl Failure {
    /// A failure that may pass.
    pub fn transient(code: Code, error: impl ToString) -> Self {
        Self::Transient {
            code,
            message: error.to_string(),
        }
    }

    /// A failure that lasts as long as something is away.
    pub fn away(code: Code, error: impl ToString) -> Self {
        Self::Away {
            code,
            message: error.to_string(),
        }
    }

    /// A failure that stays.
    pub fn fatal(code: Code, error: impl ToString) -> Self {
        Self::Final {
            code,
            message: error.to_string(),
        }
    }

    /// The failure as it is kept with the operation and the instance.
    pub fn fault(&self) -> Fault {
        let code = match self {
            Self::Transient { code, .. } | Self::Away { code, .. } | Self::Final { code, .. } => *code,
            Self::Cancelled => Code::OperationCancelled,
        };
        Fault::new(code, self.to_string())
    }
}
