//! From counters at two moments to what is used in between. Pure.
//!
//! A counter that is smaller than before began anew, and so did its guest, or the device is another one of that name:
//! it has no rate until the next sample.

use std::cmp::Ordering;
use std::collections::HashMap;

use berth_api_types::{InstanceStatsView, StatsView};
use berth_model::{InstanceId, Name};
use serde::Serialize;

use super::Sort;

/// What an instance uses. What can't be told is absent: all of it while the guest is off, rates also at first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Usage {
    pub(crate) id: InstanceId,
    pub(crate) project: String,
    pub(crate) name: Name,
    pub(crate) state: String,
    pub(crate) vcpus: u32,
    /// Of one processor.
    pub(crate) cpu_percent: Option<f64>,
    pub(crate) memory_bytes: Option<u64>,
    pub(crate) memory_resident_bytes: Option<u64>,
    pub(crate) disk_read_bytes_per_second: Option<f64>,
    pub(crate) disk_written_bytes_per_second: Option<f64>,
    pub(crate) network_received_bytes_per_second: Option<f64>,
    pub(crate) network_sent_bytes_per_second: Option<f64>,
}

/// What each instance has used between two samples; without a first one there are no rates.
pub(crate) fn between(first: Option<&StatsView>, second: &StatsView) -> Vec<Usage> {
    let seconds = first.map_or(0.0, |first| second.at.duration_since(first.at).as_secs_f64());
    let before: HashMap<InstanceId, &InstanceStatsView> = first
        .into_iter()
        .flat_map(|first| &first.instances)
        .map(|one| (one.id, one))
        .collect();
    let one = |now: &InstanceStatsView| {
        let before = before.get(&now.id).copied().filter(|_| seconds > 0.0);
        usage(before, now, seconds)
    };
    second.instances.iter().map(one).collect()
}

fn usage(before: Option<&InstanceStatsView>, now: &InstanceStatsView, seconds: f64) -> Usage {
    let cpu = before.and_then(|before| growth(before.cpu_nanoseconds?, now.cpu_nanoseconds?));
    let disks = |counter: fn(&berth_api_types::DiskStatsView) -> u64| {
        let of = |one: &InstanceStatsView| {
            one.disks
                .iter()
                .map(|disk| (disk.device.clone(), counter(disk)))
                .collect()
        };
        rate(before.map(of), of(now), seconds)
    };
    let nics = |counter: fn(&berth_api_types::CountersView) -> u64| {
        let of = |one: &InstanceStatsView| {
            let nics = one.nics.iter();
            nics.map(|nic| (nic.port.to_string(), counter(&nic.counters))).collect()
        };
        rate(before.map(of), of(now), seconds)
    };
    Usage {
        id: now.id,
        project: now.project.clone(),
        name: now.name.clone(),
        state: now.state.clone(),
        vcpus: now.vcpus,
        cpu_percent: cpu.map(|nanoseconds| nanoseconds / 1e9 / seconds * 100.0),
        memory_bytes: now.memory_bytes,
        memory_resident_bytes: now.memory_resident_bytes,
        disk_read_bytes_per_second: disks(|disk| disk.read_bytes),
        disk_written_bytes_per_second: disks(|disk| disk.written_bytes),
        network_received_bytes_per_second: nics(|nic| nic.rx_bytes),
        network_sent_bytes_per_second: nics(|nic| nic.tx_bytes),
    }
}

#[allow(clippy::cast_precision_loss, reason = "a rate is shown with three digits")]
fn growth(before: u64, now: u64) -> Option<f64> {
    now.checked_sub(before).map(|more| more as f64)
}

/// The rate of all devices together; none if there is no device that was there before.
fn rate(before: Option<HashMap<String, u64>>, now: HashMap<String, u64>, seconds: f64) -> Option<f64> {
    let before = before?;
    let grown = now
        .iter()
        .filter_map(|(device, now)| growth(*before.get(device)?, *now));
    grown.reduce(|sum, more| sum + more).map(|sum| sum / seconds)
}

