//! A private host: a namespace that the test's own thread enters, so that it is "the host" for what is tested.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};

use berth_model::{Direction, Mac, PortId, Protocol, Remote, Rule, SecurityGroupId, SubnetId, VpcId};
use berth_network::{Group, Inventory, Network, Port, Settings, Subnet, Vpc};
use nix::sched::{CloneFlags, setns};
use tempfile::TempDir;

pub(crate) struct Lab {
    pub(crate) network: Network,
    pub(crate) prefix: String,
    pub(crate) settings: Settings,
    /// The namespace that plays the host.
    pub(crate) host: String,
    _state: TempDir,
}

/// Runs a test on a private host, and cleans up whatever comes of it.
pub(crate) fn lab(test: impl FnOnce(&Lab) + Send) {
    lab_of(true, test);
}

/// The same, of an installation that lets guests out or doesn't.
pub(crate) fn lab_of(nat: bool, test: impl FnOnce(&Lab) + Send) {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("SKIPPED: this test makes network namespaces, which takes root");
        return;
    }
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let lab = Lab::new(nat);
            test(&lab);
        });
        // The panic itself has been printed; what joins here is its payload.
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
}

impl Lab {
    fn new(nat: bool) -> Self {
        let random = PortId::new().as_uuid().as_u128() & 0xfff;
        let prefix = format!("t{random:03x}");
        let host = format!("host-{prefix}");
        run(&["ip", "netns", "add", &host]);
        let file = fs::File::open(format!("/run/netns/{host}")).unwrap();
        setns(file, CloneFlags::CLONE_NEWNET).unwrap();
        run(&["ip", "link", "set", "lo", "up"]);

        let state = TempDir::with_prefix("berth-network-").unwrap();
        fs::set_permissions(state.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let settings = Settings {
            state_dir: state.path().to_owned(),
            prefix: prefix.clone(),
            provider: Settings::PROVIDER,
            nat,
        };
        let network = Network::open(settings.clone()).unwrap();
        Self {
            network,
            prefix,
            settings,
            host,
            _state: state,
        }
    }

    /// A VPC with that many subnets: 10.0.0.0/24, 10.0.1.0/24 …, their numbers from 7 on; and a group that lets
    /// everything through.
    pub(crate) fn vpc(index: u32, subnets: u8) -> Vpc {
        let subnet = |number: u8| Subnet {
            id: SubnetId::new(),
            index: 7 + u32::from(number),
            cidr: format!("10.0.{number}.0/24").parse().unwrap(),
            gateway: Ipv4Addr::new(10, 0, number, 1),
            dns: Vec::new(),
            ntp: Vec::new(),
            nat: true,
        };
        Vpc {
            id: VpcId::new(),
            index,
            subnets: (0..subnets).map(subnet).collect(),
            groups: vec![Group {
                id: SecurityGroupId::new(),
                index: 1,
                rules: Direction::ALL.iter().map(|direction| anything(*direction)).collect(),
            }],
        }
    }

    /// A port of a VPC's nth subnet with that last octet, in the VPC's first group.
    pub(crate) fn port(vpc: &Vpc, subnet: u8, octet: u8) -> Port {
        Port {
            id: PortId::new(),
            vpc: vpc.id,
            subnet: vpc.subnets[usize::from(subnet)].id,
            mac: Mac::random(),
            address: Ipv4Addr::new(10, 0, subnet, octet),
            hostname: format!("guest-{subnet}-{octet}"),
            primary: true,
            groups: vpc.groups.first().map(|group| group.id).into_iter().collect(),
            pairs: Vec::new(),
            public: None,
            bandwidth: None,
        }
    }

    /// Where a VPC's dnsmasq has its files.
    pub(crate) fn dhcp_dir(&self, vpc: &Vpc) -> PathBuf {
        self.settings.state_dir.join(format!("network/{}", vpc.index))
    }

    /// Runs a program inside a VPC's namespace.
    pub(crate) fn inside(&self, vpc: &Vpc, words: &[&str]) -> String {
        run(&[&["ip", "netns", "exec", &self.network.namespace_name(vpc)], words].concat())
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let left = self.network.inventory().unwrap();
        for name in left
            .namespaces
            .iter()
            .chain(left.dnsmasq.iter().map(|dnsmasq| &dnsmasq.namespace))
        {
            self.network.remove_namespace(name).unwrap();
        }
        for tap in &left.taps {
            self.network.remove_tap(tap).unwrap();
        }
        let left = self.network.inventory().unwrap();
        run(&["ip", "netns", "del", &self.host]);
        assert_eq!(left, Inventory::default(), "the lab left something behind");
    }
}

/// A rule that allows everything in that direction.
pub(crate) fn anything(direction: Direction) -> Rule {
    Rule {
        direction,
        protocol: Protocol::Any,
        ports: None,
        remote: Remote::ANYWHERE,
    }
}

/// Runs a program that succeeds, and gives back what it printed.
pub(crate) fn run(words: &[&str]) -> String {
    let output = try_run(words);
    assert!(
        output.status.success(),
        "{words:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn try_run(words: &[&str]) -> Output {
    Command::new(words[0]).args(&words[1..]).output().unwrap()
}
