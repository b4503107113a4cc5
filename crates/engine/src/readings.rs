//! What is read at the moment of a scrape: instances by state, what each guest uses, room.
//!
//! Series of an instance are there while its guest runs, and no longer. Their names and projects are the only labels
//! that users choose, and there are no more of them than instances.

use std::fmt::Error;
use std::sync::Arc;

use berth_hypervisor::{DiskStats, GuestStats, Link};
use berth_model::{Gib, InstanceState};
use berth_network::Counters;
use berth_storage::Space;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

use crate::public_ip::PoolDetail;
use crate::stats::{InstanceStats, Sample};
use crate::{Engine, blocking};

/// What was read.
#[derive(Debug)]
pub(crate) struct Readings {
    libvirt_up: bool,
    sample: Option<Arc<Sample>>,
    space: Option<Space>,
    promised: Option<(Gib, Gib)>,
    pools: Vec<PoolDetail>,
}

impl Readings {
    /// Reads all of it. What can't be read is absent.
    pub(crate) async fn take(engine: &Engine) -> Self {
        let world = &engine.world;
        let sample = engine.sample().await.ok();
        let storage = world.storage.clone();
        let space = blocking(move || Ok(storage.space()?)).await.ok();
        let promised = world.store.promised().await.ok();
        let promise_max = space.map(|space| crate::space::promise(world.settings().disk_overcommit, space.total));
        let answered = sample.as_ref().is_none_or(|sample| sample.libvirt_fault.is_none());
        Self {
            libvirt_up: answered && world.hypervisor.link() == Link::Up,
            sample,
            space,
            promised: promised.zip(promise_max),
            pools: engine.public_ip_pools().await.unwrap_or_default(),
        }
    }
}

impl Collector for Readings {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let to = &mut encoder;
        one(
            to,
            "berth_libvirt_up",
            "Whether libvirt answers",
            None,
            u64::from(self.libvirt_up),
        )?;
        if let Some(sample) = &self.sample {
            states(to, sample)?;
            guests(to, sample)?;
        }
        self.room(to)?;
        self.public_ips(to)
    }
}

impl Readings {
    fn room(&self, to: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let bytes = Some(&Unit::Bytes);
        if let Some(space) = self.space {
            let help = "Size of the file system that volumes and images are on";
            one(to, "berth_storage_pool_size", help, bytes, space.total)?;
            let help = "What may still be written to it";
            one(to, "berth_storage_pool_free", help, bytes, space.free)?;
            let help = "What of the free is promised to what is being written";
            one(to, "berth_storage_pool_reserved", help, bytes, space.reserved)?;
            let help = "What stays free for guests that run: with less nothing new is begun";
            one(to, "berth_storage_pool_low_mark", help, bytes, space.low_space)?;
        }
        if let Some((promised, most)) = self.promised {
            let help = "What all volumes may hold together: they are thin";
            one(to, "berth_storage_pool_promised", help, bytes, promised.bytes())?;
            let help = "What may be promised in all (disk_overcommit)";
            one(to, "berth_storage_pool_promise_max", help, bytes, most.bytes())?;
        }
        Ok(())
    }

