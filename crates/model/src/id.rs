//! Typed ids: an instance's id can't be handed where a volume's is wanted.
//!
//! Every id is a UUIDv7 written as text, so that ids sort by the time they were made: paging by id is paging by age,
//! in SQLite and PostgreSQL alike. Ids are chosen *before* the thing they name is made, and journaled first.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use uuid::{NoContext, Timestamp, Uuid};

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
    ($($(#[$doc:meta])* $name:ident = $kind:literal, $fresh:expr;)+) => {$(
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
                Self($fresh())
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

/// A fresh id that differs from every other one made here in its first 20 characters: that much of a disk's serial
/// number a guest gets to see (virtio, 5.2.6.1). They hold the millisecond, so no two get the same.
fn apart() -> Uuid {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let (seconds, nanos) = Uuid::now_v7().get_timestamp().map_or((0, 0), |now| now.to_unix());
    let now = seconds * 1000 + u64::from(nanos) / 1_000_000;
    let next = |last: u64| now.max(last + 1);
    let last = LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(next(last)));
    let millis = next(last.unwrap_or_default());
    let nanos = u32::try_from(millis % 1000).unwrap_or_default() * 1_000_000;
    Uuid::new_v7(Timestamp::from_unix(NoContext, millis / 1000, nanos))
}

ids! {
    /// An instance; also the UUID of its libvirt domain.
    InstanceId = "instance", Uuid::now_v7;
    /// A volume; also its serial number in the guest.
    VolumeId = "volume", apart;
    /// A snapshot of a volume.
    SnapshotId = "snapshot", Uuid::now_v7;
    /// One file of a volume's data: a volume is a chain of them, the newest written to.
    LayerId = "layer", Uuid::now_v7;
    /// An image.
    ImageId = "image", Uuid::now_v7;
    /// A key pair.
    KeyPairId = "key pair", Uuid::now_v7;
    /// A VPC: one network namespace.
    VpcId = "VPC", Uuid::now_v7;
    /// A subnet: one bridge in its VPC's namespace.
    SubnetId = "subnet", Uuid::now_v7;
    /// A port: one NIC of one instance, one tap.
    PortId = "port", Uuid::now_v7;
    /// A security group: what may reach a port, and what it may reach.
    SecurityGroupId = "security group", Uuid::now_v7;
    /// A rule of a security group.
    RuleId = "rule", Uuid::now_v7;
    /// A public IP that was taken from a pool.
    PublicIpId = "public IP", Uuid::now_v7;
    /// An operation: one action on one instance, volume or image, from claim to end.
    OperationId = "operation", Uuid::now_v7;
    /// An API token.
    TokenId = "token", Uuid::now_v7;
    /// An installation of Berth: the store that a libvirt domain belongs to.
    OwnerId = "installation", Uuid::now_v7;
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_guest_can_tell_its_volumes_apart() {
        let serials: HashSet<_> = (0..1000)
            .map(|_| VolumeId::new().to_string()[..20].to_owned())
            .collect();
        assert_eq!(serials.len(), 1000);
    }

    #[test]
    fn later_volumes_have_later_ids() {
        let ids: Vec<_> = (0..100).map(|_| VolumeId::new()).collect();
        assert!(ids.is_sorted());
    }
}
