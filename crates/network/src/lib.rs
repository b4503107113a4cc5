//! One network namespace per VPC: bridges, taps, DHCP, security groups, NAT.
//!
//! ```text
//!  host                                       │ namespace berth-P-1 (VPC 1)
//!                                             │
//!  eth0 ──(NAT, table inet berth-P)── P-ext ──┼─ Pv1 ══ ext ──(NAT)──┬─ br7  10.0.0.1 ──┬─ tap ──(guard)── guest
//!                                      │      │              (groups)├─ dnsmasq         └─ tap ──(guard)── guest
//!                          100.64.0.1/20      │                      └─ br8  10.0.1.1 ──── tap ──(guard)── guest
//!                                      │      └───────────────────────────────────────────────────────────────
//!                                      └───── Pv2 ══ ext of namespace berth-P-2, which may use 10.0.0.0/24 too
//! ```
//!
//! Everything of a VPC is in its namespace, so two VPCs may use the same addresses, the host's own routes and rules are
//! neither touched nor in the way, and deleting the namespace deletes the VPC. On the host there are only the *provider
//! bridge*, one veth (*uplink*) per VPC, one table of rules, and per public address a route and perhaps an entry of
//! proxy ARP. `P` is the installation's prefix: all names follow from it and from numbers that the caller has
//! journaled, so that after a `kill -9` everything is found again.
//!
//! A *public address* stands for one port: the host routes it to the VPC, whose router puts the port's own address in
//! its place. A *bandwidth* is held to by queues on the tap and on an *ifb* beside it.
//!
//! A port's life: [`Network::ensure_port`] makes a tap on the host, where libvirt opens it by name; while the guest is
//! still held, [`Network::plug_port`] moves it into the namespace; [`Network::unplug_port`] deletes it when the guest
//! is off, for a tap outlives its guest and can't be opened from the host again; [`Network::remove_port`] also forgets
//! the address.
//!
//! What a guest may: the *guard* pins each tap to its MAC and addresses; *security groups* let a flow begin or don't,
//! between two guests of a subnet as between subnets and to the outside; [`Network::set_port`], [`Network::set_group`]
//! and [`Network::remove_group`] change them while guests run, and end the flows that are allowed no more. No group
//! decides on DHCP, DNS, the metadata service and pings to the router, nor on what the daemon itself says to a guest
//! ([`Network::connect`]); a port in no group has those and nothing else. Why frames of guests were dropped is told by
//! `ip netns exec berth-P-1 nft list counters table bridge guard`.
//!
//! What it takes on the host: frames within a subnet come by the rules only with the kernel's `br_netfilter`, which is
//! loaded where it isn't there, and then switched off for the host's own bridges. With [`Settings::nat`], and from the
//! first public address on, the host forwards IPv4 (`net.ipv4.ip_forward`, a change of the whole host, never taken
//! back). An `accept` in our table doesn't overrule a `drop` in another one: where Docker or firewalld drops forwarded
//! packets, the administrator lets the provider bridge through, for Docker with `iptables -I DOCKER-USER -i P-ext -j
//! ACCEPT` and `iptables -I DOCKER-USER -o P-ext -j ACCEPT`; for firewalld see README.md. On the provider bridge the host
//! answers ARP for every VPC's transit address (`proxy_arp_pvlan`), for the VPCs don't hear each other.
//!
//! Of the host's other links it changes one thing, and only if told to: on the link that a public address is said to be
//! on, the host answers ARP for that very address (`ip neighbour show proxy` lists them), and announces it. No address
//! is put on the link, and `proxy_arp` stays as it is. Whoever has the address elsewhere on that network collides with
//! it; the host's own addresses are refused.
//!
//! **Invariants**: every function makes sure that something is so, may be repeated after a crash at any point, and
//! blocks (call it on a blocking pool). No thread of the caller ever changes its namespace: what must happen inside
//! one happens on a thread of its own. "The host" is the namespace of the calling thread.

