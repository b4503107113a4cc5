//! What is believed of libvirt's XML: domains that others may have edited, and our mark in them.
#![no_main]

use berth_domain_xml::{Identity, observe, offers_kvm};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(xml) = std::str::from_utf8(data) else { return };
    let _ = observe(xml);
    let _ = Identity::from_metadata(xml);
    let _ = offers_kvm(xml);
});
