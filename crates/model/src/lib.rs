//! The model of Berth: states, the action table, limits, typed ids and sizes.
//!
//! Pure: no I/O, no async, nothing of ours below it. Every other crate speaks in these words.

mod access;
mod action;
mod catalog;
mod checksum;
mod checksum_file;
mod code;
pub mod diagram;
mod guest;
mod id;
mod idempotency;
mod image;
mod instance;
mod instance_type;
mod label;
pub mod limits;
mod list;
mod mac;
pub mod metadata;
pub mod metering;
mod name;
mod observe;
mod policy;
mod pool;
mod port;
mod properties;
mod quota;
mod rule;
mod size;
mod subnet;
mod volume;
mod volume_type;
mod work;

pub use access::{Denial, Kind, Need, ParseRoleError, ParseUserError, Power, ROLES, Reach, Role, User, judge};
pub use action::{Action, AfterCrash, Fallback, From, Landing, ParseActionError, Position, Row, Step, TABLE};
pub use catalog::{BUILT_IN_CATALOG, Catalog, CatalogEntry, CatalogError, Download, Mirror, Pull, PullError, Source};
pub use checksum::{Checksum, ParseChecksumError};
pub use checksum_file::{ChecksumFileError, find_checksum};
pub use code::Code;
pub use guest::{GuestEvent, GuestStatus, OffReason, PauseReason};
pub use id::{
    ImageId, InstanceId, KeyPairId, LayerId, OperationId, OwnerId, ParseIdError, PortId, PublicIpId, RuleId,
    SecurityGroupId, SnapshotId, SubnetId, TokenId, VolumeId, VpcId,
};
pub use idempotency::{IdempotencyKey, ParseIdempotencyKeyError};
pub use image::{DiskBus, DiskFormat, Firmware, GuestClock, NicModel, OsFamily, Visibility};
pub use instance::{InstanceState, ParseStateError, Stable, Standing};
pub use instance_type::{InstanceType, default_catalog};
pub use label::{LABELS_MAX, Label, LabelError, LabelKey, LabelPatch, LabelSelector, LabelValue, Labels};
pub use list::{Cursor, NamePattern, ParseCursorError, ParseNamePatternError, ParseSortError, Sort, SortKey};
pub use mac::{Mac, ParseMacError};
pub use name::{Name, ParseNameError};
pub use observe::{Adoption, Known, Verdict, observe};
pub use policy::{OnBoot, OnCrash, Policy};
pub use pool::{AddressRange, ParseAddressRangeError, PublicIpPool};
pub use port::{PortState, PublicIpKind};
pub use properties::{ImageProperties, Misfit, PropertyError};
pub use quota::{Capacity, Limit, ParseLimitError, ParseResourceError, QuotaLimits, Resource};
pub use rule::{Direction, ParsePortRangeError, ParseRuleWordError, PortRange, Protocol, Remote, Rule, RuleError};
pub use size::{Gib, Mib};
pub use subnet::{SUBNET_PREFIX_MAX, SUBNET_PREFIX_MIN, SubnetError, check_address, check_subnet, gateway_of};
pub use volume::{VOLUME_MAX, VOLUME_MIN, VOLUME_TABLE, VolumeAction, VolumeLanding, VolumeRow, VolumeState};
pub use volume_type::{VolumeType, default_volume_types};
pub use work::{ImageAction, Work};
