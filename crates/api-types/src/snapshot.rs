//! Snapshots on the wire.

use berth_model::{Gib, Name, SnapshotId, VolumeId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

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
}

/// The body of `POST /v1/instances/{instance}/snapshots`: of all its volumes at one instant. That of the root volume gets
/// the name, each other one `NAME-VOLUME`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SnapshotInstance {
    /// What their names begin with.
    #[schema(value_type = schema::Name)]
    pub name: Name,
}

/// Which snapshots are wanted.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct SnapshotQuery {
    /// Only those of this volume: its name or id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<String>,
    /// The most entries on the page: 1 to 500, 100 if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u32>,
    /// Only entries after this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
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
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}
