//! Volume types: what a volume may do, by a name that an operator gives.

use serde::{Deserialize, Serialize};

/// A volume type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VolumeType {
    /// Its name, e.g. `ssd`.
    pub name: String,
    /// Reads and writes a second, together; no limit if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iops: Option<u64>,
    /// MiB a second, read and written together; no limit if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mib_per_second: Option<u64>,
}

/// The volume types there are if the operator names none: SSD, the only one of the seed, as fast as the host is.
pub fn default_volume_types() -> Vec<VolumeType> {
    vec![VolumeType {
        name: "ssd".to_owned(),
        iops: None,
        mib_per_second: None,
    }]
}
