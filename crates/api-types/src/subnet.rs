//! Subnets on the wire. A subnet is named as `NAME` where that is clear, or as `VPC/NAME`, or by its id.

use std::net::Ipv4Addr;

use berth_model::{LabelPatch, Labels, Name, SubnetId, VpcId};
use ipnet::Ipv4Net;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::page::list_query;
use crate::schema;

/// The body of `POST /v1/subnets`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateSubnet {
    /// Its name, unique in its VPC.
    #[schema(value_type = schema::Name)]
    pub name: Name,
    /// The VPC's name or id, `default` if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc: Option<String>,
    /// Its range, such as `10.1.0.0/24`: a /16 to a /28 that overlaps no other subnet of its VPC.
    #[schema(value_type = schema::SubnetRange)]
    pub cidr: Ipv4Net,
    /// Whether its guests reach the outside by the host's address, `true` if not given; one with a public IP does anyway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nat: Option<bool>,
    /// The resolvers its guests are told of, at most 4; the gateway if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<schema::Address>, max_items = 4)]
    pub dns: Vec<Ipv4Addr>,
    /// The time servers its guests are told of, at most 4.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<schema::Address>, max_items = 4)]
    pub ntp: Vec<Ipv4Addr>,
    /// Its labels, at most 64: keys of 1 to 63 letters, digits, `.`, `_`, `-` and `/`, values of up to 255 characters.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    #[schema(value_type = HashMap<schema::LabelKey, schema::LabelValue>)]
    pub labels: Labels,
}

/// The body of `PATCH /v1/subnets/{subnet}`: what isn't given stays. Guests hear of other servers when they renew their
/// lease.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeSubnet {
    /// Another name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Name>)]
    pub name: Option<Name>,
    /// Whether its guests reach the outside by the host's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nat: Option<bool>,
    /// All resolvers its guests are told of; with none of them, the gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<schema::Address>>, max_items = 4)]
    pub dns: Option<Vec<Ipv4Addr>>,
    /// All time servers its guests are told of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<schema::Address>>, max_items = 4)]
    pub ntp: Option<Vec<Ipv4Addr>>,
    /// Labels to set; `null` takes one away, and those that aren't named stay.
    #[serde(default, skip_serializing_if = "LabelPatch::is_empty")]
    #[schema(value_type = Option<HashMap<schema::LabelKey, schema::LabelChange>>)]
    pub labels: LabelPatch,
}

list_query! {
    named
    /// Which subnets are wanted.
    SubnetQuery {
        /// Only those of this VPC: its name or id.
        vpc: String,
    }
}

/// A subnet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SubnetView {
    /// Its id.
    #[schema(value_type = schema::Id)]
    pub id: SubnetId,
    /// Its name.
    #[schema(value_type = schema::Name)]
    pub name: Name,
    /// The VPC it is part of.
    #[schema(value_type = schema::Id)]
    pub vpc: VpcId,
    /// That VPC's name.
    #[schema(value_type = schema::Name)]
    pub vpc_name: Name,
    /// Its range.
    #[schema(value_type = schema::SubnetRange)]
    pub cidr: Ipv4Net,
    /// The address of its gateway.
    #[schema(value_type = schema::Address)]
    pub gateway: Ipv4Addr,
    /// Whether its guests reach the outside by the host's address.
    pub nat: bool,
    /// The resolvers its guests are told of; the gateway if there are none.
    #[schema(value_type = Vec<schema::Address>)]
    pub dns: Vec<Ipv4Addr>,
    /// The time servers its guests are told of.
    #[schema(value_type = Vec<schema::Address>)]
    pub ntp: Vec<Ipv4Addr>,
    /// How many ports it has room for.
    pub addresses: u32,
    /// How many more it has room for.
    pub addresses_free: u32,
    /// Its labels.
    #[serde(default)]
    #[schema(value_type = HashMap<schema::LabelKey, schema::LabelValue>)]
    pub labels: Labels,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}
