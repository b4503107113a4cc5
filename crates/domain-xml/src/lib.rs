//! Domain spec to libvirt XML and libvirt XML to observed facts, pure.
//!
//! ```text
//!   DomainSpec ──to_xml──▶ libvirt's XML     written strictly: typed elements, or a refusal
//!   libvirt's XML ──observe──▶ Observed      read leniently: what isn't known is passed over
//!   <metadata> ──Identity──▶ whose domain    our own namespace: whether libvirt's domain is ours, and which one
//! ```
//!
//! No libvirt here: what the XML looks like is under review as golden files, checked against libvirt's own schema.

mod capabilities;
mod compare;
mod devices;
mod disk;
mod domain;
mod error;
mod identity;
mod nic;
mod observe;
mod parts;
mod snapshot;
mod spec;
mod target;

pub use capabilities::offers_kvm;
pub use compare::Vocabulary;
pub use error::XmlError;
pub use identity::{Identity, NAMESPACE};
pub use observe::{Observed, ObservedDisk, ObservedNic, observe};
pub use snapshot::{NewTop, snapshot_xml};
pub use spec::{Accel, Disk, DomainSpec, Limits, Nic, Paths};
pub use target::{disk_target, target_of_alias};
