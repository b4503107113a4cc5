//! Typed ids: an instance's id can't be handed where a volume's is wanted.
//!
//! Every id is a UUIDv7 written as text, so that ids sort by the time they were made: paging by id is paging by age,
//! in SQLite and PostgreSQL alike. Ids are chosen *before* the thing they name is made, and journaled first.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What was given as an id isn't one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a {kind} id: an id is a UUID such as 0198f3c2-7a10-7e1b-9d0a-5c1f6f4e2b11")]
pub struct ParseIdError {
    /// The kind of thing the id should name, e.g. `instance`.
    pub kind: &'static str,
    /// What was given instead.
    pub text: String,
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $kind:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// What the id names, as it is written in messages.
            pub const KIND: &'static str = $kind;

            /// A fresh id, later than every one made before it on this host.
            #[allow(clippy::new_without_default, reason = "a default that differs each time would surprise")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// The id as a UUID, as libvirt takes it.
            pub fn as_uuid(&self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::try_parse(text).map(Self).map_err(|_| ParseIdError { kind: $kind, text: text.to_owned() })
            }
        }
    )+};
}

ids! {
    /// An instance; also the UUID of its libvirt domain.
    InstanceId = "instance";
    /// A volume; also its serial number in the guest.
    VolumeId = "volume";
    /// An image.
    ImageId = "image";
    /// A key pair.
    KeyPairId = "key pair";
    /// A VPC: one network namespace.
    VpcId = "VPC";
    /// A subnet: one bridge in its VPC's namespace.
    SubnetId = "subnet";
    /// A port: one NIC of one instance, one tap.
    PortId = "port";
    /// An operation: one action on one instance, from claim to end.
    OperationId = "operation";
    /// An installation of Berth: the store that a libvirt domain belongs to.
    OwnerId = "installation";
}
