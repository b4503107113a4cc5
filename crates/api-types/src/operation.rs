//! Operations on the wire: one action on one instance, volume or image, from claim to end.

use berth_model::OperationId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{FaultView, schema};

/// An operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OperationView {
    /// Its id.
    #[schema(value_type = schema::Id)]
    pub id: OperationId,
    /// What it is about: `instance`, `volume` or `image`.
    pub kind: String,
    /// The action: `create`, `start`, `stop`, `attach`, `snapshot`, `import` …
    pub action: String,
    /// The id of the instance, volume or image.
    pub resource: String,
    /// Its name.
    pub resource_name: String,
    /// How it stands.
    pub outcome: Outcome,
    /// The transitional state it is at, or was at last; none of an image, which has no states.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// How far it is, of what takes long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<ProgressView>,
    /// Why it failed, when it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<FaultView>,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub finished_at: Option<Timestamp>,
}

/// How far an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProgressView {
    /// Bytes so far.
    pub done: u64,
    /// Of so many, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<u64>,
}

/// How an operation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Its steps are being done.
    Running,
    /// A step failed, and what was done is being undone.
    Undoing,
    /// It did what was asked.
    Succeeded,
    /// It failed; the error says why.
    Failed,
    /// A later request cancelled it.
    Cancelled,
}

impl Outcome {
    /// Whether nothing more will happen.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

/// The query of `GET /v1/operations/{id}/wait`: answers when the operation has ended, or the time is over.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wait {
    /// The most seconds to wait: 0 to 60, 30 if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(maximum = 60)]
    pub timeout_seconds: Option<u32>,
}
