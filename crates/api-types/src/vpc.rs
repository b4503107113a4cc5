//! VPCs on the wire: private networks that know nothing of each other.

use berth_model::{Name, VpcId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{SubnetView, schema};

/// The body of `POST /v1/vpcs`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateVpc {
    /// Its name, unique in its project.
    #[schema(value_type = schema::Name)]
    pub name: Name,
}

/// The body of `PATCH /v1/vpcs/{vpc}`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeVpc {
    /// Another name.
    #[schema(value_type = schema::Name)]
    pub name: Name,
}

/// A VPC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VpcView {
    /// Its id.
    #[schema(value_type = schema::Id)]
    pub id: VpcId,
    /// Its name.
    #[schema(value_type = schema::Name)]
    pub name: Name,
    /// The project it belongs to.
    pub project: String,
    /// Its subnets, oldest first.
    pub subnets: Vec<SubnetView>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}
