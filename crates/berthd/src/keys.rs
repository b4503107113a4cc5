//! Every key of the configuration, in one place: its type, what it does, its default, and whether a running daemon takes
//! another value.
//!
//! Of a list are made ([`crate::key`]) the struct that serde fills and the table that all else comes from: the file's
//! reference and its man page ([`crate::reference`]), the variables of the environment and the hints for what is misspelt
//! ([`crate::layers`]), what SIGHUP may change ([`crate::reload`]). A new key is one entry here and one use of it in
//! [`crate::config`].

use std::collections::BTreeMap;
use std::path::PathBuf;

use berth_model::metering::PriceList;
use berth_model::{Gib, Mirror, PublicIpPool, QuotaLimits, User, VolumeType};
use clap::ValueEnum;
use ipnet::Ipv4Net;
use serde::Deserialize;
use toml::Table;

use crate::key::{Key, Kind, Value, When, keys};
use crate::oidc::OidcTable;
use crate::tls::Tls;

keys! {
    /// The configuration, when all that was given is put together. Durations are in seconds.
    struct File {
        /// Where instances, volumes, images and the database are kept: an absolute path of at most 40 bytes.
        Restart state_dir: PathBuf, Kind::Text, Default r#""/var/lib/berth""#;
        /// The socket that is served, unless systemd hands over one. `BERTH_SOCKET` sets it too, as it does for `berth`.
        Restart socket: PathBuf, Kind::Text, Default r#""/run/berth/berth.sock""#;
        /// The group whose members may connect and are operators: choose them as you would for docker.
        Restart socket_group: Option<String>, Kind::Text, Example r#""berth""#;
        /// `sqlite:PATH` or `postgres://USER@HOST/NAME`; SQLite's `berth.db` in the state directory if not set.
        Restart database: Option<String>, Kind::Text, Example r#""postgres://berth@db.example/berth""#;

        /// Users who are operators wherever they come from, besides root and the group's.
        Restart operators: Vec<User>, Kind::Texts, Default "[]";

        /// libvirt's URI.
        Restart libvirt_uri: String, Kind::Text, Default r#""qemu:///system""#;
        /// Seconds that one call of libvirt may take.
        Restart call_deadline: u64, Kind::Integer, Default "30";
        /// Seconds that an operation waits for a libvirt that is away.
        Reload libvirt_patience: u64, Kind::Integer, Default "600";
        /// What guests run on: `kvm`, `tcg` (emulation), or `auto`: KVM where it works, else emulation with a warning.
        Restart accelerator: Accelerator, Kind::Text, Default r#""auto""#;
        /// Who QEMU runs as; `libvirt-qemu` or `qemu` if not set, whichever the host has.
        Restart qemu_user: Option<String>, Kind::Text, Example r#""libvirt-qemu""#;
        /// How many steps of operations may be under way at once.
        Restart parallel_steps: usize, Kind::Integer, Default "16";

        /// Seconds that a guest may take to shut down before its plug is pulled.
        Reload stop_grace: u64, Kind::Integer, Default "60";
        /// Seconds that a guest may take to reboot before it is reset.
        Reload reboot_grace: u64, Kind::Integer, Default "120";
        /// Seconds after which a resize confirms itself (looked at every 5 minutes); never if not set.
        Reload resize_confirm_window: Option<u64>, Kind::Integer, Example "86400";

        /// A catalog of images that are known by name, instead of the one that is built in.
        Reload catalog: Option<PathBuf>, Kind::Text, Example r#""/etc/berth/catalog.toml""#;
        /// Takes the place of scheme and host of the catalog's addresses; their paths are appended.
        Reload image_mirror: Option<Mirror>, Kind::Text, Example r#""http://mirror.example/os""#;
        /// Who reads foreign images; a number that owns nothing if not set.
        Restart image_user: Option<String>, Kind::Text, Example r#""berth-img""#;
        /// GiB that a fetched image may have.
        Reload image_size_max: Gib, Kind::Integer, Default "5120";
        /// Whether images are fetched from private and link-local addresses too.
        Reload fetch_private: bool, Kind::Switch, Default "false";

        /// How many times the disk may be promised for: volumes are thin. From 0.1 to 1000.
        Reload disk_overcommit: f64, Kind::Number, Default "4.0";
        /// MiB that stay free for the guests that run: with less nothing new is begun.
        Restart low_space_mib: u64, Kind::Integer, Default "1024";

        /// The addresses of the default VPC's subnet, when it is made.
        Restart subnet: Ipv4Net, Kind::Text, Default r#""10.0.0.0/20""#;
        /// The network between the host and its VPCs: used nowhere else on the host, nor by a subnet.
        Restart transit: Ipv4Net, Kind::Text, Default r#""100.64.0.0/20""#;
        /// Whether guests reach what the host reaches, by its address; without it by public IPs only.
        Restart outbound_nat: bool, Kind::Switch, Default "true";

        /// The log, which goes to stderr: under systemd to the journal.
        Reload log: Log, Kind::Table(Log::KEYS), Default "{}";
        /// Which users the local users of this host are, by login name or number, for example `alice = "local:alice"`. If
        /// there is one everybody may connect; a socket that systemd hands over then needs `SocketMode=0666` in its unit.
        Restart local_users: BTreeMap<String, User>, Kind::Names, Default "{}";
        /// Serving over TCP, to clients with a certificate or a token; without this table nothing is. SIGHUP has the files
        /// read again.
        Restart tls: Option<Tls>, Kind::Table(TLS), Example "{}";
        /// The issuer whose OpenID Connect tokens are taken; none without this table.
        Restart oidc: Option<OidcTable>, Kind::Table(OIDC), Example "{}";
        /// How much a project may have for which nothing else is set (`berth quota`). What isn't named is unlimited.
        Reload quotas: QuotaLimits, Kind::Table(QUOTAS), Default "{}";
        /// What an hour of things costs, as exact decimals; what isn't named costs nothing. Instances: see `types`.
        Reload prices: PriceList, Kind::Table(PRICES), Default "{}";
        /// An instance type. The first one that is written replaces the whole catalog that is built in.
        Reload types: Vec<Table>, Kind::Tables(TYPE), Default "[]";
        /// A volume type. The first one is what a volume is of if nothing else is said; `ssd`, without limits, if there is
        /// none.
        Reload volume_types: Vec<VolumeType>, Kind::Tables(VOLUME_TYPE), Default "[]";
        /// Public addresses to give to instances. Without a pool no instance has one.
        Reload public_ip_pools: Vec<PublicIpPool>, Kind::Tables(PUBLIC_IP_POOL), Default "[]";
    }
}

