//! The operator's wishes: a TOML file, and flags that win over it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use berth_api::AuthSettings;
use berth_engine::FetchPolicy;
use berth_hypervisor::AccelChoice;
use berth_model::metering::PriceList;
use berth_model::{Catalog, Code, Gib, Mirror, PublicIpPool, QuotaLimits, User, VolumeType};
use berth_store::Database;
use clap::{Args, ValueEnum};
use ipnet::Ipv4Net;
use serde::Deserialize;

use crate::failure::Failure;
use crate::images;
use crate::oidc::OidcTable;
use crate::pools;
use crate::tls::Tls;
use crate::types::{self, catalog};

/// Where the configuration is looked for if no flag says.
const CONFIG: &str = "/etc/berth/berthd.toml";

/// What may be given on the command line.
#[derive(Debug, Args)]
pub(crate) struct Flags {
    /// The configuration file [default: /etc/berth/berthd.toml, if it is there]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where instances, volumes, images and the database are kept [default: /var/lib/berth]
    #[arg(long, global = true, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// The socket to serve [default: /run/berth/berth.sock]
    #[arg(long, global = true, value_name = "PATH", env = "BERTH_SOCKET")]
    socket: Option<PathBuf>,
    /// libvirt's URI [default: qemu:///system]
    #[arg(long, global = true, value_name = "URI")]
    libvirt_uri: Option<String>,
    /// sqlite:PATH or postgres://… [default: sqlite, in the state directory]
    #[arg(long, global = true, value_name = "DATABASE")]
    database: Option<String>,
    /// What guests run on: auto takes KVM where it works
    #[arg(long, global = true, value_enum)]
    accelerator: Option<Accelerator>,
    /// How the log is written
    #[arg(long, global = true, value_enum)]
    log_format: Option<LogFormat>,
}

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
#[derive(Debug, Clone, Copy, Default, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// The configuration file. Durations are in seconds.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    state_dir: Option<PathBuf>,
    socket: Option<PathBuf>,
    socket_group: Option<String>,
    libvirt_uri: Option<String>,
    database: Option<String>,
    accelerator: Option<Accelerator>,
    log_format: Option<LogFormat>,
    qemu_user: Option<String>,
    subnet: Option<Ipv4Net>,
    transit: Option<Ipv4Net>,
    outbound_nat: Option<bool>,
    stop_grace: Option<u64>,
    reboot_grace: Option<u64>,
    resize_confirm_window: Option<u64>,
    libvirt_patience: Option<u64>,
    parallel_steps: Option<usize>,
    call_deadline: Option<u64>,
    types: Vec<toml::Table>,
    catalog: Option<PathBuf>,
    image_mirror: Option<Mirror>,
    image_user: Option<String>,
    image_size_max: Option<Gib>,
    fetch_private: Option<bool>,
    volume_types: Vec<VolumeType>,
    disk_overcommit: Option<f64>,
    quotas: QuotaLimits,
    low_space_mib: Option<u64>,
    public_ip_pools: Vec<PublicIpPool>,
    operators: Vec<User>,
    local_users: BTreeMap<String, User>,
    prices: PriceList,
    tls: Option<Tls>,
    oidc: Option<OidcTable>,
}

/// What the daemon runs with.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) state_dir: PathBuf,
    pub(crate) socket: PathBuf,
    pub(crate) socket_group: Option<String>,
    pub(crate) libvirt_uri: String,
    pub(crate) database: Database,
    pub(crate) log_format: LogFormat,
    pub(crate) qemu_user: Option<String>,
    pub(crate) image_user: Option<String>,
    pub(crate) low_space: u64,
    pub(crate) transit: Ipv4Net,
    pub(crate) outbound_nat: bool,
    pub(crate) call_deadline: Duration,
    pub(crate) catalog: Catalog,
    pub(crate) image_mirror: Option<Mirror>,
    pub(crate) auth: AuthSettings,
    pub(crate) tls: Option<Tls>,
    pub(crate) engine: berth_engine::Settings,
}

/// The longest state directory in bytes: below it a guest's socket has to fit into 107 (unix(7), `sun_path`).
const STATE_DIR_MAX: usize = 40;

