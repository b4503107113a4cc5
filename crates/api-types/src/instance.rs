//! Instances on the wire.

use std::net::Ipv4Addr;

use berth_model::{Code, Gib, ImageId, InstanceId, Labels, Mac, Name, OnBoot, OnCrash, PortId, VolumeId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::page::list_query;
use crate::{OperationView, object, schema};

/// The body of `POST /v1/instances`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateInstances {
    /// The instance's name; with a count above 1, `NAME-1` to `NAME-N`.
    #[schema(value_type = schema::Name)]
    pub name: String,
    /// The image's name or id.
    pub image: String,
    /// The instance type's name.
    #[serde(rename = "type")]
    pub instance_type: String,
    /// How many: 1 to 100, 1 if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 100)]
    pub count: Option<u32>,
    /// The name or id of the key pair that may log in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// User data for cloud-init, in base64; at most 16 KiB decoded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::UserData>)]
    pub user_data: Option<String>,
    /// What becomes of it when its guest crashed: `stay` in Error (the default), or `reboot`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::OnCrash>)]
    pub on_crash: Option<OnCrash>,
    /// What becomes of it when its host was rebooted while it was Active: `start` (the default), or `stay` off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::OnBoot>)]
    pub on_boot: Option<OnBoot>,
    /// The size of the root volume in GB: 1 to 5120; as the type and the image have it if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 5120)]
    pub root_size: Option<Gib>,
    /// Keep the root volume when the instance is deleted.
    #[serde(default)]
    pub keep_root: bool,
    /// The volumes it has besides its root, at most 10.
    #[serde(default, deserialize_with = "object::list", skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 10)]
    pub volumes: Vec<VolumeOfInstance>,
    /// Its NICs, the primary one first, at most as many as its type has; one in the subnet `default` if not given.
    #[serde(default, deserialize_with = "object::list", skip_serializing_if = "Vec::is_empty")]
    pub nics: Vec<NicOfInstance>,
    /// The security groups that the ports made for it are in, by name or id; that of their VPC, `default`, if there are
    /// none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub security_groups: Vec<String>,
    /// A public IP for its primary port.
    #[serde(default, deserialize_with = "object::maybe", skip_serializing_if = "Option::is_none")]
    pub public_ip: Option<PublicIpOfInstance>,
    /// Its labels, at most 64: keys of 1 to 63 letters, digits, `.`, `_`, `-` and `/`, values of up to 255 characters.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    #[schema(value_type = HashMap<schema::LabelKey, schema::LabelValue>)]
    pub labels: Labels,
}

/// A NIC that an instance is made with: a port that is there, or a new one in a subnet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NicOfInstance {
    /// The subnet of a new port: its name or id, or `VPC/NAME`; `default` if neither it nor a port is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet: Option<String>,
    /// The address of a new port in its subnet; a free one if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Address>)]
    pub address: Option<Ipv4Addr>,
    /// The name or id of a port that is there; with nothing else then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
}

/// The public IP that an instance is made with: a static one of the project by its address, or an ephemeral one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PublicIpOfInstance {
    /// A static one that no port has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Address>)]
    pub address: Option<Ipv4Addr>,
    /// The pool that an ephemeral one is taken from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
}

/// A volume that an instance is made with: a size for a new, blank one, or the name or id of one that is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VolumeOfInstance {
    /// The size of a new one in GB: 1 to 5120.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 5120)]
    pub size: Option<Gib>,
    /// The name or id of one that is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<String>,
    /// Delete it when the instance is deleted.
    #[serde(default)]
    pub delete_on_termination: bool,
}

/// The answer to `POST /v1/instances`: an operation for each instance, in the order of their numbers.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Created {
    /// The operations; each names its instance.
    pub operations: Vec<OperationView>,
}

