//! The host as `berth host show` tells it.

use berth_model::Gib;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The host, its hypervisor and its room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HostView {
    /// Its hostname.
    pub hostname: String,
    /// Berth's own version.
    pub version: String,
    /// The id of this installation, as it is in each domain's metadata.
    pub installation: String,
    /// libvirt's URI.
    pub libvirt_uri: String,
    /// Whether libvirt is reached.
    pub libvirt: LinkView,
    /// libvirt's version; absent while it isn't reached.
    pub libvirt_version: Option<String>,
    /// QEMU's version; absent while libvirt isn't reached.
    pub qemu_version: Option<String>,
    /// `kvm` or `tcg`: what guests run on.
    pub accelerator: String,
    /// Why it isn't KVM, or why KVM may not work.
    pub accelerator_warning: Option<String>,
    /// What was found out about KVM.
    pub kvm: Option<KvmView>,
    /// Logical CPUs of the host.
    pub cpus: Option<u32>,
    /// Memory of the host in MiB.
    pub memory_mib: Option<u64>,
    /// Where the daemon keeps its state.
    pub state_dir: String,
    /// Bytes of the state directory's file system.
    pub disk_bytes: u64,
    /// Bytes of it that are free.
    pub disk_free_bytes: u64,
    /// Bytes of the free ones that are reserved for what is being written: imports, saved volumes.
    pub disk_reserved_bytes: u64,
    /// Bytes that stay free for the guests that run: with less nothing new is begun.
    pub disk_low_bytes: u64,
    /// What all volumes may hold together, in GB: they are thin.
    #[schema(value_type = u64)]
    pub disk_promised: Gib,
    /// What may be promised in all, in GB.
    #[schema(value_type = u64)]
    pub disk_promise_max: Gib,
    /// Whether volumes bypass the host's page cache (`cache=none`, `io=native`).
    pub direct_io: bool,
    /// `sqlite` or `postgres`.
    pub database: String,
    /// How many instances there are.
    pub instances: u64,
}

/// Whether libvirt is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LinkView {
    /// Whether the connection stands.
    pub up: bool,
    /// Why it doesn't.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What was found out about KVM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[allow(clippy::struct_excessive_bools, reason = "four independent facts")]
pub struct KvmView {
    /// `/dev/kvm` can be opened.
    pub device: bool,
    /// The CPU has `vmx` or `svm`.
    pub cpu_flag: bool,
    /// libvirt offers domains of type `kvm`.
    pub libvirt: bool,
    /// All three: KVM can be relied on.
    pub usable: bool,
}
