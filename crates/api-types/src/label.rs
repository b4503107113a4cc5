//! Labels on the wire: a JSON object of texts, in every view, in the body of every create, and changed by JSON merge
//! patch (RFC 7396).

use berth_model::LabelPatch;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::schema;

/// The body of `PATCH` for what has no other change than of its labels.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeLabels {
    /// Labels to set; `null` takes one away, and those that aren't named stay.
    #[serde(default, skip_serializing_if = "LabelPatch::is_empty")]
    #[schema(value_type = Option<HashMap<schema::LabelKey, schema::LabelChange>>)]
    pub labels: LabelPatch,
}

/// The labels of what is made by a request whose body is something else.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct GivenLabels {
    /// A label, as `KEY=VALUE`; may be given several times.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub label: Vec<String>,
}
