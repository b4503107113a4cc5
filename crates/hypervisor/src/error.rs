//! Why libvirt didn't do what it was asked.

use std::time::Duration;

use berth_domain_xml::XmlError;
use berth_model::Code;

/// libvirt refused, failed, or isn't there.
#[derive(Debug, thiserror::Error)]
pub enum HypervisorError {
    /// There is no connection.
    #[error("libvirt can't be reached: {reason}")]
    Unavailable {
        /// What libvirt's client said.
        reason: String,
    },
    /// A call took longer than it may. It may still have an effect once libvirt goes on.
    #[error("libvirt did not answer within {} s when asked to {call}", .after.as_secs())]
    Deadline {
        /// What was asked.
        call: &'static str,
        /// How long was waited.
        after: Duration,
    },
    /// libvirt answered with an error.
    #[error("libvirt was asked to {call}: {message} (libvirt error {number})")]
    Refused {
        /// What was asked.
        call: &'static str,
        /// libvirt's number for it (`virErrorNumber`).
        number: u32,
        /// libvirt's own words.
        message: String,
    },
    /// XML from libvirt can't be read.
    #[error(transparent)]
    Xml(#[from] XmlError),
    /// A thread or libvirt's event loop can't be started, or a call broke off.
    #[error("{0}")]
    Broken(String),
}

impl HypervisorError {
    /// The stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::Unavailable { .. } => Code::HypervisorUnavailable,
            Self::Deadline { .. } => Code::DeadlineExceeded,
            // Another call holds the domain: this one may be asked again.
            Self::Refused { number, .. } if *number == virt_sys::VIR_ERR_OPERATION_TIMEOUT => Code::DeadlineExceeded,
            Self::Refused { .. } => Code::HypervisorError,
            Self::Xml(error) => error.code(),
            Self::Broken(_) => Code::Internal,
        }
    }

    pub(crate) fn refused(call: &'static str, error: &virt::error::Error) -> Self {
        Self::Refused {
            call,
            number: number(error),
            message: error.message().to_owned(),
        }
    }
}

/// libvirt's number of an error.
pub(crate) fn number(error: &virt::error::Error) -> u32 {
    error.code().to_raw()
}

/// Whether an error is the one with that number.
pub(crate) fn is(error: &virt::error::Error, wanted: virt_sys::virErrorNumber) -> bool {
    number(error) == wanted
}