keys! {
    /// The log.
    struct Log {
        /// The least that is logged, `debug`, `info`, `warn` or `error`; `TARGET=LEVEL` says it of a part.
        Reload filter: String, Kind::Text, Default r#""info,sqlx=warn""#;
        /// `text` for people, or `json`, one object a line.
        Restart format: LogFormat, Kind::Text, Default r#""text""#;
    }
}

/// Of the TLS door ([`Tls`]).
const TLS: &[Key] = keys! { @list
    /// The addresses and ports to listen on.
    Restart listen, Kind::Texts, Example r#"["0.0.0.0:8443"]"#;
    /// The daemon's certificate and those above it, as PEM.
    Restart certificate, Kind::Text, Example r#""/etc/berth/tls/certificate.pem""#;
    /// Its private key, as PEM: readable for its owner, and a group at most.
    Restart key, Kind::Text, Example r#""/etc/berth/tls/key.pem""#;
    /// Who signs certificates of clients, as PEM; without it none are asked for.
    Restart client_ca, Kind::Text, Example r#""/etc/berth/tls/clients.pem""#;
};

/// Of the issuer of tokens ([`OidcTable`]).
const OIDC: &[Key] = keys! { @list
    /// Its URL, exactly as its tokens have it.
    Restart issuer, Kind::Text, Example r#""https://login.example""#;
    /// What they have to be meant for.
    Restart audience, Kind::Text, Example r#""berth""#;
    /// The claim that becomes the user's name, behind `oidc:`. `sub` is the one claim that an issuer never gives to somebody
    /// else (OpenID Connect Core 1.0, 5.7).
    Restart claim, Kind::Text, Default r#""sub""#;
    /// Who vouches for the issuer's server, as PEM; the system's authorities if not set.
    Restart ca, Kind::Text, Example r#""/etc/berth/tls/issuer.pem""#;
};

/// Of the quotas ([`berth_model::Resource`]).
const QUOTAS: &[Key] = keys! { @list
    /// Instances, in any state.
    Reload instances, Kind::Limit, Example "50";
    /// vCPUs of instances that aren't shelved.
    Reload vcpus, Kind::Limit, Example "200";
    /// MiB of memory of instances that aren't shelved.
    Reload memory_mib, Kind::Limit, Example "524288";
    /// Volumes, root volumes too.
    Reload volumes, Kind::Limit, Example "100";
    /// GiB of all volumes together.
    Reload volume_gb, Kind::Limit, Example "10240";
    /// Snapshots that somebody took.
    Reload snapshots, Kind::Limit, Example "200";
    /// Images of the project's own, neither default ones nor shelves.
    Reload images, Kind::Limit, Example "50";
    /// VPCs, the one that Berth makes by itself too.
    Reload vpcs, Kind::Limit, Example "10";
    /// Subnets.
    Reload subnets, Kind::Limit, Example "50";
    /// Security groups, the default one of each VPC too.
    Reload security_groups, Kind::Limit, Example "50";
    /// Rules of all security groups together.
    Reload security_group_rules, Kind::Limit, Example "500";
    /// Public IPs, static and ephemeral.
    Reload public_ips, Kind::Limit, Example "20";
    /// Key pairs.
    Reload key_pairs, Kind::Limit, Example r#""unlimited""#;
};

