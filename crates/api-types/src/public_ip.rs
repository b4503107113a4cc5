//! Public IPs on the wire: addresses of the host's pools at which a port is reached from outside. One is named by its
//! address or its id.

use std::net::Ipv4Addr;

use berth_model::{InstanceId, Labels, Name, PortId, PublicIpId, PublicIpKind};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::page::list_query;
use crate::schema;

/// The body of `POST /v1/public-ips`: takes a static one from a pool.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AllocatePublicIp {
    /// The pool's name; the first of `GET /v1/public-ip-pools` with a free address if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// This very address; any free one if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Address>)]
    pub address: Option<Ipv4Addr>,
    /// Its labels, at most 64: keys of 1 to 63 letters, digits, `.`, `_`, `-` and `/`, values of up to 255 characters.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    #[schema(value_type = HashMap<schema::LabelKey, schema::LabelValue>)]
    pub labels: Labels,
}

/// The body of `POST /v1/public-ips/{ip}/attach`: either `instance` or `port`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AttachPublicIp {
    /// To the primary port of this instance: its name or id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// To this port: its name or id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
    /// Take it from the port that has it now.
    #[serde(default, rename = "move")]
    pub take: bool,
}

/// The body of `POST /v1/ports/{port}/public-ip` and `POST /v1/instances/{instance}/public-ip`: takes an ephemeral one from
/// a pool.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GivePublicIp {
    /// The pool's name; the first of `GET /v1/public-ip-pools` with a free address if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// Its labels, at most 64: keys of 1 to 63 letters, digits, `.`, `_`, `-` and `/`, values of up to 255 characters.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    #[schema(value_type = HashMap<schema::LabelKey, schema::LabelValue>)]
    pub labels: Labels,
}

list_query! {
    nameless
    /// Which public IPs are wanted.
    PublicIpQuery {
        /// Only `static` ones, or only `ephemeral` ones.
        kind: String,
        /// Only those that a port has, or those that none has.
        attached: bool,
        /// Only those from this pool.
        pool: String,
    }
}

/// A public IP that was taken from a pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PublicIpView {
    /// Its id.
    #[schema(value_type = schema::Id)]
    pub id: PublicIpId,
    /// The address.
    #[schema(value_type = schema::Address)]
    pub address: Ipv4Addr,
    /// The project it belongs to.
    pub project: String,
    /// The pool it is from.
    pub pool: String,
    /// `static`: the project's until it is released; `ephemeral`: goes back to the pool when its instance is stopped,
    /// shelved or deleted, or it is detached.
    #[schema(value_type = schema::PublicIpKind)]
    pub kind: PublicIpKind,
    /// The port that has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Id>)]
    pub port: Option<PortId>,
    /// That port's instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Id>)]
    pub instance: Option<InstanceId>,
    /// That instance's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Name>)]
    pub instance_name: Option<Name>,
    /// That port's own address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Address>)]
    pub private_address: Option<Ipv4Addr>,
    /// Its labels.
    #[serde(default)]
    #[schema(value_type = HashMap<schema::LabelKey, schema::LabelValue>)]
    pub labels: Labels,
    /// When it was taken from its pool.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// A pool of public IPs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PublicIpPoolView {
    /// Its name.
    pub name: String,
    /// The host's interface on whose link they are asked for; absent if they are routed to the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// Its addresses, such as `203.0.113.0/28` or `203.0.113.5-203.0.113.9`.
    pub ranges: Vec<String>,
    /// How many there are.
    pub addresses: u64,
    /// How many of them are free.
    pub free: u64,
}
