//! Dry runs on the wire: what a request would do.

use berth_model::metering::PerHour;
use berth_model::{Limit, Resource};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::LimitSchema;

/// What a request with `dry_run=true` would do. It was checked as any other, and nothing was changed. Ids and MACs of what
/// would be made are made up: the request itself chooses others. Of an image that is sent or fetched, only what is known
/// before its bytes are was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DryRunView {
    /// Always true.
    pub dry_run: bool,
    /// What would be told on the event stream at once, in that order.
    pub would: Vec<WouldView>,
    /// The operations that would begin.
    pub operations: Vec<OperationPreview>,
    /// What would change of what the project has, counted to the end of the operations.
    pub charges: Vec<ChargeView>,
    /// What an hour of all that the project has costs; absent for what is no project's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_per_hour: Option<PriceChange>,
    /// What would be applied, as differences to what is there; empty if nothing would be.
    pub diffs: Vec<DiffView>,
}

/// An event that would be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WouldView {
    /// Its type, as on the event stream.
    #[serde(rename = "type")]
    pub kind: String,
    /// The id of the resource that it is about.
    pub resource: String,
    /// The resource's name.
    pub name: String,
    /// The state that it would be in, when the event is a change of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Why, in words, when there is more to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// An operation that would begin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OperationPreview {
    /// What it is about: `instance`, `volume` or `image`.
    pub kind: String,
    /// The action.
    pub action: String,
    /// The id of the instance, volume or image.
    pub resource: String,
    /// Its name.
    pub resource_name: String,
    /// The states that it would go through, in that order; none of an image, which has no states.
    pub steps: Vec<String>,
}

/// A change of what a project has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChargeView {
    /// The project.
    pub project: String,
    /// Of what.
    #[schema(value_type = String)]
    pub resource: Resource,
    /// How much more; less, if below 0.
    pub delta: i64,
    /// How much it has now.
    pub used: u64,
    /// The most it may have.
    #[schema(value_type = LimitSchema)]
    pub limit: Limit,
}

/// What an hour costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PriceChange {
    /// Now.
    #[schema(value_type = String)]
    pub before: PerHour,
    /// Once the operations have ended, and a resize is confirmed. What an image will cost isn't known before it is there.
    #[schema(value_type = String)]
    pub after: PerHour,
    /// What it is in, such as `EUR`; absent if the operator named nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
}

/// A difference to what is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DiffView {
    /// Of what: `domain NAME`, the definition of an instance's guest, or `rules of vpc NAME`, what nft is told.
    pub what: String,
    /// As `diff -u` writes it.
    pub diff: String,
}
