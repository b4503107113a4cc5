//! Images on the wire. The bytes of an import are the body of the request; what is known of them is its query.

use berth_model::{Firmware, ImageId, Name, OsFamily};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// What is known of an image that is imported: the query of `POST /v1/images`.
#[derive(Debug, Clone, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ImageQuery {
    /// Its name.
    #[param(value_type = String)]
    pub name: Name,
    /// `linux` (if not given), `windows` or `other`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub os: Option<OsFamily>,
    /// `bios` (if not given), `uefi` or `uefi_secure_boot`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub firmware: Option<Firmware>,
    /// Who logs in over ssh, `root` if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// An image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImageView {
    /// Its id.
    #[schema(value_type = String)]
    pub id: ImageId,
    /// Its name.
    #[schema(value_type = String)]
    pub name: Name,
    /// The format of what was imported: `qcow2` or `raw`.
    pub format: String,
    /// Bytes of the disk that the guest sees.
    pub virtual_size: u64,
    /// Bytes of the file.
    pub file_size: u64,
    /// SHA-256 of the bytes that were imported, in hexadecimal.
    pub sha256: String,
    /// The operating system's family.
    #[schema(value_type = String)]
    pub os: OsFamily,
    /// What starts the guest.
    #[schema(value_type = String)]
    pub firmware: Firmware,
    /// Who logs in over ssh.
    pub user: String,
    /// When it was imported.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}
