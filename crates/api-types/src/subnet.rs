//! Subnets on the wire. A subnet is named as `NAME` where that is clear, or as `VPC/NAME`, or by its id.

use std::net::Ipv4Addr;

use berth_model::{Name, SubnetId, VpcId};
use ipnet::Ipv4Net;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

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
}

/// Which subnets are wanted.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct SubnetQuery {
    /// Only those of this VPC: its name or id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc: Option<String>,
    /// The most entries on the page: 1 to 500, 100 if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u32>,
    /// Only entries after this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
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
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}
