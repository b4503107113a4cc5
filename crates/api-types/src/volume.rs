//! Volumes on the wire. Sizes are in GB as the seed writes it: 2³⁰ bytes each.

use berth_model::{Gib, ImageId, InstanceId, LabelPatch, Labels, Name, VolumeId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::page::list_query;
use crate::{FaultView, schema};

/// The body of `POST /v1/volumes`. At most one of `image`, `snapshot` and `volume`; blank with none of them.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateVolume {
    /// Its name, unique in its project.
    #[schema(value_type = schema::Name)]
    pub name: String,
    /// Its size in GB: 1 to 5120; that of what it is made from if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 5120)]
    pub size: Option<Gib>,
    /// Make it from this image, by name or id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Make it from this snapshot, by name or id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
    /// Make it from this volume as it is now, by name or id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<String>,
    /// Its type; the first of `GET /v1/volume-types` if not given.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub volume_type: Option<String>,
    /// Its labels, at most 64: keys of 1 to 63 letters, digits, `.`, `_`, `-` and `/`, values of up to 255 characters.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    #[schema(value_type = HashMap<schema::LabelKey, schema::LabelValue>)]
    pub labels: Labels,
}

/// The body of `POST /v1/volumes/{volume}/attach`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AttachVolume {
    /// The instance's name or id.
    pub instance: String,
    /// Delete it when the instance is deleted.
    #[serde(default)]
    pub delete_on_termination: bool,
}

/// The body of `POST /v1/volumes/{volume}/detach`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DetachVolume {
    /// Seconds the guest may take to let go of it before it stays attached: 0 to 3600, 60 if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 3600)]
    pub timeout_seconds: Option<u32>,
}

/// The body of `POST /v1/volumes/{volume}/extend`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExtendVolume {
    /// The new size in GB: more than it has, and at most 5120.
    #[schema(value_type = u64, minimum = 1, maximum = 5120)]
    pub size: Gib,
}

/// The body of `PATCH /v1/volumes/{volume}`: what isn't given stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeVolume {
    /// Another name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Name>)]
    pub name: Option<Name>,
    /// Whether it is deleted when its instance is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete_on_termination: Option<bool>,
    /// Labels to set; `null` takes one away, and those that aren't named stay.
    #[serde(default, skip_serializing_if = "LabelPatch::is_empty")]
    #[schema(value_type = Option<HashMap<schema::LabelKey, schema::LabelChange>>)]
    pub labels: LabelPatch,
}

/// The body of `POST /v1/volumes/{volume}/image`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SaveVolume {
    /// The image's name, unique in its project.
    #[schema(value_type = schema::Name)]
    pub name: Name,
    /// Its labels, at most 64: keys of 1 to 63 letters, digits, `.`, `_`, `-` and `/`, values of up to 255 characters.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    #[schema(value_type = HashMap<schema::LabelKey, schema::LabelValue>)]
    pub labels: Labels,
}

list_query! {
    named
    /// Which volumes are wanted.
    VolumeQuery {
        /// Only those in this documented state, such as `In-use`.
        state: String,
        /// Only those attached to this instance: its name or id.
        instance: String,
        /// Only those of this volume type.
        r#type: String,
    }
}

/// A volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VolumeView {
    /// Its id; the guest reads it as the disk's serial number, of which virtio shows the first 20 characters.
    #[schema(value_type = schema::Id)]
    pub id: VolumeId,
    /// Its name; that of a root volume is its instance's.
    #[schema(value_type = schema::Name)]
    pub name: Name,
    /// The project it belongs to.
    pub project: String,
    /// Its documented state.
    #[schema(value_type = schema::VolumeState)]
    pub state: String,
    /// Its size in GB.
    #[schema(value_type = u64)]
    pub size: Gib,
    /// Its type.
    #[serde(rename = "type")]
    pub volume_type: String,
    /// The image at the bottom of it.
    #[schema(value_type = Option<schema::Id>)]
    pub image: Option<ImageId>,
    /// The instance it is attached to.
    #[schema(value_type = Option<schema::Id>)]
    pub instance: Option<InstanceId>,
    /// Whether its instance starts from it.
    pub root: bool,
    /// Where a Linux guest finds it, while it is attached by virtio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Whether it is deleted when its instance is.
    pub delete_on_termination: bool,
    /// What went wrong last, until an action puts it right.
    pub fault: Option<FaultView>,
    /// Its labels.
    #[serde(default)]
    #[schema(value_type = HashMap<schema::LabelKey, schema::LabelValue>)]
    pub labels: Labels,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// The actions that its state allows.
    #[schema(value_type = Vec<schema::VolumeAction>)]
    pub allowed_actions: Vec<String>,
    /// The operation in flight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
}

/// A volume type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VolumeTypeView {
    /// Its name.
    pub name: String,
    /// Reads and writes a second, together; no limit if absent.
    pub iops: Option<u64>,
    /// MiB a second, read and written together; no limit if absent.
    pub mib_per_second: Option<u64>,
}
