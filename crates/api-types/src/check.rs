//! What `berth host check` tells: where the host isn't as the records have it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The answer to `GET` and `POST /v1/host/check`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HostCheck {
    /// Everything that isn't as the records have it.
    pub findings: Vec<FindingView>,
}

/// Something that isn't as the records have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FindingView {
    /// The kind of thing: `domain`, `image`, `volume`, `directory`, `file`, `tap`, `namespace`, `network`, `instance`,
    /// `quota`.
    pub kind: String,
    /// Its name or id.
    pub name: String,
    /// What is wrong with it.
    pub what: String,
    /// What is to be done about it: `remove`, `repair`, or `none` if it isn't ours or can't be made anew.
    pub remedy: String,
    /// What was done about it: `removed`, `repaired`, `begun` (its instance looks at it now), `left_alone` or `failed`;
    /// absent if it was only looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<String>,
    /// Why that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
