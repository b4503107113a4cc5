//! The command line of Berth: noun, then verb.
//!
//! ```text
//!   cli (clap) ─▶ commands (one module a noun) ─▶ client ─▶ a daemon: its socket, or TLS
//!       └─▶ choice (which daemon, as whom) ◀─ contexts (stored)
//!                      ├─▶ several   the same for many: asks first, goes on after a failure
//!                      ├─▶ wait      follows operations, a line for each
//!                      ├─▶ watch     shows a list again when an event says that it changed
//!                      ├─▶ console   a guest's serial line
//!                      └─▶ output    table, names, JSON or YAML on stdout; errors on stderr, with hints
//!
//!   TAB in a shell ─▶ complete ─▶ live (the names there are) ─▶ client
//! ```

mod choice;
mod cli;
mod commands;
mod complete;
mod console;
mod contexts;
mod dry_run;
mod failure;
mod hints;
mod live;
mod output;
#[cfg(test)]
mod pages;
mod secret;
mod several;
mod wait;
mod watch;

use std::process::ExitCode;

use clap::FromArgMatches as _;

use crate::cli::Cli;
use crate::commands::Context;

fn main() -> ExitCode {
    complete::answer_shell();
    let typed = Cli::from_arg_matches(&cli::command().get_matches());
    let cli = typed.unwrap_or_else(|error| error.format(&mut cli::command()).exit());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            output::error(&format!("error: no threads: {error}"));
            return ExitCode::from(berth_model::Code::Internal.exit());
        }
    };
    let code = runtime.block_on(run(cli));
    // A read of stdin that nobody will answer must not keep the program alive.
    runtime.shutdown_background();
    code
}

async fn run(cli: Cli) -> ExitCode {
    let format = cli.output;
    let context = match Context::new(&cli) {
        Ok(context) => context,
        Err(error) => return failure::show(&error, format, None).await,
    };
    let done = commands::run(cli.noun, &context).await;
    match dry_run::ended(done, &context) {
        Ok(code) => code,
        Err(error) => failure::show(&error, format, Some(&context)).await,
    }
}
