//! Whether the daemon lives and is ready, on the wire.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The answer of `/healthz` and `/readyz`; with the status 503 it is a problem (RFC 9457) as every other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HealthView {
    /// The HTTP status: 200, or 503 if a check fails.
    pub status: u16,
    /// `ok`, or `not ok`.
    pub title: String,
    /// The checks that fail, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Every check.
    pub checks: Vec<CheckView>,
}

/// One thing that is checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CheckView {
    /// What it is about.
    pub name: String,
    /// Whether all is well.
    pub ok: bool,
    /// What is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
