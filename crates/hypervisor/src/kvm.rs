//! KVM only where it works, and never silently anything else.
//!
//! That `/dev/kvm` opens proves little: a page-table KVM (PVM) in a cloud guest opens it and creates VMs, and a stock
//! Linux kernel hangs in them. What `virt-host-validate` checks is what counts: the CPU's own flag.

use std::fs::OpenOptions;

use berth_domain_xml::Accel;

/// What the operator wants guests to run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccelChoice {
    /// KVM where it works, else emulation with a warning.
    Auto,
    /// KVM, whatever the host looks like.
    Kvm,
    /// Emulation (TCG).
    Tcg,
}

/// What was found out about KVM on this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KvmFacts {
    /// `/dev/kvm` can be opened.
    pub device: bool,
    /// The CPU has `vmx` (Intel) or `svm` (AMD).
    pub cpu_flag: bool,
    /// libvirt offers domains of type `kvm`.
    pub libvirt: bool,
}

impl KvmFacts {
    /// Looks at this host; what libvirt offers is known by the caller.
    pub(crate) fn look(libvirt: bool) -> Self {
        Self {
            device: OpenOptions::new().read(true).write(true).open("/dev/kvm").is_ok(),
            cpu_flag: std::fs::read_to_string("/proc/cpuinfo").is_ok_and(|text| has_flag(&text)),
            libvirt,
        }
    }

    /// All three: KVM can be relied on.
    pub fn usable(self) -> bool {
        self.missing().is_empty()
    }

    fn missing(self) -> Vec<&'static str> {
        let facts = [
            (self.device, "/dev/kvm can't be opened"),
            (self.cpu_flag, "the CPU has neither vmx nor svm"),
            (self.libvirt, "libvirt offers no kvm domains"),
        ];
        facts
            .iter()
            .filter(|(there, _)| !there)
            .map(|(_, what)| *what)
            .collect()
    }
}

/// Whether `/proc/cpuinfo` has the flag of hardware virtualisation.
fn has_flag(cpuinfo: &str) -> bool {
    let flags = cpuinfo.lines().filter(|line| line.starts_with("flags"));
    flags
        .flat_map(str::split_ascii_whitespace)
        .any(|word| word == "vmx" || word == "svm")
}

/// What guests run on, and the warning that goes with it if it isn't KVM that works.
pub fn choose(choice: AccelChoice, kvm: &KvmFacts) -> (Accel, Option<String>) {
    let missing = kvm.missing().join(", ");
    match choice {
        AccelChoice::Auto | AccelChoice::Kvm if kvm.usable() => (Accel::Kvm, None),
        AccelChoice::Auto => (
            Accel::Tcg,
            Some(format!(
                "guests are emulated (TCG), many times slower than with KVM: {missing}"
            )),
        ),
        AccelChoice::Kvm => (
            Accel::Kvm,
            Some(format!(
                "KVM is forced by the configuration and may not work: {missing}"
            )),
        ),
        AccelChoice::Tcg => (
            Accel::Tcg,
            Some("guests are emulated (TCG), many times slower than with KVM: the configuration forces it".to_owned()),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: KvmFacts = KvmFacts {
        device: true,
        cpu_flag: true,
        libvirt: true,
    };

    #[test]
    fn auto_takes_kvm_only_where_all_of_it_is_there() {
        assert_eq!(choose(AccelChoice::Auto, &ALL), (Accel::Kvm, None));
        for facts in [
            KvmFacts { device: false, ..ALL },
            KvmFacts { cpu_flag: false, ..ALL },
            KvmFacts { libvirt: false, ..ALL },
        ] {
            let (accel, warning) = choose(AccelChoice::Auto, &facts);
            assert_eq!(accel, Accel::Tcg);
            assert!(warning.is_some(), "emulated silently: {facts:?}");
        }
    }

    #[test]
    fn what_is_forced_is_taken_and_said() {
        let none = KvmFacts {
            device: true,
            cpu_flag: false,
            libvirt: true,
        };
        let (accel, warning) = choose(AccelChoice::Kvm, &none);
        assert_eq!(accel, Accel::Kvm);
        assert!(warning.is_some_and(|text| text.contains("vmx")));
        assert_eq!(choose(AccelChoice::Kvm, &ALL), (Accel::Kvm, None));
        let (accel, warning) = choose(AccelChoice::Tcg, &ALL);
        assert_eq!(accel, Accel::Tcg);
        assert!(warning.is_some());
    }

    #[test]
    fn the_flag_is_a_word_of_the_flags() {
        assert!(has_flag("processor : 0\nflags\t\t: fpu vmx sse\n"));
        assert!(has_flag("flags : svm"));
        assert!(!has_flag("flags : fpu svm_lock\nmodel name : vmx"));
        // Since Linux 5.8 the features of vmx are a line of their own, also where the flag is hidden.
        assert!(!has_flag("vmx flags : vnmi vmx\nflags : fpu"));
    }
}
