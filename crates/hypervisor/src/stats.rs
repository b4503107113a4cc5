//! What guests use: processor time, memory, disks. All of them in one call, and nothing of one that is off.
//!
//! NICs are not in here: their taps are in the namespaces of VPCs, where libvirt doesn't look (`berth_network::Counters`).

use std::collections::HashMap;
use std::time::Duration;

use berth_model::InstanceId;

use crate::ffi_stats::{self, Record};
use crate::{Hypervisor, HypervisorError};

/// What a guest that runs uses, or has used since QEMU was started. What libvirt doesn't say is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GuestStats {
    /// Processor time of its QEMU.
    pub cpu: Option<Duration>,
    /// The memory it has, in bytes.
    pub memory: Option<u64>,
    /// The host's memory that its QEMU occupies, in bytes: what the guest has touched so far, and QEMU's own.
    pub resident: Option<u64>,
    /// Its disks.
    pub disks: Vec<DiskStats>,
}

/// What has passed to and from a disk since QEMU was started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DiskStats {
    /// Its name within the domain, such as `vda`.
    pub target: String,
    /// Bytes that the guest has read.
    pub read_bytes: u64,
    /// Requests by which it has read them.
    pub reads: u64,
    /// Bytes that the guest has written.
    pub written_bytes: u64,
    /// Requests by which it has written them.
    pub writes: u64,
}

impl Hypervisor {
    /// What each domain that is on uses, ours or not, within that time.
    pub fn stats(&self, within: Duration) -> Result<HashMap<InstanceId, GuestStats>, HypervisorError> {
        let records = self.pool.call_within("measure the domains", within, ffi_stats::all)?;
        let read = |(id, record): (InstanceId, Record)| (id, guest(&record));
        Ok(records.into_iter().map(read).collect())
    }

    /// Makes sure that libvirt answers within that time.
    pub fn ping(&self, within: Duration) -> Result<(), HypervisorError> {
        let ping = |connection: &virt::connect::Connect| connection.lib_version().map(drop);
        self.pool.call_within("answer", within, ping)
    }
}

/// The numbers of a guest. Pure. Memory is in KiB in libvirt's.
fn guest(record: &Record) -> GuestStats {
    let numbers: HashMap<&str, u64> = record
        .numbers
        .iter()
        .map(|(name, number)| (name.as_str(), *number))
        .collect();
    let number = |name: &str| numbers.get(name).copied();
    let kib = |name: &str| number(name).map(|kib| kib.saturating_mul(1024));
    let texts: HashMap<&str, &str> = record
        .texts
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    let disk = |place: u64| {
        let of = |what: &str| number(&format!("block.{place}.{what}"));
        Some(DiskStats {
            target: (*texts.get(format!("block.{place}.name").as_str())?).to_owned(),
            // Without QEMU's answer there is the name only.
            read_bytes: of("rd.bytes")?,
            reads: of("rd.reqs").unwrap_or_default(),
            written_bytes: of("wr.bytes").unwrap_or_default(),
            writes: of("wr.reqs").unwrap_or_default(),
        })
    };
    GuestStats {
        cpu: number("cpu.time").map(Duration::from_nanos),
        memory: kib("balloon.current"),
        resident: kib("balloon.rss"),
        disks: (0..number("block.count").unwrap_or_default())
            .filter_map(disk)
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_a_guests_and_what_is_missing_is_absent() {
        let numbers = [
            ("cpu.time", 1_500_000_000),
            ("balloon.current", 256),
            ("block.count", 2),
            ("block.0.rd.bytes", 4096),
            ("block.0.rd.reqs", 2),
            ("block.0.wr.bytes", 512),
            ("block.0.wr.reqs", 1),
        ];
        let texts = [("block.0.name", "vda"), ("block.1.name", "sda")];
        let record = Record {
            numbers: numbers.map(|(name, number)| (name.to_owned(), number)).into(),
            texts: texts.map(|(name, text)| (name.to_owned(), text.to_owned())).into(),
        };
        let vda = DiskStats {
            target: "vda".to_owned(),
            read_bytes: 4096,
            reads: 2,
            written_bytes: 512,
            writes: 1,
        };
        let wanted = GuestStats {
            cpu: Some(Duration::from_millis(1500)),
            memory: Some(256 << 10),
            resident: None,
            disks: vec![vda],
        };
        assert_eq!(guest(&record), wanted);
        assert_eq!(guest(&Record::default()), GuestStats::default());
    }
}
