//! The event stream: server-sent events, one a change, numbered without gaps.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// The query of `GET /v1/events`: where the stream begins, and what it tells.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct EventQuery {
    /// Only events after this number; from now on if not given. `Last-Event-ID` says the same.
    pub after: Option<i64>,
    /// Only events of this kind, such as `instance.state`, or of all kinds of a resource, such as `instance`.
    pub kind: Option<String>,
    /// Only events about the resource of this id or name.
    pub resource: Option<String>,
}

/// One event. On the stream its `seq` is also the SSE id, so that `Last-Event-ID` resumes without loss.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EventView {
    /// Its number: one more than the event before it.
    pub seq: i64,
    /// When it was committed.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// What happened, e.g. `instance.state`, `instance.deleted`, `guest.rebooted`, `image.created`.
    pub kind: String,
    /// The id of the resource it is about.
    pub resource: String,
    /// The name of the resource at that time.
    pub name: String,
    /// The documented state, when the event is a change of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The operation that caused it, when one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// Why, in words, when there is more to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The event of libvirt that led to it, in libvirt's words, e.g. `stopped (destroyed)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<String>,
}
