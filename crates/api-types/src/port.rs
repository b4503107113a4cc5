//! Ports on the wire: the NICs of instances, with an address and a MAC address of their own.

use std::net::Ipv4Addr;

use berth_model::{InstanceId, LabelPatch, Labels, Mac, Name, PortId, SubnetId, VpcId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::page::list_query;
use crate::schema;

/// The body of `POST /v1/ports`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreatePort {
    /// Its name, unique in its project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Name>)]
    pub name: Option<Name>,
    /// The subnet's name or id, or `VPC/NAME`.
    pub subnet: String,
    /// Its address in the subnet; a free one if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Address>)]
    pub address: Option<Ipv4Addr>,
    /// Its MAC address; a random one if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Mac>)]
    pub mac: Option<Mac>,
    /// The security groups it is in, at most 16, by name or id; that of the VPC, `default`, if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 16)]
    pub security_groups: Vec<String>,
    /// The addresses of its subnet besides its own that it may send from and be reached at, at most 10; several ports may
    /// share one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<schema::Address>, max_items = 10)]
    pub address_pairs: Vec<Ipv4Addr>,
    /// Its labels, at most 64: keys of 1 to 63 letters, digits, `.`, `_`, `-` and `/`, values of up to 255 characters.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    #[schema(value_type = HashMap<schema::LabelKey, schema::LabelValue>)]
    pub labels: Labels,
}

/// The body of `PATCH /v1/ports/{port}`: what isn't given stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePort {
    /// Another name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Name>)]
    pub name: Option<Name>,
    /// All security groups it is in, by name or id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 16)]
    pub security_groups: Option<Vec<String>>,
    /// All addresses besides its own that it may send from and be reached at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<schema::Address>>, max_items = 10)]
    pub address_pairs: Option<Vec<Ipv4Addr>>,
    /// Whether it is deleted when its instance is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete_on_termination: Option<bool>,
    /// Labels to set; `null` takes one away, and those that aren't named stay.
    #[serde(default, skip_serializing_if = "LabelPatch::is_empty")]
    #[schema(value_type = Option<HashMap<schema::LabelKey, schema::LabelChange>>)]
    pub labels: LabelPatch,
}

/// The body of `POST /v1/ports/{port}/attach`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AttachPort {
    /// The instance's name or id.
    pub instance: String,
    /// Delete it when the instance is deleted.
    #[serde(default)]
    pub delete_on_termination: bool,
}

list_query! {
    named
    /// Which ports are wanted. Those that were made with their instance have no name, and come before all names.
    PortQuery {
        /// Only those of this instance: its name or id.
        instance: String,
        /// Only those of this subnet: its name or id, or `VPC/NAME`.
        subnet: String,
        /// Only those of this VPC: its name or id.
        vpc: String,
        /// Only those in this state: `Available`, `Attaching`, `In-use` or `Detaching`.
        state: String,
    }
}

/// A port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PortView {
    /// Its id.
    #[schema(value_type = schema::Id)]
    pub id: PortId,
    /// Its name, if it was given one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Name>)]
    pub name: Option<Name>,
    /// Its state: `Available`, `Attaching`, `In-use` or `Detaching`.
    #[schema(value_type = schema::PortState)]
    pub state: String,
    /// The VPC it is part of.
    #[schema(value_type = schema::Id)]
    pub vpc: VpcId,
    /// The subnet it is part of.
    #[schema(value_type = schema::Id)]
    pub subnet: SubnetId,
    /// That subnet's name.
    #[schema(value_type = schema::Name)]
    pub subnet_name: Name,
    /// Its MAC address.
    #[schema(value_type = schema::Mac)]
    pub mac: Mac,
    /// Its address.
    #[schema(value_type = schema::Address)]
    pub address: Ipv4Addr,
    /// What its guest is called in the VPC's DNS.
    pub hostname: String,
    /// The instance that has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Id>)]
    pub instance: Option<InstanceId>,
    /// That instance's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Name>)]
    pub instance_name: Option<Name>,
    /// Whether it is its instance's first, which has the default route.
    pub primary: bool,
    /// The names of the security groups it is in.
    #[schema(value_type = Vec<schema::Name>)]
    pub security_groups: Vec<Name>,
    /// The addresses besides its own that it may send from and be reached at.
    #[schema(value_type = Vec<schema::Address>)]
    pub address_pairs: Vec<Ipv4Addr>,
    /// Its public IP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Address>)]
    pub public_ip: Option<Ipv4Addr>,
    /// Whether it is deleted when its instance is.
    pub delete_on_termination: bool,
    /// What went through it; only when one port is shown, and while it is plugged in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counters: Option<CountersView>,
    /// Its labels.
    #[serde(default)]
    #[schema(value_type = HashMap<schema::LabelKey, schema::LabelValue>)]
    pub labels: Labels,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// What went through a port, as its guest sees it: `rx` is what it received.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CountersView {
    /// Bytes it received.
    pub rx_bytes: u64,
    /// Packets it received.
    pub rx_packets: u64,
    /// Packets to it that were dropped.
    pub rx_dropped: u64,
    /// Bytes it sent.
    pub tx_bytes: u64,
    /// Packets it sent.
    pub tx_packets: u64,
    /// Packets from it that were dropped.
    pub tx_dropped: u64,
}
