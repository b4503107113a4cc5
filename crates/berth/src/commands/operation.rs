//! `berth operation …`

use berth_api_types::{OperationQuery, OperationView, Outcome};
use berth_model::Work;
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use comfy_table::Table;

use crate::cli::Waiting;
use crate::commands::Context;
use crate::output::{self, ago, fields, lines, or_dash, table};
use crate::several::Failures;
use crate::wait::{Follower, succeeded};
use crate::watch::Watching;

const EXAMPLES: &str = "\
Examples:
  berth operation list
  berth operation list --instance web";

#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum OperationVerb {
    /// List operations, oldest first
    List {
        #[command(flatten)]
        which: Wanted,
        #[command(flatten)]
        watching: Watching,
    },
    /// Show an operation
    Show {
        /// Its id
        id: String,
        #[command(flatten)]
        watching: Watching,
    },
    /// Wait until operations have ended
    Wait {
        /// Their ids
        #[arg(required = true)]
        ids: Vec<String>,
    },
    /// Cancel an operation in flight: what it did is undone
    Cancel {
        /// Its id
        id: String,
        #[command(flatten)]
        waiting: Waiting,
    },
}

/// Which operations are listed.
#[derive(Debug, Args)]
pub(crate) struct Wanted {
    /// Only those of this instance
    #[arg(long, value_name = "INSTANCE")]
    instance: Option<String>,
    /// Only those of this volume
    #[arg(long, value_name = "VOLUME", conflicts_with = "instance")]
    volume: Option<String>,
    /// Only those of the instance, volume or image of this id, also when that is gone
    #[arg(long, value_name = "ID", conflicts_with_all = ["instance", "volume"])]
    resource: Option<String>,
    /// Only those that do this
    #[arg(long, value_parser = PossibleValuesParser::new(Work::actions()))]
    action: Option<String>,
    /// Only those that stand so
    #[arg(long, value_parser = ["running", "undoing", "succeeded", "failed", "cancelled"])]
    outcome: Option<String>,
    /// The order [default: created_at]
    #[arg(long, value_name = "KEY", allow_hyphen_values = true, value_parser = ["created_at", "-created_at"])]
    sort: Option<String>,
}

impl From<Wanted> for OperationQuery {
    fn from(list: Wanted) -> Self {
        Self {
            instance: list.instance,
            volume: list.volume,
            resource: list.resource,
            action: list.action,
            outcome: list.outcome,
            sort: list.sort,
            ..Self::default()
        }
    }
}

pub(crate) async fn run(verb: OperationVerb, cx: &Context) -> anyhow::Result<()> {
    match verb {
        OperationVerb::List { which, watching } => {
            let query = which.into();
            let fetch = async || cx.client.operations(&query).await;
            watching.show(cx, KINDS, fetch, |all| lines(&list(all))).await?;
        }
        OperationVerb::Show { id, watching } => {
            let fetch = async || cx.client.operation(&id).await;
            watching.show(cx, KINDS, fetch, |one| lines(&shown(one))).await?;
        }
        OperationVerb::Wait { ids } => {
            let follower = Follower::begin(&cx.client).await?;
            let mut operations = Vec::new();
            for id in &ids {
                operations.push(cx.client.operation(id).await?);
            }
            // Those that have ended already say so themselves.
            let (ended, live): (Vec<_>, Vec<_>) = operations.into_iter().partition(|one| one.outcome.is_final());
            let mut failures = Failures::new(cx, ids.len());
            for operation in ended.into_iter().chain(follower.finish(&live).await?) {
                if let Err(failure) = succeeded(&operation) {
                    failures.add(failure.into()).await;
                }
            }
            failures.end()?;
        }
        OperationVerb::Cancel { id, waiting } => {
            let mut operation = cx.client.cancel_operation(&id).await?;
            if !waiting.no_wait {
                operation = cx.client.wait_operation(operation.id).await?;
            }
            // One that could not be undone is a failure, and says why.
            if operation.outcome == Outcome::Failed {
                succeeded(&operation)?;
            }
            output::print(cx.format, &operation, shown)?;
        }
    }
    Ok(())
}

/// What may begin, move or end an operation.
const KINDS: &[&str] = &["operation", "instance", "volume", "snapshot", "image"];

fn list(operations: &[OperationView]) -> Table {
    let row = |one: &OperationView| {
        [
            one.id.to_string(),
            one.action.clone(),
            format!("{} {}", one.kind, one.resource_name),
            outcome(one),
            ago(one.created_at),
        ]
    };
    table(["id", "action", "of", "outcome", "asked"], operations.iter().map(row))
}

fn shown(operation: &OperationView) -> Table {
    fields([
        ("id", operation.id.to_string()),
        ("action", operation.action.clone()),
        (
            "of",
            format!(
                "{} {} ({})",
                operation.kind, operation.resource_name, operation.resource
            ),
        ),
        ("outcome", outcome(operation)),
        ("state", or_dash(operation.state.as_ref())),
        ("error", or_dash(operation.error.as_ref().map(|fault| &fault.message))),
        ("asked", operation.created_at.to_string()),
        (
            "ended",
            or_dash(operation.finished_at.map(|at| at.to_string()).as_ref()),
        ),
    ])
}

fn outcome(operation: &OperationView) -> String {
    format!("{:?}", operation.outcome).to_lowercase()
}