/// Puts those that use most first, or last; those of which it can't be told come after all others.
pub(crate) fn sort(rows: &mut [Usage], by: Sort, reversed: bool) {
    let sum =
        |one: Option<f64>, other: Option<f64>| one.zip(other).map_or(one.or(other), |(one, other)| Some(one + other));
    #[allow(clippy::cast_precision_loss, reason = "only the order matters")]
    let key = |row: &Usage| match by {
        Sort::Cpu => row.cpu_percent,
        Sort::Memory => row.memory_resident_bytes.or(row.memory_bytes).map(|bytes| bytes as f64),
        Sort::Disk => sum(row.disk_read_bytes_per_second, row.disk_written_bytes_per_second),
        Sort::Network => sum(row.network_received_bytes_per_second, row.network_sent_bytes_per_second),
        Sort::Name => None,
    };
    rows.sort_by(|one, other| {
        let names = || (one.name.as_str(), &one.project).cmp(&(other.name.as_str(), &other.project));
        match (key(one), key(other)) {
            (None, None) if by != Sort::Name => names(),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (one, other) => {
                let order = other.partial_cmp(&one).unwrap_or(Ordering::Equal).then_with(names);
                if reversed { order.reverse() } else { order }
            }
        }
    });
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use berth_api_types::{CountersView, DiskStatsView, NicStatsView};
    use berth_model::PortId;

    use super::*;

    fn sample(at: &str, instances: Vec<InstanceStatsView>) -> StatsView {
        StatsView {
            at: at.parse().unwrap(),
            libvirt_fault: None,
            instances,
        }
    }

    fn instance(name: &str) -> InstanceStatsView {
        InstanceStatsView {
            id: InstanceId::new(),
            project: "default".to_owned(),
            name: name.parse().unwrap(),
            state: "Active".to_owned(),
            vcpus: 2,
            cpu_nanoseconds: None,
            memory_bytes: None,
            memory_resident_bytes: None,
            disks: Vec::new(),
            nics: Vec::new(),
        }
    }

    fn disk(device: &str, read_bytes: u64) -> DiskStatsView {
        DiskStatsView {
            device: device.to_owned(),
            read_bytes,
            reads: 0,
            written_bytes: 0,
            writes: 0,
        }
    }

    fn nic(port: PortId, rx_bytes: u64) -> NicStatsView {
        let counters = CountersView {
            rx_bytes,
            ..CountersView::default()
        };
        NicStatsView {
            port,
            slot: 0,
            counters,
        }
    }

    #[test]
    fn rates_are_of_what_was_there_at_both_moments() {
        let (id, port) = (instance("web"), PortId::new());
        let before = InstanceStatsView {
            cpu_nanoseconds: Some(1_000_000_000),
            disks: vec![disk("vda", 1000), disk("vdb", 9000)],
            nics: vec![nic(port, 500)],
            ..id.clone()
        };
        let now = InstanceStatsView {
            cpu_nanoseconds: Some(4_000_000_000),
            // One grew, one is another one of that name, one has just come.
            disks: vec![disk("vda", 5000), disk("vdb", 10), disk("vdc", 7000)],
            nics: vec![nic(PortId::new(), 900)],
            ..id
        };
        let first = sample("2026-01-01T00:00:00Z", vec![before]);
        let second = sample("2026-01-01T00:00:02Z", vec![now, instance("new")]);
        let used = between(Some(&first), &second);
        assert_eq!(used[0].cpu_percent, Some(150.0));
        assert_eq!(used[0].disk_read_bytes_per_second, Some(2000.0));
        assert_eq!(used[0].disk_written_bytes_per_second, Some(0.0));
        assert_eq!(used[0].network_received_bytes_per_second, None);
        assert_eq!((used[1].cpu_percent, used[1].disk_read_bytes_per_second), (None, None));
        assert_eq!(between(None, &second)[0].cpu_percent, None);
        assert_eq!(between(Some(&second), &second)[0].cpu_percent, None);
    }

    #[test]
    fn those_of_which_nothing_can_be_told_come_last_either_way() {
        let mut rows = between(
            None,
            &sample("2026-01-01T00:00:00Z", ["b", "off", "a"].map(instance).into()),
        );
        (rows[0].cpu_percent, rows[2].cpu_percent) = (Some(1.0), Some(9.0));
        let mut names = |by, reversed| {
            sort(&mut rows, by, reversed);
            rows.iter().map(|row| row.name.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(names(Sort::Cpu, false), ["a", "b", "off"]);
        assert_eq!(names(Sort::Cpu, true), ["b", "a", "off"]);
        assert_eq!(names(Sort::Name, false), ["a", "b", "off"]);
        assert_eq!(names(Sort::Name, true), ["off", "b", "a"]);
        assert_eq!(names(Sort::Memory, true), ["a", "b", "off"]);
    }
}
