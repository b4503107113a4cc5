//! What an operator may set of the engine.

use std::time::Duration;

use berth_domain_xml::Limits;
use berth_hypervisor::AccelChoice;
use berth_model::metering::PriceList;
use berth_model::{Catalog, InstanceType, Mirror, PublicIpPool, QuotaLimits, VolumeType};
use berth_storage::FetchPolicy;
use ipnet::Ipv4Net;

/// The engine's settings, with their defaults in [`Settings::default`].
#[derive(Debug, Clone)]
pub struct Settings {
    /// The catalog of instance types.
    pub types: Vec<InstanceType>,
    /// The catalog of volume types; never empty. A volume is of the first one if nothing else is said.
    pub volume_types: Vec<VolumeType>,
    /// How many bytes of volumes may be promised for each byte of disk: volumes are thin.
    pub disk_overcommit: f64,
    /// The images that are known by name.
    pub catalog: Catalog,
    /// Where they are fetched from instead of their official addresses.
    pub image_mirror: Option<Mirror>,
    /// What images are fetched from, and how patiently.
    pub fetch: FetchPolicy,
    /// KVM, TCG, or whichever works.
    pub accelerator: AccelChoice,
    /// How long a guest may take to shut down before the plug is pulled.
    pub stop_grace: Duration,
    /// How long a guest may take to reboot before it is reset.
    pub reboot_grace: Duration,
    /// How long after one request to shut down the guest is asked again.
    pub ask_again: Duration,
    /// How long a resize may wait to be confirmed before it confirms itself; for ever if none.
    pub resize_confirm_window: Option<Duration>,
    /// How long an operation waits for a libvirt that is away before it is given up.
    pub libvirt_patience: Duration,
    /// How many steps may be under way at once.
    pub parallel_steps: usize,
    /// The address range of the default subnet.
    pub subnet: Ipv4Net,
    /// The pools of public IPs.
    pub pools: Vec<PublicIpPool>,
    /// What all but instances cost; an instance costs what its type does.
    pub prices: PriceList,
    /// The limits of projects for which none are set.
    pub quotas: QuotaLimits,
    /// How often what should be is compared with what is.
    pub reconcile_every: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            types: berth_model::default_catalog(),
            volume_types: berth_model::default_volume_types(),
            disk_overcommit: 4.0,
            catalog: Catalog::default(),
            image_mirror: None,
            fetch: FetchPolicy::default(),
            accelerator: AccelChoice::Auto,
            stop_grace: Duration::from_mins(1),
            reboot_grace: Duration::from_mins(2),
            ask_again: Duration::from_secs(10),
            resize_confirm_window: None,
            libvirt_patience: Duration::from_mins(10),
            parallel_steps: 16,
            subnet: Ipv4Net::new_assert([10, 0, 0, 0].into(), 20),
            pools: Vec::new(),
            prices: PriceList::default(),
            quotas: QuotaLimits::default(),
            reconcile_every: Duration::from_mins(5),
        }
    }
}

impl Settings {
    /// How much a volume of that type may do. One of a type that is no more may do what the host can.
    pub(crate) fn limits_of(&self, volume_type: &str) -> Limits {
        let found = self.volume_types.iter().find(|known| known.name == volume_type);
        found.map_or_else(Limits::default, |found| Limits {
            iops: found.iops,
            bytes: found.mib_per_second.map(|mib| mib << 20),
        })
    }
}
