//! Quotas on the wire: how much of each resource a project may have, and has.

use std::collections::BTreeMap;

use berth_model::{Limit, Resource};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::schema;

/// The quotas of a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QuotaView {
    /// The project.
    pub project: String,
    /// One for each resource.
    pub quotas: Vec<ResourceQuota>,
}

/// One quota of a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ResourceQuota {
    /// Of what: `instances`, `vcpus`, `memory_mib`, `volumes`, `volume_gb`, `snapshots`, `images`, `vpcs`, `subnets`,
    /// `security_groups`, `security_group_rules`, `public_ips` or `key_pairs`.
    #[schema(value_type = schema::Resource)]
    pub resource: Resource,
    /// How much the project has.
    pub used: u64,
    /// The most it may have: a number, or `unlimited`. It may be below what is used: then nothing new is given.
    #[schema(value_type = LimitSchema)]
    pub limit: Limit,
    /// Whether an operator set it for this project; else it is the daemon's default.
    pub set: bool,
}

/// The body of `PATCH /v1/projects/{project}/quota`: the limits to change. What isn't named stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeQuota {
    /// By resource: a number, `unlimited`, or null for the daemon's default again.
    #[schema(value_type = BTreeMap<schema::Resource, LimitOrDefaultSchema>, example = json!({ "vcpus": 64, "memory_mib": "unlimited", "images": null }))]
    pub limits: BTreeMap<Resource, Option<Limit>>,
}

/// How a limit is written.
#[derive(Debug, ToSchema)]
#[serde(untagged)]
#[schema(as = Limit)]
#[allow(dead_code, reason = "it describes what the model reads and writes")]
pub enum LimitSchema {
    /// At most so many.
    AtMost(u64),
    /// As many as the host can give.
    Word(UnlimitedSchema),
}

/// How a limit is changed.
#[derive(Debug, ToSchema)]
#[serde(untagged)]
#[schema(as = LimitOrDefault)]
#[allow(dead_code, reason = "it describes what the model reads and writes")]
pub enum LimitOrDefaultSchema {
    /// At most so many.
    AtMost(u64),
    /// As many as the host can give.
    Word(UnlimitedSchema),
    /// What the daemon's configuration says.
    Default,
}

/// The word for no limit.
#[derive(Debug, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Unlimited)]
#[allow(dead_code, reason = "it describes what the model reads and writes")]
pub enum UnlimitedSchema {
    /// As many as the host can give.
    Unlimited,
}
