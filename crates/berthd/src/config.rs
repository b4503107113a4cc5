//! What the daemon runs with: the layers ([`crate::layers`]) put together, and everything held to what it must be.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use berth_api::AuthSettings;
use berth_engine::FetchPolicy;
use berth_hypervisor::AccelChoice;
use berth_model::VolumeType;
use berth_store::Database;
use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};
use ipnet::Ipv4Net;
use nix::unistd::{Group, User};
use toml::{Table, Value};

use crate::failure::{Failure, wrong};
use crate::keys::{Accelerator, File, LogFormat};
use crate::layers::{self, Given};
use crate::oidc::OidcTable;
use crate::tls::Tls;
use crate::types::{self, catalog};
use crate::{images, pools};

/// Where the configuration is looked for if no flag says.
const CONFIG: &str = "/etc/berth/berthd.toml";

/// What may be given on the command line.
#[derive(Debug, Clone, Args)]
pub(crate) struct Flags {
    /// The configuration file [default: /etc/berth/berthd.toml, if it is there]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where instances, volumes, images and the database are kept [default: /var/lib/berth]
    #[arg(long, global = true, value_name = "DIR")]
    state_dir: Option<String>,
    /// The socket to serve [default: /run/berth/berth.sock]
    #[arg(long, global = true, value_name = "PATH", env = "BERTH_SOCKET")]
    socket: Option<String>,
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

impl Flags {
    /// The configuration file, if there is one: the operator's must be there, the usual one needn't.
    pub(crate) fn file(&self) -> Result<Option<(&Path, String)>, Failure> {
        let path = self.config.as_deref().unwrap_or(Path::new(CONFIG));
        match std::fs::read_to_string(path) {
            Ok(text) => Ok(Some((path, text))),
            Err(error) if self.config.is_none() && error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(wrong("config", &format!("{}: {error}", path.display()))),
        }
    }

    /// What the flags say of the keys.
    fn given(&self) -> Vec<Given> {
        let flag = |by: &str, path: &[&'static str], value: Option<&str>| {
            value.map(|value| Given {
                by: by.to_owned(),
                path: path.to_vec(),
                value: Value::String(value.to_owned()),
            })
        };
        let accelerator = self.accelerator.as_ref().and_then(ValueEnum::to_possible_value);
        let log_format = self.log_format.as_ref().and_then(ValueEnum::to_possible_value);
        let given = [
            flag("--state-dir", &["state_dir"], self.state_dir.as_deref()),
            flag("--socket", &["socket"], self.socket.as_deref()),
            flag("--libvirt-uri", &["libvirt_uri"], self.libvirt_uri.as_deref()),
            flag("--database", &["database"], self.database.as_deref()),
            flag(
                "--accelerator",
                &["accelerator"],
                accelerator.as_ref().map(PossibleValue::get_name),
            ),
            flag(
                "--log-format",
                &["log", "format"],
                log_format.as_ref().map(PossibleValue::get_name),
            ),
        ];
        given.into_iter().flatten().collect()
    }
}

/// What the daemon runs with.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) state_dir: PathBuf,
    pub(crate) socket: PathBuf,
    pub(crate) socket_group: Option<String>,
    pub(crate) libvirt_uri: String,
    pub(crate) database: Database,
    pub(crate) log_filter: String,
    pub(crate) log_format: LogFormat,
    pub(crate) qemu_user: Option<String>,
    pub(crate) image_user: Option<String>,
    pub(crate) low_space: u64,
    pub(crate) transit: Ipv4Net,
    pub(crate) outbound_nat: bool,
    pub(crate) call_deadline: Duration,
    pub(crate) auth: AuthSettings,
    pub(crate) tls: Option<Tls>,
    pub(crate) engine: berth_engine::Settings,
    /// All of it as it was written, with the defaults.
    pub(crate) table: Table,
}

/// The longest state directory in bytes: below it a guest's socket has to fit into 107 (unix(7), `sun_path`).
const STATE_DIR_MAX: usize = 40;

impl Config {
    /// Reads the file, the environment and the flags.
    pub(crate) fn load(flags: &Flags) -> Result<Self, Failure> {
        Self::read(flags, std::env::vars_os())
    }

