//! Operations on the wire: one action on one instance, volume or image, from claim to end.

use berth_model::OperationId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{FaultView, schema};

/// Which operations are wanted.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct OperationQuery {
    /// Only those of this instance: its name or id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Only those of this volume: its name or id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<String>,
    /// Only those of the instance, volume or image of this id, which may be gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// Only those that do this, such as `start` or `attach`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// Only those that stand so: `running`, `undoing`, `succeeded`, `failed` or `cancelled`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// `created_at` (if not given): oldest first; or `-created_at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sort: Option<String>,
    /// The most entries on the page: 1 to 500, 100 if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u32>,
    /// Only entries after this one: the `next` of the page before, of the same order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

impl crate::ListQuery for OperationQuery {
    fn asked(&self) -> crate::Asked<'_> {
        crate::Asked {
            limit: self.limit,
            after: self.after.as_deref(),
            sort: self.sort.as_deref(),
            ..crate::Asked::default()
        }
    }
}

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
