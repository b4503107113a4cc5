//! Projects, members and tokens on the wire, and who one is.

use berth_model::{LabelPatch, Labels, Name, Role, TokenId, User};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::schema;

/// The header that says which project a request is about, for who is in several.
pub const PROJECT_HEADER: &str = "berth-project";

/// The body of `POST /v1/projects`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateProject {
    /// Its name, which is its id and can't be changed.
    #[schema(value_type = schema::Name)]
    pub name: Name,
    /// What it is for, in up to 255 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Description>)]
    pub description: Option<String>,
    /// Its labels, at most 64: keys of 1 to 63 letters, digits, `.`, `_`, `-` and `/`, values of up to 255 characters.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    #[schema(value_type = HashMap<schema::LabelKey, schema::LabelValue>)]
    pub labels: Labels,
}

/// The body of `PATCH /v1/projects/{project}`: what isn't given stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeProject {
    /// What it is for, in up to 255 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Description>)]
    pub description: Option<String>,
    /// Labels to set; `null` takes one away, and those that aren't named stay.
    #[serde(default, skip_serializing_if = "LabelPatch::is_empty")]
    #[schema(value_type = Option<HashMap<schema::LabelKey, schema::LabelChange>>)]
    pub labels: LabelPatch,
}

/// A project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProjectView {
    /// Its name, which is its id.
    #[schema(value_type = schema::Name)]
    pub name: Name,
    /// What it is for.
    pub description: String,
    /// What you are in it: none for the operator, who stands above projects.
    #[schema(value_type = Option<schema::Role>)]
    pub role: Option<Role>,
    /// Its labels.
    #[serde(default)]
    #[schema(value_type = HashMap<schema::LabelKey, schema::LabelValue>)]
    pub labels: Labels,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// The body of `PUT /v1/projects/{project}/members/{user}`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetMember {
    /// `reader`, `member` or `admin`.
    #[schema(value_type = schema::Role)]
    pub role: Role,
}

/// A member of a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MemberView {
    /// The project.
    pub project: String,
    /// The user.
    #[schema(value_type = schema::User)]
    pub user: User,
    /// What the user is in it.
    #[schema(value_type = schema::Role)]
    pub role: Role,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// The body of `POST /v1/tokens`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateToken {
    /// What it is called: one of its user's tokens that aren't revoked.
    #[schema(value_type = schema::Name)]
    pub name: Name,
    /// Whose it is: you, or for the operator anybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::User>)]
    pub user: Option<User>,
    /// The project that it is good for. Only an operator's token has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The most it may be in the project: what its user is there if not given, and never more than that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Role>)]
    pub role: Option<Role>,
    /// Whether it is an operator's: then it has neither project nor role.
    #[serde(default)]
    pub operator: bool,
    /// For how many seconds it is good: 90 days if not given, ten years at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 315_360_000)]
    pub ttl_seconds: Option<u64>,
}

/// The answer to `POST /v1/tokens`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct CreatedToken {
    /// What is kept of it.
    #[serde(flatten)]
    pub view: TokenView,
    /// The token itself. It is shown this once, and stored nowhere.
    pub token: String,
}

/// What is kept of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenView {
    /// Its id.
    #[schema(value_type = schema::Id)]
    pub id: TokenId,
    /// What it is called.
    #[schema(value_type = schema::Name)]
    pub name: Name,
    /// Whose it is.
    #[schema(value_type = schema::User)]
    pub user: User,
    /// The project that it is good for; none for an operator's.
    pub project: Option<String>,
    /// The most it may be there.
    #[schema(value_type = Option<schema::Role>)]
    pub role: Option<Role>,
    /// Whether it is an operator's.
    pub operator: bool,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// Until when it is good.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// When it was used last, to the minute.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub revoked_at: Option<Timestamp>,
}

/// Who one is: the answer to `GET /v1/whoami`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhoAmI {
    /// The user.
    #[schema(value_type = schema::User)]
    pub user: User,
    /// How that is known: `socket`, `certificate`, `token` or `oidc`.
    pub via: String,
    /// Whether you are the operator of the host.
    pub operator: bool,
    /// The token that the request carried.
    #[schema(value_type = Option<schema::Id>)]
    pub token: Option<TokenId>,
    /// The project that a request of yours is about if it names none; none if you have to say.
    pub project: Option<String>,
    /// What you are, and where; for a token only what it may be.
    pub roles: Vec<RoleView>,
}

/// What somebody is in a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RoleView {
    /// The project.
    pub project: String,
    /// The role.
    #[schema(value_type = schema::Role)]
    pub role: Role,
}
