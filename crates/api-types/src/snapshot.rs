//! Snapshots on the wire.

use berth_model::{Gib, Labels, Name, SnapshotId, VolumeId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::page::list_query;
use crate::schema;

/// The body of `POST /v1/snapshots`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateSnapshot {
    /// Its name, unique in its project.
    #[schema(value_type = schema::Name)]
    pub name: Name,
    /// The volume's name or id.
    pub volume: String,
    /// Its labels, at most 64: keys of 1 to 63 letters, digits, `.`, `_`, `-` and `/`, values of up to 255 characters.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    #[schema(value_type = HashMap<schema::LabelKey, schema::LabelValue>)]
    pub labels: Labels,
}

/// The body of `POST /v1/instances/{instance}/snapshots`: of all its volumes at one instant. That of the root volume gets
/// the name, each other one `NAME-VOLUME`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SnapshotInstance {
    /// What their names begin with.
    #[schema(value_type = schema::Name)]
    pub name: Name,
    /// Its labels, at most 64: keys of 1 to 63 letters, digits, `.`, `_`, `-` and `/`, values of up to 255 characters.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    #[schema(value_type = HashMap<schema::LabelKey, schema::LabelValue>)]
    pub labels: Labels,
}

list_query! {
    named
    /// Which snapshots are wanted.
    SnapshotQuery {
        /// Only those of this volume: its name or id.
        volume: String,
        /// Only those that can be used, or those that are being taken.
        ready: bool,
    }
}

/// A snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SnapshotView {
    /// Its id.
    #[schema(value_type = schema::Id)]
    pub id: SnapshotId,
    /// Its name.
    #[schema(value_type = schema::Name)]
    pub name: Name,
    /// The volume it was taken of, which may be gone.
    #[schema(value_type = schema::Id)]
    pub volume: VolumeId,
    /// That volume's name then.
    #[schema(value_type = schema::Name)]
    pub volume_name: Name,
    /// That volume's size then, in GB; a volume made from it has at least that.
    #[schema(value_type = u64)]
    pub size: Gib,
    /// Whether it can be used: `false` while it is being taken.
    pub ready: bool,
    /// `application` if the guest's agent had frozen its file systems, or no guest had the volume; else `crash`: as after
    /// a loss of power.
    pub consistency: String,
    /// Its labels.
    #[serde(default)]
    #[schema(value_type = HashMap<schema::LabelKey, schema::LabelValue>)]
    pub labels: Labels,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}
