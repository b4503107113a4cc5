//! Security groups on the wire: what may reach a port, and what it may reach. A group is named as `NAME` where that is
//! clear, or as `VPC/NAME`, or by its id. What no rule of any of a port's groups allows is dropped.

use berth_model::{Direction, LabelPatch, Labels, Name, PortRange, Protocol, RuleId, SecurityGroupId, VpcId};
use ipnet::Ipv4Net;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::page::list_query;
use crate::schema;

/// The body of `POST /v1/security-groups`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateSecurityGroup {
    /// Its name, unique in its VPC.
    #[schema(value_type = schema::Name)]
    pub name: Name,
    /// The VPC's name or id, `default` if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc: Option<String>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Description>)]
    pub description: Option<String>,
    /// Its labels, at most 64: keys of 1 to 63 letters, digits, `.`, `_`, `-` and `/`, values of up to 255 characters.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    #[schema(value_type = HashMap<schema::LabelKey, schema::LabelValue>)]
    pub labels: Labels,
}

/// The body of `PATCH /v1/security-groups/{group}`: what isn't given stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeSecurityGroup {
    /// Another name; the group `default` keeps its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Name>)]
    pub name: Option<Name>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Description>)]
    pub description: Option<String>,
    /// Labels to set; `null` takes one away, and those that aren't named stay.
    #[serde(default, skip_serializing_if = "LabelPatch::is_empty")]
    #[schema(value_type = Option<HashMap<schema::LabelKey, schema::LabelChange>>)]
    pub labels: LabelPatch,
}

/// The body of `POST /v1/security-groups/{group}/rules`. The far end is `cidr` or `group`; everybody with neither.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateRule {
    /// `ingress` (if not given): flows towards the group's ports; `egress`: flows from them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Direction>)]
    pub direction: Option<Direction>,
    /// `tcp` (if not given), `udp`, `icmp` or `any`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Protocol>)]
    pub protocol: Option<Protocol>,
    /// A port such as `443`, or a range such as `8000-8080`, of tcp or udp; all ports if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::PortRange>)]
    pub ports: Option<PortRange>,
    /// The far end is in this network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Cidr>)]
    pub cidr: Option<Ipv4Net>,
    /// The far end is a port in this group of the same VPC: its name or id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

list_query! {
    named
    /// Which security groups are wanted.
    SecurityGroupQuery {
        /// Only those of this VPC: its name or id.
        vpc: String,
    }
}

/// A security group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SecurityGroupView {
    /// Its id.
    #[schema(value_type = schema::Id)]
    pub id: SecurityGroupId,
    /// Its name.
    #[schema(value_type = schema::Name)]
    pub name: Name,
    /// The VPC it is part of.
    #[schema(value_type = schema::Id)]
    pub vpc: VpcId,
    /// That VPC's name.
    #[schema(value_type = schema::Name)]
    pub vpc_name: Name,
    /// What it is for.
    pub description: String,
    /// Whether it is the one its VPC was made with: ports are in it that are in no other.
    pub default: bool,
    /// Its rules.
    pub rules: Vec<RuleView>,
    /// How many ports are in it.
    pub ports: u64,
    /// Its labels.
    #[serde(default)]
    #[schema(value_type = HashMap<schema::LabelKey, schema::LabelValue>)]
    pub labels: Labels,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// A rule of a security group: what it allows. The far end is `cidr` or `group`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RuleView {
    /// Its id.
    #[schema(value_type = schema::Id)]
    pub id: RuleId,
    /// `ingress`: flows towards the group's ports; `egress`: flows from them.
    #[schema(value_type = schema::Direction)]
    pub direction: Direction,
    /// `tcp`, `udp`, `icmp` or `any`.
    #[schema(value_type = schema::Protocol)]
    pub protocol: Protocol,
    /// To which ports; to all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::PortRange>)]
    pub ports: Option<PortRange>,
    /// The network of the far end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Cidr>)]
    pub cidr: Option<Ipv4Net>,
    /// The group of the far end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Id>)]
    pub group: Option<SecurityGroupId>,
    /// That group's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Name>)]
    pub group_name: Option<Name>,
}
