//! `berth audit …`

use berth_api_types::{AuditEntryView, AuditQuery};
use berth_model::User;
use clap::{Args, Subcommand};
use jiff::Timestamp;

use crate::cli::time;
use crate::commands::Context;
use crate::output::{self, lines, or_dash, table};

const EXAMPLES: &str = "\
Examples:
  berth audit list --denied
  berth audit list --user local:root --since 2026-11-01";

#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum AuditVerb {
    /// List what was asked, by whom, and what was decided, the newest first
    List(Listing),
}

#[derive(Debug, Args)]
pub(crate) struct Listing {
    /// Only what this user asked, e.g. local:root
    #[arg(long)]
    user: Option<User>,
    /// Only what was asked of this project
    #[arg(long = "of", value_name = "PROJECT")]
    project: Option<String>,
    /// Only what was refused
    #[arg(long)]
    denied: bool,
    /// Only what was asked since then, e.g. 2026-11-01 or 2026-11-26T08:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<Timestamp>,
    /// How many lines at most
    #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
    limit: u32,
}

pub(crate) async fn run(verb: AuditVerb, cx: &Context) -> anyhow::Result<()> {
    let AuditVerb::List(listing) = verb;
    let query = AuditQuery {
        user: listing.user,
        project: listing.project,
        decision: listing.denied.then(|| "denied".to_owned()),
        since: listing.since,
        limit: Some(listing.limit),
        after: None,
    };
    let entries = cx.client.audit(&query).await?;
    output::text(cx.format, &entries, |entries| {
        lines(&table(
            ["at", "decision", "user", "from", "project", "what", "on", "answer"],
            entries.iter().map(row),
        ))
    })
}

fn row(entry: &AuditEntryView) -> [String; 8] {
    let answer = match (entry.status, entry.code) {
        (Some(status), Some(code)) => format!("{status} {code}"),
        (Some(status), None) => status.to_string(),
        (None, _) => "-".to_owned(),
    };
    [
        entry.at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        entry.decision.clone(),
        or_dash(entry.user.as_ref().map(ToString::to_string).as_ref()),
        entry.from.clone(),
        or_dash(entry.project.as_ref()),
        entry.what.clone(),
        entry.on.clone(),
        answer,
    ]
}
