//! The daemon of Berth.
//!
//! ```text
//!   configuration (file, environment, flags) ─▶ locks ─▶ store, storage, network, hypervisor ─▶ Engine ─▶ API at its doors
//!   SIGHUP ─▶ the configuration and certificates are read again, and what may change is changed
//!   SIGTERM, SIGINT ─▶ the doors close, tasks end between two steps, guests run on
//! ```
//!
//! Nothing is decided here: this is where the parts are put together and the operator's wishes are read.

mod clean;
mod config;
mod doors;
mod failure;
mod images;
mod key;
mod keys;
mod layers;
mod locks;
mod log;
mod oidc;
mod parts;
mod pools;
pub mod reference;
mod reload;
mod serve;
mod tls;
mod types;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::config::{Config, Flags};
use crate::failure::Failure;

/// How long steps under way may take to end when the daemon goes down; what is cut off is gone on with.
const GO_DOWN_WITHIN: Duration = Duration::from_secs(5);

/// The daemon of Berth: turns this host into a cloud VM service.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "What is set where, the last one wins: /etc/berth/berthd.toml, the environment (BERTHD_…), flags. Every \
                  key: berthd.toml(5). SIGHUP has the configuration read again."
)]
struct Cli {
    #[command(flatten)]
    flags: Flags,
    /// Say whether the configuration is right, and do nothing else.
    #[arg(long)]
    check: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Remove everything that this installation has made: guests, networks, volumes, images, records.
    Clean {
        /// Say what would be removed, and remove nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Print completions for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Write man pages into a directory.
    #[command(hide = true)]
    Man {
        /// The directory.
        dir: PathBuf,
    },
}

/// The program: `berthd` and what stands behind it on the command line.
pub fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            tracing::error!(code = %failure.code, "{failure}");
            failure.print();
            ExitCode::from(failure.code.exit())
        }
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    match cli.command {
        Some(Command::Completions { shell }) => {
            clap_complete::generate(shell, &mut Cli::command(), "berthd", &mut std::io::stdout());
            Ok(())
        }
        Some(Command::Man { dir }) => reference::write_man(Cli::command(), &dir),
        None if cli.check => check(&cli.flags),
        None => {
            let handed = locks::handed_over()?;
            with_daemon(&cli.flags, async |config, filter| {
                serve::serve(config, &cli.flags, &filter, handed).await
            })
        }
        Some(Command::Clean { dry_run }) => {
            with_daemon(&cli.flags, async |config, _| clean::clean(config, dry_run).await)
        }
    }
}

/// Runs what needs the configuration, a log and a runtime.
fn with_daemon(
    flags: &Flags,
    work: impl AsyncFnOnce(Config, log::LogFilter) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let config = Config::load(flags)?;
    let filter = log::begin(&config.log_filter, config.log_format);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::internal(format!("starting the runtime: {error}")))?;
    let done = runtime.block_on(work(config, filter));
    runtime.shutdown_timeout(GO_DOWN_WITHIN);
    done
}

/// `--check`: reads all that a start would read, and touches nothing.
fn check(flags: &Flags) -> Result<(), Failure> {
    Config::load(flags)?.check_host()?;
    let what = match flags.file()? {
        Some((path, _)) => format!("{} is right", path.display()),
        None => "there is no configuration file, and nothing is wrong".to_owned(),
    };
    // Whoever closed stdout has the exit code.
    let _ = writeln!(std::io::stdout(), "{what}");
    Ok(())
}
