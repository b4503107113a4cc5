//! The audit log on the wire.

use berth_model::{Code, OperationId, User};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::schema;

/// The query of `GET /v1/audit`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct AuditQuery {
    /// Only what this user asked.
    #[param(value_type = Option<schema::User>)]
    pub user: Option<User>,
    /// Only what was asked of this project.
    pub project: Option<String>,
    /// Only what was decided so: `allowed`, `unknown` (who asked), `denied`, or `done` (its outcome).
    #[param(value_type = Option<schema::Decision>)]
    pub decision: Option<String>,
    /// Only what was asked from this moment on.
    #[param(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
    /// The most entries on the page: 1 to 500, 100 if not given.
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u32>,
    /// Only what was before this entry: the list goes backwards.
    pub after: Option<String>,
}

/// A line of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntryView {
    /// Its number: one more than that of the line before it.
    pub number: u64,
    /// When it was written.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The request, as its answer's header `x-request-id` names it.
    pub request: String,
    /// `allowed`, `unknown`, `denied`, or `done`: the outcome of what was allowed.
    #[schema(value_type = schema::Decision)]
    pub decision: String,
    /// Who asked; none if that isn't known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::User>)]
    pub user: Option<User>,
    /// How that is known: `socket`, `certificate`, `token ID`, `oidc`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
    /// As what: `operator`, or the role in the project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// From where: a process of this host, or an address.
    pub from: String,
    /// The project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The method and the route.
    pub what: String,
    /// The path.
    pub on: String,
    /// Whether it was a dry run: then nothing was changed, whatever the outcome.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// The HTTP status that was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The error's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Code>)]
    pub code: Option<Code>,
    /// The operations that it began.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<schema::Id>)]
    pub operations: Vec<OperationId>,
}
