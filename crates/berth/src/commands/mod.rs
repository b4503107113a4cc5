//! One module a noun: what may be typed after it, and what is done.

pub(crate) mod audit;
mod begun;
pub(crate) mod context;
mod create;
pub(crate) mod event;
pub(crate) mod host;
pub(crate) mod image;
pub(crate) mod init;
pub(crate) mod instance;
pub(crate) mod keypair;
mod label;
pub(crate) mod member;
mod network;
mod nics;
pub(crate) mod operation;
pub(crate) mod port;
pub(crate) mod project;
pub(crate) mod public_ip;
pub(crate) mod quota;
mod resize;
mod rule;
pub(crate) mod security_group;
pub(crate) mod snapshot;
mod ssh;
mod states;
pub(crate) mod subnet;
pub(crate) mod token;
pub(crate) mod top;
pub(crate) mod types;
pub(crate) mod usage;
pub(crate) mod volume;
pub(crate) mod vpc;
mod why;

use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use berth_client::Client;

use crate::choice;
use crate::cli::{self, Cli, Daemon, Format, Noun};
use crate::commands::instance::InstanceVerb;
use crate::complete;
use crate::dry_run;
use crate::failure::Failure;
use crate::output;

/// What every command is given.
pub(crate) struct Context {
    pub(crate) client: Client,
    /// What tells another process of this program to go to the same daemon.
    pub(crate) arguments: Vec<String>,
    /// What was typed of the daemon.
    pub(crate) daemon: Daemon,
    /// The project that requests name, if they name one.
    named: Option<String>,
    pub(crate) format: Format,
    /// Whether what would change something is only tried.
    pub(crate) dry_run: bool,
    /// Whether anything was tried.
    pub(crate) tried: AtomicBool,
}

impl Context {
    pub(crate) fn new(cli: &Cli) -> anyhow::Result<Self> {
        let choice = choice::choose(cli)?;
        // What sets a host up is more than requests: it tells by itself what it would do.
        let dry_run = cli.dry_run && !matches!(cli.noun, Noun::Init(_));
        Ok(Self {
            named: choice.target.project.clone(),
            client: Client::to(choice.target)?.dry_run(dry_run),
            arguments: choice.arguments,
            daemon: cli.daemon.clone(),
            format: cli.output,
            dry_run,
            tried: AtomicBool::new(false),
        })
    }
}

impl Context {
    /// The project of that name; without one, that which requests are about.
    async fn project(&self, named: Option<String>) -> anyhow::Result<String> {
        if let Some(project) = named.or_else(|| self.named.clone()) {
            return Ok(project);
        }
        let mine = self.client.whoami().await?.project;
        mine.ok_or_else(|| Failure::invalid("say which project: you are in several, or in none").into())
    }
}

/// Does what was typed.
pub(crate) async fn run(noun: Noun, cx: &Context) -> anyhow::Result<ExitCode> {
    if cx.format == Format::Csv && !matches!(noun, Noun::Usage(_)) {
        return Err(Failure::invalid("csv is what 'berth usage' is printed as: use json or yaml here").into());
    }
    if cx.format == Format::Name && !has_names(&noun) {
        return Err(output::no_name().into());
    }
    if cx.dry_run && !may_change(&noun) {
        return Err(dry_run::nothing().into());
    }
    match noun {
        Noun::Instance(verb) => return instance::run(verb, cx).await,
        Noun::Usage(args) => return usage::run(args, cx).await,
        Noun::Volume(verb) => volume::run(verb, cx).await?,
        Noun::Snapshot(verb) => snapshot::run(verb, cx).await?,
        Noun::Image(verb) => image::run(verb, cx).await?,
        Noun::Type(verb) => types::run(verb, cx).await?,
        Noun::Keypair(verb) => keypair::run(verb, cx).await?,
        Noun::Vpc(verb) => vpc::run(verb, cx).await?,
        Noun::Subnet(verb) => subnet::run(verb, cx).await?,
        Noun::SecurityGroup(verb) => security_group::run(verb, cx).await?,
        Noun::Port(verb) => port::run(verb, cx).await?,
        Noun::PublicIp(verb) => public_ip::run(verb, cx).await?,
        Noun::Project(verb) => project::run(verb, cx).await?,
        Noun::Member(verb) => member::run(verb, cx).await?,
        Noun::Token(verb) => token::run(verb, cx).await?,
        Noun::Audit(verb) => audit::run(verb, cx).await?,
        Noun::Whoami => token::whoami(cx).await?,
        Noun::Quota(verb) => quota::run(verb, cx).await?,
        Noun::Operation(verb) => operation::run(verb, cx).await?,
        Noun::Event(verb) => event::run(verb, cx).await?,
        Noun::Host(verb) => host::run(verb, cx).await?,
        Noun::Context(verb) => context::run(verb, cx)?,
        Noun::Top(top) => top::run(top, cx).await?,
        Noun::Init(init) => init::run(*init, cx).await?,
        Noun::Completions { shell } => {
            output::raw(&complete::registration(shell)?)?;
        }
        Noun::Man { dir } => {
            std::fs::create_dir_all(&dir)?;
            clap_mangen::generate_to(cli::command(), dir)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether a daemon may be asked to change something, as far as the noun tells: what is done here, or goes on for as long as
/// somebody looks, isn't begun to be tried.
fn may_change(noun: &Noun) -> bool {
    !matches!(
        noun,
        Noun::Context(_)
            | Noun::Completions { .. }
            | Noun::Man { .. }
            | Noun::Event(_)
            | Noun::Top(_)
            | Noun::Instance(InstanceVerb::Console { .. } | InstanceVerb::Ssh(_))
    )
}

/// Whether what is printed has names, as far as the noun tells: what has none is refused before anything is done.
fn has_names(noun: &Noun) -> bool {
    !matches!(
        noun,
        Noun::Audit(_) | Noun::Quota(_) | Noun::Event(_) | Noun::Usage(_) | Noun::Top(_)
    )
}