    fn read(flags: &Flags, environment: impl Iterator<Item = (OsString, OsString)>) -> Result<Self, Failure> {
        let file = flags.file()?.map(|(path, text)| layers::of_file(path, &text));
        let environment = layers::of_environment(environment)?;
        let layers = vec![file.transpose()?.unwrap_or_default(), environment, flags.given()];
        Self::of(layers::put_together(layers)?)
    }

    /// Makes sure of all that a table says.
    pub(crate) fn of(table: Table) -> Result<Self, Failure> {
        let file = layers::parse(&table).map_err(|error| wrong("config", &error))?;
        check_state_dir(&file.state_dir)?;
        check_filter(&file.log.filter)?;
        let database = match &file.database {
            Some(text) => text.parse().map_err(|error| wrong("database", &error))?,
            None => Database::Sqlite(file.state_dir.join("berth.db")),
        };
        let engine = engine(&file)?;
        types::check_prices(&engine)?;
        pools::apart(engine.subnet, file.transit, &engine.pools)?;
        Ok(Self {
            state_dir: file.state_dir,
            socket: file.socket,
            auth: AuthSettings {
                operators_group: file.socket_group.clone(),
                operators: file.operators,
                local_users: file.local_users,
                oidc: file.oidc.map(OidcTable::open).transpose()?.map(Arc::new),
            },
            tls: file.tls,
            socket_group: file.socket_group,
            libvirt_uri: file.libvirt_uri,
            database,
            log_filter: file.log.filter,
            log_format: file.log.format,
            qemu_user: file.qemu_user,
            image_user: file.image_user,
            low_space: file.low_space_mib << 20,
            transit: file.transit,
            outbound_nat: file.outbound_nat,
            call_deadline: Duration::from_secs(file.call_deadline),
            engine,
            table,
        })
    }

    /// Makes sure of what it names of this host.
    pub(crate) fn check_host(&self) -> Result<(), Failure> {
        if let Some(name) = &self.socket_group {
            group("socket_group", name)?;
        }
        for (key, name) in [("qemu_user", &self.qemu_user), ("image_user", &self.image_user)] {
            if let Some(name) = name {
                let found = User::from_name(name).ok().flatten();
                found.ok_or_else(|| wrong(key, &format!("there is no user '{name}' on this host")))?;
            }
        }
        self.tls.as_ref().map(Tls::load).transpose().map(drop)
    }
}

/// The group of that name.
pub(crate) fn group(key: &str, name: &str) -> Result<Group, Failure> {
    let found = Group::from_name(name).ok().flatten();
    found.ok_or_else(|| wrong(key, &format!("there is no group '{name}' on this host")))
}

fn engine(file: &File) -> Result<berth_engine::Settings, Failure> {
    let defaults = berth_engine::Settings::default();
    berth_model::check_subnet(file.subnet).map_err(|error| wrong("subnet", &error))?;
    Ok(berth_engine::Settings {
        types: catalog(file.types.clone())?,
        accelerator: match file.accelerator {
            Accelerator::Auto => AccelChoice::Auto,
            Accelerator::Kvm => AccelChoice::Kvm,
            Accelerator::Tcg => AccelChoice::Tcg,
        },
        stop_grace: Duration::from_secs(file.stop_grace),
        reboot_grace: Duration::from_secs(file.reboot_grace),
        resize_confirm_window: file.resize_confirm_window.map(Duration::from_secs),
        libvirt_patience: Duration::from_secs(file.libvirt_patience),
        parallel_steps: file.parallel_steps.max(1),
        subnet: file.subnet,
        volume_types: volume_types(file.volume_types.clone(), defaults.volume_types)?,
        disk_overcommit: overcommit(file.disk_overcommit)?,
        catalog: images::catalog(file.catalog.as_deref())?,
        image_mirror: file.image_mirror.clone(),
        fetch: FetchPolicy {
            allow_private: file.fetch_private,
            size_max: file.image_size_max.bytes(),
            ..defaults.fetch
        },
        pools: pools::checked(file.public_ip_pools.clone())?,
        prices: file.prices.clone(),
        quotas: file.quotas.clone(),
        ..defaults
    })
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

fn check_filter(filter: &str) -> Result<(), Failure> {
    let parsed = tracing_subscriber::EnvFilter::try_new(filter);
    parsed
        .map(drop)
        .map_err(|error| wrong("log.filter", &format!("'{filter}': {error}")))
}

#[cfg(test)]
mod tests;
