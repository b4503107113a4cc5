//! The command line of Berth: noun, then verb.
//!
//! ```text
//!   cli (clap) ─▶ commands (one module a noun) ─▶ client ─▶ a daemon: its socket, or TLS
//!       └─▶ choice (which daemon, as whom) ◀─ contexts (stored)
//!                      ├─▶ wait      follows an operation, a line for each state
//!                      ├─▶ terminal  the console, ssh, raw streams
//!                      └─▶ output    table, JSON or YAML on stdout; errors on stderr
//! ```

mod choice;
mod cli;
mod commands;
mod contexts;
mod failure;
mod output;
mod secret;
mod terminal;
mod wait;

use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::Cli;
use crate::commands::Context;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let output = cli.output;
    match run(cli) {
        Ok(code) => code,
        Err(error) => failure::show(&error, output),
    }
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let code = runtime.block_on(async {
        let context = Context::new(&cli)?;
        commands::run(cli.noun, &context).await
    });
    // A read of stdin that nobody will answer must not keep the program alive.
    runtime.shutdown_background();
    code
}
