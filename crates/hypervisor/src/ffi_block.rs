//! What the `virt` crate lacks of disks, wrapped safely: the instant of several disks, and the jobs on their files.
//!
//! The rule that all of it stands on: a C string given to libvirt lives until the call has returned, and libvirt keeps
//! none of them.

#![allow(
    unsafe_code,
    reason = "block jobs and the making of snapshots are not wrapped by the virt crate"
)]

use std::ffi::CString;
use std::os::raw::c_ulong;
use std::ptr;

use virt::domain::Domain;
use virt::error::Error;
use virt_sys as sys;

/// Has disks go on in new files, as the XML names them, and keeps no record of it in libvirt
/// (`virDomainSnapshotCreateXML`).
pub(crate) fn snapshot(domain: &Domain, xml: &str, quiesce: bool) -> Result<(), Error> {
    let xml = CString::new(xml)?;
    let mut flags = sys::VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY
        | sys::VIR_DOMAIN_SNAPSHOT_CREATE_REUSE_EXT
        | sys::VIR_DOMAIN_SNAPSHOT_CREATE_ATOMIC
        | sys::VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA;
    if quiesce {
        flags |= sys::VIR_DOMAIN_SNAPSHOT_CREATE_QUIESCE;
    }
    // SAFETY: the domain is live, and the string too.
    let snapshot = unsafe { sys::virDomainSnapshotCreateXML(domain.as_ptr(), xml.as_ptr(), flags) };
    if snapshot.is_null() {
        return Err(Error::last_error());
    }
    // SAFETY: it was given just now, and nobody else has it.
    unsafe { sys::virDomainSnapshotFree(snapshot) };
    Ok(())
}

/// Begins to take into a disk's file what is in those beneath it, down to `base`; all of it without one
/// (`virDomainBlockRebase`).
pub(crate) fn pull(domain: &Domain, disk: &str, base: Option<&str>) -> Result<(), Error> {
    let disk = CString::new(disk)?;
    let base = base.map(CString::new).transpose()?;
    let (base, flags) = match &base {
        // The name of the file beneath stays relative, so that the state directory can be moved.
        Some(base) => (base.as_ptr(), sys::VIR_DOMAIN_BLOCK_REBASE_RELATIVE),
        None => (ptr::null(), 0),
    };
    // SAFETY: the domain is live, and the strings too; no base is what null stands for.
    done(unsafe { sys::virDomainBlockRebase(domain.as_ptr(), disk.as_ptr(), base, UNLIMITED, flags) })
}

/// Begins to write what is in the file `top`, which isn't the newest of the disk, into the one beneath it
/// (`virDomainBlockCommit`).
pub(crate) fn commit(domain: &Domain, disk: &str, (top, base): (&str, &str)) -> Result<(), Error> {
    let (disk, top, base) = (CString::new(disk)?, CString::new(top)?, CString::new(base)?);
    let flags = sys::VIR_DOMAIN_BLOCK_COMMIT_RELATIVE;
    // SAFETY: the domain is live, and the strings too.
    done(unsafe {
        sys::virDomainBlockCommit(
            domain.as_ptr(),
            disk.as_ptr(),
            base.as_ptr(),
            top.as_ptr(),
            UNLIMITED,
            flags,
        )
    })
}

/// Ends a job on a disk's files early (`virDomainBlockJobAbort`).
pub(crate) fn abort(domain: &Domain, disk: &str) -> Result<(), Error> {
    let disk = CString::new(disk)?;
    // SAFETY: the domain is live, and the string too.
    done(unsafe { sys::virDomainBlockJobAbort(domain.as_ptr(), disk.as_ptr(), 0) })
}

/// Whether there is a job on a disk's files (`virDomainGetBlockJobInfo`).
pub(crate) fn has_job(domain: &Domain, disk: &str) -> Result<bool, Error> {
    let disk = CString::new(disk)?;
    let mut info = sys::virDomainBlockJobInfo {
        type_: 0,
        bandwidth: 0,
        cur: 0,
        end: 0,
    };
    // SAFETY: the domain is live, the string too, and the place is there to be written to.
    match unsafe { sys::virDomainGetBlockJobInfo(domain.as_ptr(), disk.as_ptr(), &raw mut info, 0) } {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Error::last_error()),
    }
}

/// As fast as it goes.
const UNLIMITED: c_ulong = 0;

fn done(answer: i32) -> Result<(), Error> {
    if answer < 0 { Err(Error::last_error()) } else { Ok(()) }
}
