//! What instances use, on the wire: counters as they stand, so that whoever asks twice makes rates of them.

use berth_model::{InstanceId, Name, PortId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{CountersView, schema};

/// What instances use at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StatsView {
    /// The moment; rates are between two of them.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Why there are no numbers of guests, when libvirt doesn't give them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub libvirt_fault: Option<String>,
    /// Every instance that is asked about, oldest first; on no pages, since they are of one moment.
    pub instances: Vec<InstanceStatsView>,
}

/// What an instance uses. Counters begin at zero when its guest is switched on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InstanceStatsView {
    /// Its id.
    #[schema(value_type = schema::Id)]
    pub id: InstanceId,
    /// The project it belongs to.
    pub project: String,
    /// Its name, unique in its project.
    #[schema(value_type = schema::Name)]
    pub name: Name,
    /// Its documented state.
    #[schema(value_type = schema::InstanceState)]
    pub state: String,
    /// Virtual processors of its type.
    pub vcpus: u32,
    /// Nanoseconds of processor time that its QEMU has used; absent while it is off, as all that follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_nanoseconds: Option<u64>,
    /// Bytes of memory that the guest has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Bytes of the host's memory that its QEMU occupies: what the guest has touched so far, and QEMU's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_resident_bytes: Option<u64>,
    /// What has passed to and from its disks.
    #[serde(default)]
    pub disks: Vec<DiskStatsView>,
    /// What has passed through its NICs.
    #[serde(default)]
    pub nics: Vec<NicStatsView>,
}

/// What has passed to and from a disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DiskStatsView {
    /// Its name within the domain, such as `vda`.
    pub device: String,
    /// Bytes that the guest has read.
    pub read_bytes: u64,
    /// Requests by which it has read them.
    pub reads: u64,
    /// Bytes that the guest has written.
    pub written_bytes: u64,
    /// Requests by which it has written them.
    pub writes: u64,
}

/// What has passed through a NIC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NicStatsView {
    /// Its port.
    #[schema(value_type = schema::Id)]
    pub port: PortId,
    /// Its place among the NICs of the instance; 0 is the primary one.
    pub slot: u32,
    /// What has passed, as the guest sees it.
    pub counters: CountersView,
}
