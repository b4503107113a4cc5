//! The daemon of Berth.
//!
//! ```text
//!   configuration (file, then flags) ─▶ locks ─▶ store, storage, network, hypervisor ─▶ Engine ─▶ API at its doors
//!   SIGTERM, SIGINT ─▶ the doors close, tasks end between two steps, guests run on
//! ```
//!
//! SIGHUP ─▶ certificates are read again
//! Nothing is decided here: this is where the parts are put together and the operator's wishes are read.

mod clean;
mod config;
mod doors;
mod failure;
mod images;
mod locks;
mod oidc;
mod parts;
mod pools;
mod serve;
mod tls;
mod types;

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::config::{Config, Flags, LogFormat};
use crate::failure::Failure;

/// How long steps under way may take to end when the daemon goes down; what is cut off is gone on with.
const GO_DOWN_WITHIN: Duration = Duration::from_secs(5);

/// The daemon of Berth: turns this host into a cloud VM service.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Every flag can stand in the configuration file too; a flag wins. See README.md."
)]
struct Cli {
    #[command(flatten)]
    flags: Flags,
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
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            tracing::error!(code = %failure.code, "{failure}");
            failure.print();
            ExitCode::from(failure.code.exit())
        }
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    let config = Config::load(cli.flags)?;
    log(config.log_format);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::internal(format!("starting the runtime: {error}")))?;
    let done = runtime.block_on(async {
        match cli.command {
            None => serve::serve(config).await,
            Some(Command::Clean { dry_run }) => clean::clean(config, dry_run).await,
        }
    });
    runtime.shutdown_timeout(GO_DOWN_WITHIN);
    done
}

/// Logs go to stderr, which systemd takes into its journal; `BERTH_LOG` filters as `RUST_LOG` does elsewhere.
fn log(format: LogFormat) {
    let filter = EnvFilter::try_from_env("BERTH_LOG").unwrap_or_else(|_| EnvFilter::new("info,sqlx=warn"));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Text => subscriber.init(),
        LogFormat::Json => subscriber.json().init(),
    }
}
