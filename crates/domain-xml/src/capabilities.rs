//! What libvirt's capabilities offer.

use serde::Deserialize;

use crate::XmlError;

#[derive(Deserialize)]
struct Capabilities {
    #[serde(default)]
    guest: Vec<Guest>,
}

#[derive(Deserialize)]
struct Guest {
    arch: Arch,
}

#[derive(Deserialize)]
struct Arch {
    #[serde(rename = "@name")]
    name: String,
    #[serde(default)]
    domain: Vec<Kind>,
}

#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "@type")]
    kind: String,
}

/// Whether capabilities XML (`virConnectGetCapabilities`) offers x86-64 guests under KVM.
pub fn offers_kvm(capabilities: &str) -> Result<bool, XmlError> {
    let capabilities: Capabilities = quick_xml::de::from_str(capabilities)?;
    let here = capabilities
        .guest
        .iter()
        .filter(|guest| guest.arch.name == crate::domain::ARCH);
    Ok(here
        .flat_map(|guest| &guest.arch.domain)
        .any(|domain| domain.kind == "kvm"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn kvm_is_offered_by_the_guest_of_our_architecture() {
        let guest =
            |arch, domains| format!("<guest><os_type>hvm</os_type><arch name='{arch}'>{domains}</arch></guest>");
        let capabilities = |guests: &str| format!("<capabilities><host><uuid>u</uuid></host>{guests}</capabilities>");
        let both = "<wordsize>64</wordsize><domain type='qemu'/><domain type='kvm'/>";
        assert!(offers_kvm(&capabilities(&(guest("i686", "") + &guest("x86_64", both)))).unwrap());
        assert!(!offers_kvm(&capabilities(&guest("i686", both))).unwrap());
        assert!(!offers_kvm(&capabilities(&guest("x86_64", "<domain type='qemu'/>"))).unwrap());
        assert!(!offers_kvm(&capabilities("")).unwrap());
        assert!(offers_kvm("<capabilities><guest>").is_err());
    }
}
