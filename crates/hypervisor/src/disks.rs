//! The verbs on the disks of a guest that runs: made larger, taken an instant of, merged.
//!
//! libvirt's own definition of the domain is not changed by any of them but the instant's, which is also made part of
//! it: the engine defines the domain anew from its records.

use std::path::Path;
use std::time::{Duration, Instant};

use berth_domain_xml::{NewTop, ObservedDisk, XmlError, observe, snapshot_xml};
use berth_model::InstanceId;
use virt::domain::Domain;
use virt::error::Error;
use virt_sys as sys;

use crate::verbs::{find, lookup, there};
use crate::{Hypervisor, HypervisorError, ffi_block};

impl Hypervisor {
    /// The disks of a guest that QEMU has now; none if there is no QEMU.
    pub fn live_disks(&self, id: InstanceId) -> Result<Option<Vec<ObservedDisk>>, HypervisorError> {
        Ok(self.live(id)?.map(|guest| guest.disks))
    }

    /// The disks of a guest as libvirt would start it next; none if libvirt knows no such domain.
    pub fn defined_disks(&self, id: InstanceId) -> Result<Option<Vec<ObservedDisk>>, HypervisorError> {
        let xml = self.pool.call("tell the disks of a domain", move |connection| {
            let Some(domain) = find(connection, id)? else {
                return Ok(None);
            };
            there(domain.xml_desc(sys::VIR_DOMAIN_XML_INACTIVE))
        })?;
        Ok(xml.map(|xml| observe(&xml)).transpose()?.map(|guest| guest.disks))
    }

    /// Tells a guest that runs of the new size of a disk, in bytes, which its file gets as well.
    pub fn resize_disk(&self, id: InstanceId, target: String, bytes: u64) -> Result<(), HypervisorError> {
        self.on(id, "make a disk larger", move |domain| {
            domain.block_resize(&target, bytes, sys::VIR_DOMAIN_BLOCK_RESIZE_BYTES)
        })
    }

    /// Takes an instant of disks of a guest that runs: from then on it writes to the new files. With `quiesce` the
    /// guest's agent writes out and freezes its file systems meanwhile, and it fails if that doesn't.
    pub fn freeze_disks(&self, id: InstanceId, tops: &[NewTop], quiesce: bool) -> Result<(), HypervisorError> {
        let live = self.live_disks(id)?.unwrap_or_default().into_iter();
        let others: Vec<_> = live
            .map(|disk| disk.target)
            .filter(|target| tops.iter().all(|top| top.target != *target))
            .collect();
        let xml = snapshot_xml(tops, &others)?;
        self.on(id, "take an instant of disks", move |domain| {
            ffi_block::snapshot(domain, &xml, quiesce)
        })
    }

    /// Whether the guest's agent answers within that time.
    pub fn agent_answers(&self, id: InstanceId, within: Duration) -> bool {
        let seconds = i32::try_from(within.as_secs()).unwrap_or(i32::MAX).max(1);
        let ping = self.on(id, "ask the guest's agent", move |domain| {
            domain
                .qemu_agent_command(r#"{"execute":"guest-ping"}"#, seconds, 0)
                .map(drop)
        });
        ping.is_ok()
    }

    /// Begins to take into a disk's file what is in those beneath it, down to that one; all of it without one.
    pub fn pull(&self, id: InstanceId, target: String, base: Option<&Path>) -> Result<(), HypervisorError> {
        let base = base.map(text).transpose()?;
        self.on(id, "merge a disk's files", move |domain| {
            ffi_block::pull(domain, &target, base.as_deref())
        })
    }

    /// Begins to write what is in a file that isn't the newest of a disk into the one beneath it.
    pub fn commit(&self, id: InstanceId, target: String, (top, base): (&Path, &Path)) -> Result<(), HypervisorError> {
        let (top, base) = (text(top)?, text(base)?);
        self.on(id, "merge a disk's files", move |domain| {
            ffi_block::commit(domain, &target, (&top, &base))
        })
    }

    /// Whether a merge of a disk's files is under way.
    pub fn is_merging(&self, id: InstanceId, target: String) -> Result<bool, HypervisorError> {
        self.on(id, "tell whether there is a merge", move |domain| {
            ffi_block::has_job(domain, &target)
        })
    }

    /// Makes sure that no merge of these disks' files is under way: one that is ends early, and what it did so far
    /// stays.
    pub fn stop_merging(&self, id: InstanceId, targets: Vec<String>) -> Result<(), HypervisorError> {
        self.on(id, "end a merge", move |domain| {
            targets.iter().try_for_each(|target| stop(domain, target))
        })
    }

    pub(crate) fn on<T: Send + 'static>(
        &self,
        id: InstanceId,
        call: &'static str,
        ask: impl FnOnce(&Domain) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, HypervisorError> {
        self.pool.call(call, move |connection| ask(&lookup(connection, id)?))
    }
}

/// Ends the job on a disk's files. One that has just ended by itself can't be, and is gone once libvirt has heard of it.
fn stop(domain: &Domain, target: &str) -> Result<(), Error> {
    let deadline = Instant::now() + HEARD_WITHIN;
    loop {
        if !ffi_block::has_job(domain, target)? {
            return Ok(());
        }
        match ffi_block::abort(domain, target) {
            Ok(()) => return Ok(()),
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => std::thread::sleep(ASK_AGAIN_AFTER),
        }
    }
}

/// How long libvirt may take to hear that a job has ended …
const HEARD_WITHIN: Duration = Duration::from_secs(5);
/// … and how often it is asked meanwhile.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(20);

/// A path as libvirt takes it. Ours are made of ids, so that only the state directory's own could be no UTF-8.
fn text(path: &Path) -> Result<String, HypervisorError> {
    let text = path.to_str().ok_or_else(|| XmlError::Path(path.to_owned()))?;
    Ok(text.to_owned())
}
