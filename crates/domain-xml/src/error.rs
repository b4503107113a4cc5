//! What can be wrong with a spec or with XML.

use std::path::PathBuf;

use berth_model::Code;

/// A spec can't be written, or XML can't be read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum XmlError {
    /// A text has a character that XML 1.0 can't hold or libvirt refuses.
    #[error("{field} {text:?} has a character that XML can't hold; leave control characters out")]
    Unwritable {
        /// Which text it is, e.g. `title`.
        field: &'static str,
        /// The text.
        text: String,
    },
    /// A path isn't UTF-8, and XML is.
    #[error("path {0:?} is not UTF-8; domain XML can't name it")]
    Path(PathBuf),
    /// The XML writer refused.
    #[error("domain XML can't be written: {0}")]
    Write(#[from] quick_xml::SeError),
    /// The XML has no such form, or lacks what every domain has.
    #[error("libvirt's XML can't be read: {0}")]
    Read(String),
}

impl XmlError {
    /// The stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::Unwritable { .. } | Self::Path(_) => Code::InvalidArgument,
            Self::Write(_) => Code::Internal,
            Self::Read(_) => Code::HypervisorError,
        }
    }
}

impl From<quick_xml::DeError> for XmlError {
    fn from(error: quick_xml::DeError) -> Self {
        Self::Read(error.to_string())
    }
}

impl From<quick_xml::Error> for XmlError {
    fn from(error: quick_xml::Error) -> Self {
        Self::Read(error.to_string())
    }
}
