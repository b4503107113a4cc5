//! `berth instance create`

use std::io::Read as _;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use berth_api_types::{CreateInstances, PublicIpOfInstance, VolumeOfInstance};
use berth_model::{Gib, OnBoot, OnCrash};
use clap::{Args, ValueEnum};

use crate::cli::Waiting;
use crate::commands::Context;
use crate::commands::begun::begin;
use crate::commands::instance::finish;
use crate::commands::label::NewLabels;
use crate::commands::network::public_address;
use crate::commands::nics::Nics;
use crate::failure::Failure;
use crate::several::Failures;

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Its name; with --count, NAME-1 to NAME-N
    name: String,
    /// What it is made from
    #[arg(long)]
    image: String,
    /// What it is: see 'berth type list'
    #[arg(long = "type", value_name = "TYPE")]
    instance_type: String,
    /// How many
    #[arg(long, value_name = "N")]
    count: Option<u32>,
    /// The key pair that may log in
    #[arg(long)]
    key: Option<String>,
    /// A file for cloud-init, at most 16 KiB; - for stdin
    #[arg(long, value_name = "FILE")]
    user_data: Option<PathBuf>,
    /// What becomes of it when its guest crashes: it stays in Error, or is rebooted [default: stay]
    #[arg(long, value_enum, value_name = "POLICY")]
    on_crash: Option<Crash>,
    /// What becomes of it when the host is rebooted while it is Active: it is started again, or stays off
    /// [default: start]
    #[arg(long, value_enum, value_name = "POLICY")]
    on_boot: Option<Boot>,
    /// The size of its root volume in GB [default: as the type and the image have it]
    #[arg(long, value_name = "GB", value_parser = gib)]
    root_size: Option<Gib>,
    /// Keep its root volume when it is deleted
    #[arg(long)]
    keep_root: bool,
    /// A volume it has besides its root, up to ten times: the size of a new one in GB, or the name or id of one that is
    /// there; with ',delete' behind it, it is deleted with the instance
    #[arg(long = "volume", value_name = "GB|VOLUME[,delete]", value_parser = volume)]
    volumes: Vec<VolumeOfInstance>,
    #[command(flatten)]
    nics: Nics,
    /// A security group that its new NICs are in, up to 16 times [default: the VPC's 'default']
    #[arg(long = "security-group", value_name = "GROUP")]
    security_groups: Vec<String>,
    /// Give its first NIC a public IP: a static one of the project by its address, or an ephemeral one without
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, value_parser = public_address)]
    #[allow(clippy::option_option, reason = "not given, given, given with a value")]
    public_ip: Option<Option<Ipv4Addr>>,
    /// Take the ephemeral public IP from this pool: see 'berth public-ip pools' [default: any with a free one]
    #[arg(long, value_name = "POOL", requires = "public_ip")]
    public_ip_pool: Option<String>,
    #[command(flatten)]
    labels: NewLabels,
    #[command(flatten)]
    waiting: Waiting,
}

/// A size in GB.
pub(super) fn gib(text: &str) -> Result<Gib, String> {
    let wrong = |_| format!("'{text}' is not a whole number of GB");
    text.parse().map(Gib).map_err(wrong)
}

/// A volume as it is typed: `10`, `data`, `10,delete`.
fn volume(text: &str) -> Result<VolumeOfInstance, String> {
    let (what, delete) = match text.split_once(',') {
        Some((what, "delete")) => (what, true),
        Some((_, other)) => return Err(format!("'{other}' is not 'delete'")),
        None => (text, false),
    };
    let size = what.parse().ok().map(Gib);
    Ok(VolumeOfInstance {
        volume: size.is_none().then(|| what.to_owned()),
        size,
        delete_on_termination: delete,
    })
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Crash {
    Stay,
    Reboot,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Boot {
    Start,
    Stay,
}

pub(super) async fn run(new: Create, cx: &Context) -> anyhow::Result<()> {
    let user_data = match &new.user_data {
        Some(path) => Some(STANDARD.encode(read(path)?)),
        None => None,
    };
    let request = CreateInstances {
        name: new.name,
        image: new.image,
        instance_type: new.instance_type,
        count: new.count,
        key: new.key,
        user_data,
        on_crash: new.on_crash.map(|policy| match policy {
            Crash::Stay => OnCrash::Stay,
            Crash::Reboot => OnCrash::Reboot,
        }),
        on_boot: new.on_boot.map(|policy| match policy {
            Boot::Start => OnBoot::Start,
            Boot::Stay => OnBoot::Stay,
        }),
        root_size: new.root_size,
        keep_root: new.keep_root,
        volumes: new.volumes,
        nics: new.nics.0,
        security_groups: new.security_groups,
        public_ip: new.public_ip.map(|address| PublicIpOfInstance {
            address,
            pool: new.public_ip_pool,
        }),
        labels: new.labels.given()?,
    };
    let follower = begin(new.waiting, cx).await?;
    let operations = cx.client.create_instances(&request).await?.operations;
    finish(follower, &operations, Failures::new(cx, operations.len()), cx).await
}

/// The most bytes of a file of user data that are sent: the daemon says what it takes, and this is far beyond it.
const READ_MAX: u64 = 2 << 20;

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let wrong = |error: std::io::Error| Failure::invalid(format!("--user-data {}: {error}", path.display()));
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        std::io::stdin().take(READ_MAX).read_to_end(&mut bytes).map_err(wrong)?;
    } else {
        std::fs::File::open(path)
            .map_err(wrong)?
            .take(READ_MAX)
            .read_to_end(&mut bytes)
            .map_err(wrong)?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Noun};
    use crate::commands::instance::InstanceVerb;

    /// What is typed for an instance `web`, or what is said of it.
    fn typed(line: &str) -> Result<Create, String> {
        let words = "berth instance create web --image tiny --type t1.nano".split(' ');
        let cli = Cli::try_parse_from(words.chain(line.split_whitespace())).map_err(|error| error.to_string())?;
        match cli.noun {
            Noun::Instance(InstanceVerb::Create(new)) => Ok(new),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn a_public_ip_is_a_static_one_or_any() {
        assert_eq!(typed("").unwrap().public_ip, None);
        assert_eq!(typed("--public-ip").unwrap().public_ip, Some(None));
        let address = Some(Some(Ipv4Addr::new(203, 0, 113, 7)));
        assert_eq!(typed("--public-ip 203.0.113.7").unwrap().public_ip, address);
        assert_eq!(typed("--public-ip=203.0.113.7 --no-wait").unwrap().public_ip, address);
        let said = typed("--public-ip ten").unwrap_err();
        assert!(
            said.contains("'ten' is not an IPv4 address such as 203.0.113.7"),
            "{said}"
        );
        assert!(typed("--public-ip-pool lab").is_err());
    }

    #[test]
    fn several_nics_and_groups_may_be_typed() {
        let new = typed("--subnet lab/a:10.1.0.7 --port vip --security-group web --security-group db").unwrap();
        assert_eq!(new.nics.0.len(), 2);
        assert_eq!(new.security_groups, ["web", "db"]);
    }
}