mod announce;
mod bandwidth;
mod command;
mod connect;
mod counters;
mod dhcp;
mod dnsmasq;
mod edge;
mod error;
mod flows;
mod groups;
mod host;
mod inventory;
mod link;
mod listen;
mod names;
mod namespace;
mod policy;
mod port;
mod process;
mod public;
mod publish;
mod rules;
mod ruleset;
mod server;
mod settings;
mod spec;
mod tracking;
mod vpc;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use command::Tools;
pub use counters::Counters;
pub use error::NetworkError;
use groups::Standing;
pub use inventory::{Dnsmasq, Inventory, Tap};
pub use listen::METADATA;
use names::Names;
pub use server::Server;
pub use settings::Settings;
pub use spec::{Group, Port, PublicAddress, Subnet, Vpc};

/// The MTU of guests, taps and bridges in bytes: room for a VXLAN or Geneve header, should hosts be joined later.
pub const GUEST_MTU: u32 = 1450;

/// The DNS domain of guests. `internal` is reserved for private use (ICANN, 2024).
pub const DOMAIN: &str = "berth.internal";

/// The network of one installation on this host. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Network {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    settings: Settings,
    names: Names,
    tools: Tools,
    /// Held while the provider bridge, the host's rules or uplinks change.
    host: Mutex<()>,
    /// One per VPC number, held while anything of that VPC changes. Taken before `host`.
    vpcs: Mutex<HashMap<u32, VpcLock>>,
}

/// What this process has made stand in a VPC's namespace, if it knows.
type VpcLock = Arc<Mutex<Option<Standing>>>;

impl Network {
    /// Checks the settings, that `ip`, `nft`, `dnsmasq` and `conntrack` are installed, and that this process may use them. Makes
    /// and changes nothing.
    pub fn open(settings: Settings) -> Result<Self, NetworkError> {
        settings.check()?;
        let tools = Tools::find()?;
        command::check_rights()?;
        if settings.nat && dnsmasq::upstream().is_none() {
            tracing::warn!(
                "no resolver of this host can be reached from a VPC: guests resolve each other's names only"
            );
        }
        let names = Names::new(&settings.prefix);
        let inner = Inner {
            settings,
            names,
            tools,
            host: Mutex::default(),
            vpcs: Mutex::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The name of a port's tap, at most 15 bytes, the same at every call.
    pub fn tap_name(&self, port: berth_model::PortId) -> String {
        self.inner.names.tap(port)
    }

    /// The name of a VPC's namespace, as `ip netns` lists it.
    pub fn namespace_name(&self, vpc: &Vpc) -> String {
        self.inner.names.namespace(vpc.index)
    }

    /// What tells a VPC's namespace from one of the same name that was there before; none if it isn't there.
    pub fn namespace_inode(&self, vpc: &Vpc) -> Option<u64> {
        namespace::inode(&self.namespace_name(vpc))
    }

    /// The transit network between the host and its VPCs.
    pub fn provider(&self) -> ipnet::Ipv4Net {
        self.inner.settings.provider
    }

    /// Does `work` while nothing else of this process changes that VPC.
    fn holding<T>(&self, vpc_index: u32, work: impl FnOnce(&mut Option<Standing>) -> T) -> T {
        let lock = {
            let mut vpcs = self.inner.vpcs.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(vpcs.entry(vpc_index).or_default())
        };
        // What a panic left half done is put right by the next "make sure": what is being changed isn't remembered.
        let mut held = lock.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut held)
    }

    /// Where the DHCP service of a VPC, or of all of them, keeps its files.
    fn dhcp_dir(&self, vpc_index: Option<u32>) -> PathBuf {
        let dir = self.inner.settings.state_dir.join("network");
        vpc_index.map_or_else(|| dir.clone(), |index| dir.join(index.to_string()))
    }
}
