//! Key pairs on the wire.

use berth_model::{KeyPairId, Labels, Name, User};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::schema;

/// The body of `POST /v1/keypairs`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateKeyPair {
    /// Its name.
    #[schema(value_type = schema::Name)]
    pub name: Name,
    /// A public key in OpenSSH's one-line form; without it a new Ed25519 pair is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// Its labels, at most 64: keys of 1 to 63 letters, digits, `.`, `_`, `-` and `/`, values of up to 255 characters.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    #[schema(value_type = HashMap<schema::LabelKey, schema::LabelValue>)]
    pub labels: Labels,
}

/// The answer to `POST /v1/keypairs`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct CreatedKeyPair {
    /// The key pair.
    #[serde(flatten)]
    pub key_pair: KeyPairView,
    /// The private half in OpenSSH's format, when the pair was made here. It is shown this once and stored nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_key: Option<String>,
}

/// A key pair: its public half.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeyPairView {
    /// Its id.
    #[schema(value_type = schema::Id)]
    pub id: KeyPairId,
    /// Its name.
    #[schema(value_type = schema::Name)]
    pub name: Name,
    /// The user who made it: only they delete it.
    #[schema(value_type = schema::User)]
    pub owner: User,
    /// The public key in OpenSSH's one-line form.
    pub public_key: String,
    /// The SHA-256 fingerprint, as `ssh-keygen -l` prints it.
    pub fingerprint: String,
    /// Its labels.
    #[serde(default)]
    #[schema(value_type = HashMap<schema::LabelKey, schema::LabelValue>)]
    pub labels: Labels,
    /// When it was made or imported.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}
