//! Errors on the wire: RFC 9457 problem details, with the stable code.

use berth_model::Code;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::schema;

/// What went wrong (RFC 9457, `application/problem+json`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// The stable code: match on this.
    #[schema(value_type = schema::Code)]
    pub code: Code,
    /// The code in words.
    pub title: String,
    /// What is wrong, with what, and what would be right.
    pub detail: String,
    /// The field of the request that is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The documented state that doesn't allow the action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The actions that are allowed now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_actions: Option<Vec<String>>,
    /// The operation in flight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
}