impl Config {
    /// Reads the file, then the flags.
    pub(crate) fn load(flags: Flags) -> Result<Self, Failure> {
        let file = read(flags.config.as_deref())?;
        let state_dir = flags
            .state_dir
            .or(file.state_dir)
            .unwrap_or_else(|| "/var/lib/berth".into());
        check_state_dir(&state_dir)?;
        let database = match flags.database.or(file.database) {
            Some(text) => text.parse().map_err(|error| wrong("database", &error))?,
            None => Database::Sqlite(state_dir.join("berth.db")),
        };
        let defaults = berth_engine::Settings::default();
        let seconds = |given: Option<u64>, otherwise| given.map_or(otherwise, Duration::from_secs);
        let engine = berth_engine::Settings {
            types: catalog(file.types)?,
            accelerator: match flags.accelerator.or(file.accelerator).unwrap_or(Accelerator::Auto) {
                Accelerator::Auto => AccelChoice::Auto,
                Accelerator::Kvm => AccelChoice::Kvm,
                Accelerator::Tcg => AccelChoice::Tcg,
            },
            stop_grace: seconds(file.stop_grace, defaults.stop_grace),
            reboot_grace: seconds(file.reboot_grace, defaults.reboot_grace),
            resize_confirm_window: file.resize_confirm_window.map(Duration::from_secs),
            libvirt_patience: seconds(file.libvirt_patience, defaults.libvirt_patience),
            parallel_steps: file.parallel_steps.unwrap_or(defaults.parallel_steps).max(1),
            subnet: file.subnet.unwrap_or(defaults.subnet),
            volume_types: volume_types(file.volume_types, defaults.volume_types)?,
            disk_overcommit: overcommit(file.disk_overcommit.unwrap_or(defaults.disk_overcommit))?,
            fetch: FetchPolicy {
                allow_private: file.fetch_private.unwrap_or_default(),
                size_max: file.image_size_max.map_or(defaults.fetch.size_max, Gib::bytes),
                ..defaults.fetch
            },
            pools: pools::checked(file.public_ip_pools)?,
            prices: file.prices,
            quotas: file.quotas,
            ..defaults
        };
        types::check_prices(&engine)?;
        check_subnet(engine.subnet)?;
        let transit = file.transit.unwrap_or(Ipv4Net::new_assert([100, 64, 0, 0].into(), 20));
        pools::apart(engine.subnet, transit, &engine.pools)?;
        Ok(Self {
            socket: flags
                .socket
                .or(file.socket)
                .unwrap_or_else(|| "/run/berth/berth.sock".into()),
            auth: AuthSettings {
                operators_group: file.socket_group.clone(),
                operators: file.operators,
                local_users: file.local_users,
                oidc: file.oidc.map(OidcTable::open).transpose()?.map(Arc::new),
            },
            socket_group: file.socket_group,
            libvirt_uri: flags
                .libvirt_uri
                .or(file.libvirt_uri)
                .unwrap_or_else(|| "qemu:///system".to_owned()),
            log_format: flags.log_format.or(file.log_format).unwrap_or_default(),
            qemu_user: file.qemu_user,
            image_user: file.image_user,
            low_space: file.low_space_mib.map_or(berth_storage::LOW_SPACE, |mib| mib << 20),
            transit,
            outbound_nat: file.outbound_nat.unwrap_or(true),
            call_deadline: seconds(file.call_deadline, Duration::from_secs(30)),
            catalog: images::catalog(file.catalog.as_deref())?,
            image_mirror: file.image_mirror,
            tls: file.tls,
            state_dir,
            database,
            engine,
        })
    }
}

/// The volume types of the file, or those there are without it.
fn volume_types(given: Vec<VolumeType>, otherwise: Vec<VolumeType>) -> Result<Vec<VolumeType>, Failure> {
    if given.is_empty() {
        return Ok(otherwise);
    }
    for (place, one) in given.iter().enumerate() {
        if one.name.is_empty() || one.iops == Some(0) || one.mib_per_second == Some(0) {
            let message = format!("'{}': a type has a name, and limits above 0 or none", one.name);
            return Err(wrong("volume_types", &message));
        }
        if given[..place].iter().any(|other| other.name == one.name) {
            return Err(wrong(
                "volume_types",
                &format!("there are two of the name '{}'", one.name),
            ));
        }
    }
    Ok(given)
}

fn overcommit(ratio: f64) -> Result<f64, Failure> {
    if (0.1..=1000.0).contains(&ratio) {
        return Ok(ratio);
    }
    Err(wrong(
        "disk_overcommit",
        &format!("{ratio} is not between 0.1 and 1000"),
    ))
}

fn read(path: Option<&Path>) -> Result<File, Failure> {
    let text = match std::fs::read_to_string(path.unwrap_or(Path::new(CONFIG))) {
        Ok(text) => text,
        Err(error) if path.is_none() && error.kind() == std::io::ErrorKind::NotFound => return Ok(File::default()),
        Err(error) => {
            return Err(wrong(
                "config",
                &format!("{}: {error}", path.unwrap_or(Path::new(CONFIG)).display()),
            ));
        }
    };
    toml::from_str(&text).map_err(|error| wrong("config", &error))
}

fn check_state_dir(dir: &Path) -> Result<(), Failure> {
    let length = dir.as_os_str().len();
    if !dir.is_absolute() {
        return Err(wrong(
            "state_dir",
            &format!("'{}' is not an absolute path", dir.display()),
        ));
    }
    if length > STATE_DIR_MAX {
        let message = format!("'{}' has {length} bytes and may have {STATE_DIR_MAX}", dir.display());
        return Err(wrong("state_dir", &message));
    }
    Ok(())
}

fn check_subnet(subnet: Ipv4Net) -> Result<(), Failure> {
    berth_model::check_subnet(subnet).map_err(|error| wrong("subnet", &error))
}

pub(crate) fn wrong(field: &str, why: &impl ToString) -> Failure {
    Failure::new(Code::InvalidArgument, format!("{field}: {}", why.to_string()))
}