    fn public_ips(&self, to: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let pools = || {
            self.pools
                .iter()
                .map(|pool| ([("pool", pool.pool.name.as_str())], pool))
        };
        let help = "Addresses of a pool of public IPs";
        let mut family = to.encode_descriptor("berth_public_ip_pool_addresses", help, None, MetricType::Gauge)?;
        for (labels, pool) in pools() {
            ConstGauge::new(pool.addresses).encode(family.encode_family(&labels)?)?;
        }
        let help = "Addresses of a pool of public IPs that nobody has";
        let mut family = to.encode_descriptor("berth_public_ip_pool_free_addresses", help, None, MetricType::Gauge)?;
        for (labels, pool) in pools() {
            ConstGauge::new(pool.free).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

/// A number without labels.
fn one(to: &mut DescriptorEncoder<'_>, name: &str, help: &str, unit: Option<&Unit>, value: u64) -> Result<(), Error> {
    ConstGauge::new(value).encode(to.encode_descriptor(name, help, unit, MetricType::Gauge)?)
}

/// Every documented state, those that no instance is in too.
fn states(to: &mut DescriptorEncoder<'_>, sample: &Sample) -> Result<(), Error> {
    let help = "Instances by the documented state they are in";
    let mut family = to.encode_descriptor("berth_instances", help, None, MetricType::Gauge)?;
    for state in InstanceState::ALL {
        let there = |one: &&InstanceStats| one.instance.standing.state() == *state;
        let count = sample.instances.iter().filter(there).count() as u64;
        ConstGauge::new(count).encode(family.encode_family(&[("state", state.as_str())])?)?;
    }
    Ok(())
}

/// A number of a guest: its name, what it says, and how it is read.
type OfGuest = (&'static str, &'static str, Unit, fn(&GuestStats) -> Option<u64>);
type OfDisk = (&'static str, &'static str, Option<Unit>, fn(&DiskStats) -> u64);
type OfNic = (&'static str, &'static str, Option<Unit>, fn(&Counters) -> u64);

const MEMORY: [OfGuest; 2] = [
    (
        "berth_instance_memory",
        "Memory that the guest has",
        Unit::Bytes,
        |guest| guest.memory,
    ),
    (
        "berth_instance_memory_resident",
        "Memory of the host that the guest's QEMU occupies",
        Unit::Bytes,
        |guest| guest.resident,
    ),
];

const DISKS: [OfDisk; 4] = [
    (
        "berth_instance_disk_read",
        "Bytes that the guest has read from a disk",
        Some(Unit::Bytes),
        |disk| disk.read_bytes,
    ),
    (
        "berth_instance_disk_reads",
        "Requests of the guest to read from a disk",
        None,
        |disk| disk.reads,
    ),
    (
        "berth_instance_disk_written",
        "Bytes that the guest has written to a disk",
        Some(Unit::Bytes),
        |disk| disk.written_bytes,
    ),
    (
        "berth_instance_disk_writes",
        "Requests of the guest to write to a disk",
        None,
        |disk| disk.writes,
    ),
];

const NICS: [OfNic; 6] = [
    (
        "berth_instance_network_receive",
        "Bytes that the guest has received by a NIC",
        Some(Unit::Bytes),
        |nic| nic.rx_bytes,
    ),
    (
        "berth_instance_network_receive_packets",
        "Packets that the guest has received by a NIC",
        None,
        |nic| nic.rx_packets,
    ),
    (
        "berth_instance_network_receive_dropped",
        "Packets for the guest that it did not take in time",
        None,
        |nic| nic.rx_dropped,
    ),
    (
        "berth_instance_network_transmit",
        "Bytes that the guest has sent by a NIC",
        Some(Unit::Bytes),
        |nic| nic.tx_bytes,
    ),
    (
        "berth_instance_network_transmit_packets",
        "Packets that the guest has sent by a NIC",
        None,
        |nic| nic.tx_packets,
    ),
    (
        "berth_instance_network_transmit_dropped",
        "Packets that the guest has sent and the host did not take",
        None,
        |nic| nic.tx_dropped,
    ),
];

/// What each guest that runs uses.
fn guests(to: &mut DescriptorEncoder<'_>, sample: &Sample) -> Result<(), Error> {
    let running = || {
        let all = sample.instances.iter();
        all.filter_map(|stats| Some((stats, stats.guest.as_ref()?, Whose::of(stats))))
    };
    let running: Vec<_> = running().collect();
    let help = "Processor time that the guest's QEMU has used";
    let mut family = to.encode_descriptor("berth_instance_cpu", help, Some(&Unit::Seconds), MetricType::Counter)?;
    for (_, guest, whose) in &running {
        if let Some(cpu) = guest.cpu {
            ConstCounter::new(cpu.as_secs_f64()).encode(family.encode_family(&whose.labels())?)?;
        }
    }
    let help = "Virtual processors of the instance's type";
    let mut family = to.encode_descriptor("berth_instance_vcpus", help, None, MetricType::Gauge)?;
    for (stats, _, whose) in &running {
        ConstGauge::new(stats.instance.instance_type.vcpus).encode(family.encode_family(&whose.labels())?)?;
    }
    for (name, help, unit, read) in MEMORY {
        let mut family = to.encode_descriptor(name, help, Some(&unit), MetricType::Gauge)?;
        for (_, guest, whose) in &running {
            if let Some(value) = read(guest) {
                ConstGauge::new(value).encode(family.encode_family(&whose.labels())?)?;
            }
        }
    }
    for (name, help, unit, read) in DISKS {
        let mut family = to.encode_descriptor(name, help, unit.as_ref(), MetricType::Counter)?;
        for (_, guest, whose) in &running {
            for disk in &guest.disks {
                let labels = whose.and("disk", &disk.target);
                ConstCounter::new(read(disk)).encode(family.encode_family(&labels)?)?;
            }
        }
    }
    for (name, help, unit, read) in NICS {
        let mut family = to.encode_descriptor(name, help, unit.as_ref(), MetricType::Counter)?;
        for (stats, _, whose) in &running {
            for nic in &stats.nics {
                let slot = nic.slot.to_string();
                let labels = whose.and("nic", &slot);
                ConstCounter::new(read(&nic.counters)).encode(family.encode_family(&labels)?)?;
            }
        }
    }
    Ok(())
}

/// Whose a series is. Not `instance`: that label is Prometheus' own, for what it scrapes.
struct Whose<'a> {
    id: String,
    name: &'a str,
    project: &'a str,
}

impl<'a> Whose<'a> {
    fn of(stats: &'a InstanceStats) -> Self {
        Self {
            id: stats.instance.id.to_string(),
            name: stats.instance.name.as_str(),
            project: &stats.instance.project,
        }
    }

    fn labels(&self) -> [(&'static str, &str); 3] {
        [("id", &self.id), ("name", self.name), ("project", self.project)]
    }

    fn and<'s>(&'s self, key: &'static str, value: &'s str) -> [(&'static str, &'s str); 4] {
        let [id, name, project] = self.labels();
        [id, name, project, (key, value)]
    }
}
