//! What libvirt and the kernel say of the host.

use berth_domain_xml::offers_kvm;
use berth_model::Mib;

use crate::{Hypervisor, HypervisorError, KvmFacts};

/// The host as libvirt and the kernel have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostFacts {
    /// Its hostname.
    pub hostname: String,
    /// The version of the libvirt that serves us.
    pub libvirt_version: String,
    /// The version of its QEMU, or `unknown`.
    pub qemu_version: String,
    /// Logical CPUs.
    pub cpus: u32,
    /// Memory in MiB.
    pub memory: Mib,
    /// What was found out about KVM.
    pub kvm: KvmFacts,
}

impl Hypervisor {
    /// Asks libvirt about the host.
    pub fn host(&self) -> Result<HostFacts, HypervisorError> {
        let (hostname, libvirt, qemu, node, capabilities) = self.pool.call("describe the host", |connection| {
            Ok((
                connection.hostname()?,
                connection.lib_version()?,
                connection.hyp_version().ok(),
                connection.node_info()?,
                connection.capabilities()?,
            ))
        })?;
        Ok(HostFacts {
            hostname,
            libvirt_version: version(libvirt),
            qemu_version: qemu.map_or_else(|| "unknown".to_owned(), version),
            cpus: node.cpus,
            memory: Mib(node.memory >> 10),
            kvm: KvmFacts::look(offers_kvm(&capabilities)?),
        })
    }
}

/// libvirt writes versions as one number: 1,000,000 × major + 1,000 × minor + release.
fn version(number: u32) -> String {
    let (major, minor, release) = (number / 1_000_000, number / 1000 % 1000, number % 1000);
    format!("{major}.{minor}.{release}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_written_as_people_write_it() {
        assert_eq!(version(11_003_000), "11.3.0");
        assert_eq!(version(10_000_002), "10.0.2");
    }
}
