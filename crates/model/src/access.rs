//! Who may do what: the seed's table of roles, and one function that judges by it.
//!
//! ```text
//!   who is it?  Standing: the operator · a role in the project · signed in · nobody
//!   what for?   Need: anyone · signed in · a kind of resource, to view or to manage · the operator
//!                         └──────────── judge ───────────▶ allowed, or why not
//! ```
//!
//! A user is a name, and the name says who vouches for it: `local:` the kernel of the host, `cert:` the authority that
//! signed the client's certificate, `oidc:` the issuer of the token; or what the operator's configuration calls it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The name of a user: 1 to 255 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct User(String);

/// What was given can't be the name of a user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a user's name has 1 to {} visible ASCII characters, such as local:alice or oidc:alice@example.com",
    User::MAX
)]
pub struct ParseUserError;

impl User {
    /// The longest name: what OpenID Connect lets a `sub` have (Core 1.0, 2).
    pub const MAX: usize = 255;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The user that an authority vouches for, e.g. `local` and `alice`.
    pub fn vouched(by: &str, name: &str) -> Result<Self, ParseUserError> {
        format!("{by}:{name}").parse()
    }

    /// The superuser of the host.
    pub fn root() -> Self {
        Self("local:root".to_owned())
    }
}

impl FromStr for User {
    type Err = ParseUserError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if (1..=Self::MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ParseUserError)
        }
    }
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for User {
    type Error = ParseUserError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<User> for String {
    fn from(user: User) -> Self {
        user.0
    }
}

/// What a user is in a project, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sees what is there.
    Reader,
    /// Works with it.
    Member,
    /// Says who else does, and what is reached from outside.
    Admin,
}

impl Role {
    /// All roles, the least first.
    pub const ALL: [Self; 3] = [Self::Reader, Self::Member, Self::Admin];

    /// The role in a word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Member => "member",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// There is no such role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a role: the roles are reader, member and admin")]
pub struct ParseRoleError(String);

impl FromStr for Role {
    type Err = ParseRoleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|role| role.as_str() == text);
        found.ok_or_else(|| ParseRoleError(text.to_owned()))
    }
}

/// What the resources of a project are to the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Who is in it.
    Members,
    /// Public IPs: allocated, attached, detached, released.
    PublicIps,
    /// Instances.
    Instances,
    /// Volumes and their snapshots.
    Volumes,
    /// Images.
    Images,
    /// Key pairs. That only their maker deletes one is judged where it is deleted.
    KeyPairs,
    /// VPCs, subnets, security groups, ports.
    Networks,
    /// What the project itself is, has used and is to pay.
    Project,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Members => "its members",
            Self::PublicIps => "public IPs",
            Self::Instances => "instances",
            Self::Volumes => "volumes",
            Self::Images => "images",
            Self::KeyPairs => "key pairs",
            Self::Networks => "networks",
            Self::Project => "the project itself",
        })
    }
}

/// How far a role reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reach {
    /// Not at all.
    Nothing,
    /// As far as to look.
    View,
    /// All of it.
    Manage,
}

use Reach::{Manage, Nothing, View};

/// The seed's table ("IAM-based role management"): a kind, and how far reader, member and admin reach. Networks are
/// as `lifecycle.md` has them. Where the seed has an empty field for what is *set* (public IPs) it may still be seen.
pub const ROLES: [(Kind, [Reach; 3]); 8] = [
    (Kind::Members, [Nothing, Nothing, Manage]),
    (Kind::PublicIps, [View, View, Manage]),
    (Kind::Instances, [View, Manage, Manage]),
    (Kind::Volumes, [View, Manage, Manage]),
    (Kind::Images, [View, Manage, Manage]),
    (Kind::KeyPairs, [View, Manage, Manage]),
    (Kind::Networks, [View, Manage, Manage]),
    (Kind::Project, [View, View, View]),
];

impl Role {
    /// How far the role reaches with that kind of resource.
    pub fn reach(self, kind: Kind) -> Reach {
        let row = ROLES.iter().find(|(of, _)| *of == kind);
        row.map_or(Nothing, |(_, reaches)| reaches[self as usize])
    }
}

/// What a request needs of who makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Need {
    /// Nothing: it tells nothing of anybody.
    Anyone,
    /// To be somebody.
    SignedIn,
    /// To reach that far with that kind of resource in the project that it is about.
    Project(Kind, Reach),
    /// To be the operator of the host, who stands above projects.
    Operator,
}

/// What somebody is to the project that a request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Power {
    /// Nobody who is known.
    Nobody,
    /// Somebody who is nothing in that project.
    Outsider,
    /// Somebody with a role in it.
    In(Role),
    /// The operator.
    Operator,
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Denial {
    /// It isn't known who asks.
    Unknown,
    /// For them there is no such project.
    NoProject,
    /// They may not.
    Forbidden,
}

/// The one judge of all requests: may somebody of that power do what needs that?
pub fn judge(power: Power, need: Need) -> Result<(), Denial> {
    match (need, power) {
        (Need::Anyone, _)
        | (Need::SignedIn, Power::Outsider | Power::In(_))
        | (Need::SignedIn | Need::Project(..) | Need::Operator, Power::Operator) => Ok(()),
        (_, Power::Nobody) => Err(Denial::Unknown),
        (Need::Project(..), Power::Outsider) => Err(Denial::NoProject),
        (Need::Project(kind, reach), Power::In(role)) if role.reach(kind) >= reach => Ok(()),
        (Need::Project(..) | Need::Operator, _) => Err(Denial::Forbidden),
    }
}
