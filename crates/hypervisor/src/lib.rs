//! The only crate that speaks to libvirt: verbs, events, capabilities.