/// The body of `POST /v1/instances/{ref}/stop`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StopInstance {
    /// Seconds the guest may take to shut down before the plug is pulled: 0 to 3600, 60 if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 3600)]
    pub timeout_seconds: Option<u32>,
    /// Pull the plug at once.
    #[serde(default)]
    pub force: bool,
}

/// The body of `POST /v1/instances/{ref}/reboot`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RebootInstance {
    /// Pull the plug rather than ask the guest.
    #[serde(default)]
    pub hard: bool,
}

/// The body of `POST /v1/instances/{ref}/resize`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResizeInstance {
    /// The new instance type's name.
    #[serde(rename = "type")]
    pub instance_type: String,
    /// Confirm by itself once the guest runs on the new type.
    #[serde(default)]
    pub confirm: bool,
}

list_query! {
    named
    /// Which instances are wanted.
    InstanceQuery {
        /// Only those in this documented state, such as `Active` or `Powering-off`.
        state: String,
        /// Only those of this instance type.
        r#type: String,
        /// Only those made from this image: its name or id.
        image: String,
    }
}

/// An instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InstanceView {
    /// Its id; also the UUID of its libvirt domain.
    #[schema(value_type = schema::Id)]
    pub id: InstanceId,
    /// Its name.
    #[schema(value_type = schema::Name)]
    pub name: Name,
    /// The project it belongs to.
    pub project: String,
    /// Its documented state.
    #[schema(value_type = schema::InstanceState)]
    pub state: String,
    /// Whether that state is billed.
    pub billed: bool,
    /// Its instance type.
    #[serde(rename = "type")]
    pub instance_type: String,
    /// The type it is resized from, until that is confirmed or reverted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resized_from: Option<String>,
    /// The id of the image it was made from.
    #[schema(value_type = schema::Id)]
    pub image: ImageId,
    /// Who logs in over ssh, as its image says.
    pub login: String,
    /// The name of the key pair that may log in.
    pub key: Option<String>,
    /// Its addresses, that of its primary port first.
    pub addresses: Vec<AddressView>,
    /// The id of its root volume.
    #[schema(value_type = Option<schema::Id>)]
    pub root_volume: Option<VolumeId>,
    /// The ids of its volumes in the order of its disks, the root first.
    #[schema(value_type = Vec<schema::Id>)]
    pub volumes: Vec<VolumeId>,
    /// Its labels.
    #[serde(default)]
    #[schema(value_type = HashMap<schema::LabelKey, schema::LabelValue>)]
    pub labels: Labels,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// Until when the state is known to be so: this moment, or while libvirt is away the one when it was heard of last.
    #[schema(value_type = String, format = DateTime)]
    pub as_of: Timestamp,
    /// What went wrong last, until an action puts it right.
    pub fault: Option<FaultView>,
    /// What makes it less than well while it runs, e.g. `paused` or `I/O error on vda: enospc`.
    pub degraded: Option<String>,
    /// What becomes of it when its guest crashed.
    #[schema(value_type = schema::OnCrash)]
    pub on_crash: OnCrash,
    /// What becomes of it when its host was rebooted while it was Active.
    #[schema(value_type = schema::OnBoot)]
    pub on_boot: OnBoot,
    /// The actions that are allowed now.
    #[schema(value_type = Vec<schema::Action>)]
    pub allowed_actions: Vec<String>,
    /// The operation in flight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
}

/// An address of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AddressView {
    /// The port that has it.
    #[schema(value_type = schema::Id)]
    pub port: PortId,
    /// The fixed address.
    #[schema(value_type = schema::Address)]
    pub address: Ipv4Addr,
    /// The MAC address of the port.
    #[schema(value_type = schema::Mac)]
    pub mac: Mac,
    /// The subnet's name.
    pub subnet: String,
    /// The public IP of the port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Address>)]
    pub public: Option<Ipv4Addr>,
}

/// What went wrong with an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FaultView {
    /// The stable code.
    #[schema(value_type = schema::Code)]
    pub code: Code,
    /// What happened, in words.
    pub message: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}
