//! `berth operation …`

use berth_api_types::{OperationView, Outcome};
use clap::Subcommand;

use crate::cli::Waiting;
use crate::commands::Context;
use crate::output::{self, ago, fields, or_dash, table};
use crate::wait::{Follower, succeeded};

#[derive(Debug, Subcommand)]
pub(crate) enum OperationVerb {
    /// List operations, oldest first
    List {
        /// Only those of this instance
        #[arg(long, value_name = "INSTANCE")]
        instance: Option<String>,
        /// Only those of this volume
        #[arg(long, value_name = "VOLUME", conflicts_with = "instance")]
        volume: Option<String>,
    },
    /// Show an operation
    Show {
        /// Its id
        id: String,
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

pub(crate) async fn run(verb: OperationVerb, cx: &Context) -> anyhow::Result<()> {
    match verb {
        OperationVerb::List { instance, volume } => {
            let operations = cx.client.operations(instance.as_deref(), volume.as_deref()).await?;
            output::print(cx.format, &operations, |operations| {
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
            })?;
        }
        OperationVerb::Show { id } => show(&cx.client.operation(&id).await?, cx)?,
        OperationVerb::Wait { ids } => {
            let follower = Follower::begin(&cx.client).await?;
            let mut operations = Vec::new();
            for id in &ids {
                operations.push(cx.client.operation(id).await?);
            }
            // Those that have ended already say so themselves.
            let (ended, live): (Vec<_>, Vec<_>) = operations.into_iter().partition(|one| one.outcome.is_final());
            follower.finish(&live).await?;
            ended.iter().try_for_each(succeeded)?;
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
            show(&operation, cx)?;
        }
    }
    Ok(())
}

fn show(operation: &OperationView, cx: &Context) -> anyhow::Result<()> {
    output::print(cx.format, operation, |operation| {
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
    })?;
    Ok(())
}

fn outcome(operation: &OperationView) -> String {
    format!("{:?}", operation.outcome).to_lowercase()
}
