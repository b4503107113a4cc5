//! `berth init`: sets a host up.
//!
//! ```text
//!   checks ─▶ questions (or flags) ─▶ config: the file as it would be ─▶ berthd --check ─▶ rename
//!                                                       └─ --dry-run shows it     └─▶ start, first key pair, first image
//! ```
//!
//! Nothing is changed before all is known to be right, and whatever is as it should be already is left alone: run
//! again with the same answers it does nothing.

mod after;
mod checks;
mod config;
mod questions;

use std::net::SocketAddr;
use std::path::PathBuf;

use berth_model::{Code, Name, User};
use clap::Args;
use ipnet::Ipv4Net;

use crate::cli::{Format, name};
use crate::commands::Context;
use crate::commands::network::cidr;
use crate::failure::Failure;
use crate::{output, several};
use checks::Verdict;

const EXAMPLES: &str = "\
On a terminal it asks for what no flag says; --yes takes the defaults. The daemon's other settings are in berthd.toml(5).

Examples:
  berth init --yes --dry-run
  berth init --yes --keypair laptop
  berth init --yes --public-ip-range 203.0.113.16/28 --public-ip-interface eth0";

/// Set this host up: check it, write the daemon's configuration, start it, make what is needed first
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Init {
    /// Ask nothing: what no flag says stays as it is, or as the daemon has it by default
    #[arg(short, long)]
    yes: bool,
    /// Show what would be written and done, and change nothing
    #[arg(long = "dry-run", id = "only-tried")]
    dry_run: bool,
    /// The daemon's configuration
    #[arg(long, value_name = "FILE", default_value = "/etc/berth/berthd.toml")]
    config: PathBuf,
    /// Where instances, volumes, images and the database are kept [default: /var/lib/berth]
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// The addresses of instances that are in no other subnet [default: 10.0.0.0/20]
    #[arg(long = "subnet", id = "first-subnet", value_name = "CIDR", value_parser = cidr)]
    subnet: Option<Ipv4Net>,
    /// Public addresses to give to instances: a network, a range or an address; may be given several times
    #[arg(long = "public-ip-range", value_name = "RANGE")]
    ranges: Vec<String>,
    /// Where neighbours ask for these addresses; without it a router sends them to this host
    #[arg(long = "public-ip-interface", value_name = "INTERFACE", requires = "ranges")]
    interface: Option<String>,
    /// What the pool of these addresses is called
    #[arg(
        long = "public-ip-pool",
        id = "new-pool",
        value_name = "NAME",
        default_value = "public"
    )]
    pool: String,
    /// Serve over TLS there too, besides the socket; may be given several times
    #[arg(long, value_name = "ADDRESS:PORT", requires_all = ["certificate", "tls-key"])]
    listen: Vec<SocketAddr>,
    /// The daemon's certificate, as a file in PEM
    #[arg(long, value_name = "FILE", requires = "listen")]
    certificate: Option<PathBuf>,
    /// Its private key, as a file in PEM
    #[arg(long, id = "tls-key", value_name = "FILE", requires = "listen")]
    tls_key: Option<PathBuf>,
    /// A user who may do everything, such as cert:ops or oidc:alice@example.com, besides root and the socket's group
    #[arg(long = "admin", value_name = "USER")]
    admins: Vec<User>,
    /// Make a first key pair of this name
    #[arg(long = "keypair", id = "new-keypair", value_name = "NAME", value_parser = name)]
    keypair: Option<Name>,
    /// Where its private half is written [default: ~/.ssh/NAME]
    #[arg(long, value_name = "FILE", requires = "new-keypair")]
    keypair_out: Option<PathBuf>,
    /// Have a first image: a file to import, or a name of 'berth image catalog'
    #[arg(long = "image", id = "first-image", value_name = "FILE|NAME")]
    image: Option<String>,
    /// Neither start nor restart the daemon
    #[arg(long)]
    no_start: bool,
}

pub(crate) async fn run(mut init: Init, cx: &Context) -> anyhow::Result<()> {
    if cx.format != Format::Table {
        return Err(Failure::invalid("berth init speaks with people: leave -o away").into());
    }
    let asks = !init.yes && !init.dry_run;
    if asks && !output::may_ask() {
        return Err(init.unasked().into());
    }
    let verdict = checks::run(&init)?;
    if verdict == Verdict::Unfit && !init.dry_run {
        let failure = Failure::new(
            Code::InvalidArgument,
            "this host lacks what Berth needs; nothing was changed",
        );
        return Err(failure.hint("put right what is marked above, then run it again").into());
    }
    if asks {
        questions::ask(&mut init)?;
    }
    let plan = config::Plan::of(&init, cx.daemon.socket.as_deref())?;
    output::line(&plan.told())?;
    if init.dry_run {
        return Ok(());
    }
    if plan.changes() {
        if asks && !several::yes(&format!("write {}?", init.config.display()))? {
            return Err(Failure::new(Code::OperationCancelled, "it wasn't confirmed, and nothing was done").into());
        }
        plan.write()?;
    }
    after::run(&init, plan.changes(), cx).await
}

impl Init {
    /// What is said if nobody can be asked.
    fn unasked(&self) -> Failure {
        let flags = [
            ("--state-dir", self.state_dir.is_none()),
            ("--subnet", self.subnet.is_none()),
            ("--public-ip-range", self.ranges.is_empty()),
            ("--listen", self.listen.is_empty()),
            ("--admin", self.admins.is_empty()),
            ("--keypair", self.keypair.is_none()),
            ("--image", self.image.is_none()),
        ];
        let missing: Vec<_> = flags
            .iter()
            .filter(|(_, missing)| *missing)
            .map(|(flag, _)| *flag)
            .collect();
        let message = "berth init asks questions, and there is no terminal to ask on: give --yes";
        Failure::invalid(message).hint(format!(
            "and by flags what isn't to be as by default: {}",
            missing.join(", ")
        ))
    }
}