/// Of the price list ([`PriceList`]).
const PRICES: &[Key] = keys! { @list
    /// What the prices are in.
    Reload currency, Kind::Text, Example r#""EUR""#;
    /// Of a GiB of a snapshot's volume.
    Reload snapshot, Kind::Text, Example r#""0.0001""#;
    /// Of a GiB of an image's file.
    Reload image, Kind::Text, Example r#""0.0001""#;
    /// Of a GiB of a volume, by the name of its type.
    Reload volume, Kind::Names, Example r#"{ ssd = "0.0002" }"#;
    /// Of a public IP, by the name of its pool.
    Reload public_ip, Kind::Names, Example r#"{ office = "0.005" }"#;
};

/// Of an instance type ([`berth_model::InstanceType`]).
const TYPE: &[Key] = keys! { @list
    /// Its name, `family.size`.
    Reload name, Kind::Text, Example r#""m2.large""#;
    /// Virtual CPUs.
    Reload vcpus, Kind::Integer, Example "2";
    /// Memory in MiB.
    Reload memory, Kind::Integer, Example "8192";
    /// The least size of the root volume in GiB.
    Reload storage, Kind::Integer, Example "30";
    /// How many NICs an instance of it may have.
    Reload nics, Kind::Integer, Example "3";
    /// Network bandwidth in Mbit/s, each way.
    Reload bandwidth, Kind::Integer, Example "2500";
    /// What an hour of it costs, in the currency of `prices`: an exact decimal.
    Reload price_per_hour, Kind::Text, Example r#""0.096""#;
};

/// Of a volume type ([`VolumeType`]).
const VOLUME_TYPE: &[Key] = keys! { @list
    /// Its name.
    Reload name, Kind::Text, Example r#""ssd""#;
    /// Reads and writes a second, together; no limit if absent.
    Reload iops, Kind::Integer, Example "10000";
    /// MiB a second, read and written together; no limit if absent.
    Reload mib_per_second, Kind::Integer, Example "200";
};

/// Of a pool of public IPs ([`PublicIpPool`]).
const PUBLIC_IP_POOL: &[Key] = keys! { @list
    /// Its name.
    Reload name, Kind::Text, Example r#""office""#;
    /// Where neighbours ask for the addresses; if absent a router sends them to this host.
    Reload interface, Kind::Text, Example r#""eth0""#;
    /// Networks, ranges and single addresses. Every one of them is given away.
    Reload ranges, Kind::Texts, Example r#"["203.0.113.16/28", "203.0.113.40-203.0.113.49", "203.0.113.60"]"#;
};

/// What guests run on.
#[derive(Debug, Clone, Copy, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Accelerator {
    /// KVM where it works, else TCG with a warning.
    Auto,
    /// KVM, whatever the host looks like.
    Kvm,
    /// Emulation.
    Tcg,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// A key that has a value of its own, with the tables it is in.
#[derive(Debug)]
pub(crate) struct Leaf {
    /// The tables' names and its own.
    pub(crate) path: Vec<&'static str>,
    /// The key.
    pub(crate) key: &'static Key,
}

impl Leaf {
    /// As it is written in one word.
    pub(crate) fn dotted(&self) -> String {
        self.path.join(".")
    }

    /// The variable of the environment that sets it.
    pub(crate) fn variable(&self) -> String {
        format!("BERTHD_{}", self.path.join("__").to_ascii_uppercase())
    }
}

/// All that can be set, in the order of the list. A list of tables is one value.
pub(crate) fn leaves() -> Vec<Leaf> {
    fn below(keys: &'static [Key], above: &[&'static str], found: &mut Vec<Leaf>) {
        for key in keys {
            let path = [above, &[key.name]].concat();
            match key.kind {
                Kind::Table(inner) => below(inner, &path, found),
                _ => found.push(Leaf { path, key }),
            }
        }
    }
    let mut found = Vec::new();
    below(File::KEYS, &[], &mut found);
    found
}
