//! What the `virt` crate lacks of statistics, wrapped safely: the numbers of all guests in one call.
//!
//! The rule that it stands on: the list that libvirt gives, with the domains and the names in it, lives until it is
//! given back, and nothing of it is kept past that.

#![allow(
    unsafe_code,
    reason = "the virt crate hands out the raw records, and doesn't free them"
)]

use std::ffi::CStr;
use std::ptr;

use berth_model::InstanceId;
use virt::connect::Connect;
use virt::error::Error;
use virt_sys as sys;

/// The numbers of a guest by their names (`virConnectGetAllDomainStats` has the list); what is neither a whole
/// number of at least zero nor a text is left out.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) numbers: Vec<(String, u64)>,
    pub(crate) texts: Vec<(String, String)>,
}

/// The statistics of every domain that is on. Of a guest whose QEMU is busy only what is known without it: one that
/// hangs keeps nobody waiting.
pub(crate) fn all(connection: &Connect) -> Result<Vec<(InstanceId, Record)>, Error> {
    let wanted = sys::VIR_DOMAIN_STATS_CPU_TOTAL | sys::VIR_DOMAIN_STATS_BALLOON | sys::VIR_DOMAIN_STATS_BLOCK;
    let flags = sys::VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE | sys::VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT;
    let mut list: *mut sys::virDomainStatsRecordPtr = ptr::null_mut();
    // SAFETY: the connection is live, and the place for the list is there to be written to.
    let count = unsafe { sys::virConnectGetAllDomainStats(connection.as_ptr(), wanted, &raw mut list, flags) };
    let Ok(count) = usize::try_from(count) else {
        return Err(Error::last_error());
    };
    let list = List { list, count };
    Ok(list.records().iter().filter_map(|record| read(record)).collect())
}

/// The list that libvirt gave, given back when this goes.
struct List {
    list: *mut sys::virDomainStatsRecordPtr,
    count: usize,
}

impl List {
    fn records(&self) -> Vec<&sys::virDomainStatsRecord> {
        if self.list.is_null() {
            return Vec::new();
        }
        // SAFETY: libvirt gave so many pointers to records, which live until the list is given back.
        let pointers = unsafe { std::slice::from_raw_parts(self.list, self.count) };
        // SAFETY: as above; none of them is null, but nothing depends on it.
        pointers
            .iter()
            .filter_map(|pointer| unsafe { pointer.as_ref() })
            .collect()
    }
}

impl Drop for List {
    fn drop(&mut self) {
        // SAFETY: it is what libvirt gave, once, or null, which is a list of none.
        unsafe { sys::virDomainStatsRecordListFree(self.list) };
    }
}

fn read(record: &sys::virDomainStatsRecord) -> Option<(InstanceId, Record)> {
    let mut uuid = [0; 16];
    // SAFETY: the domain lives as long as its record; a UUID has 16 bytes (VIR_UUID_BUFLEN).
    if unsafe { sys::virDomainGetUUID(record.dom, uuid.as_mut_ptr()) } < 0 {
        return None;
    }
    let mut found = Record::default();
    let count = usize::try_from(record.nparams).unwrap_or(0);
    if !record.params.is_null() {
        // SAFETY: so many of them are there, for as long as the record is.
        for parameter in unsafe { std::slice::from_raw_parts(record.params, count) } {
            found.take(parameter);
        }
    }
    Some((InstanceId::from(uuid::Uuid::from_bytes(uuid)), found))
}

impl Record {
    fn take(&mut self, parameter: &sys::virTypedParameter) {
        // SAFETY: libvirt ends every name within its 80 bytes (VIR_TYPED_PARAM_FIELD_LENGTH).
        let name = unsafe { CStr::from_ptr(parameter.field.as_ptr()) }.to_string_lossy();
        let value = parameter.value;
        // SAFETY: the type says which of the union's fields was written, and a text is a C string or null.
        let number = unsafe {
            match u32::try_from(parameter.type_) {
                Ok(sys::VIR_TYPED_PARAM_INT) => u64::try_from(value.i).ok(),
                Ok(sys::VIR_TYPED_PARAM_UINT) => Some(u64::from(value.ui)),
                Ok(sys::VIR_TYPED_PARAM_LLONG) => u64::try_from(value.l).ok(),
                Ok(sys::VIR_TYPED_PARAM_ULLONG) => Some(value.ul),
                Ok(sys::VIR_TYPED_PARAM_STRING) if !value.s.is_null() => {
                    let text = CStr::from_ptr(value.s).to_string_lossy();
                    self.texts.push((name.to_string(), text.into_owned()));
                    None
                }
                _ => None,
            }
        };
        self.numbers.extend(number.map(|number| (name.into_owned(), number)));
    }
}
