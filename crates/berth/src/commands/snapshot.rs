//! `berth snapshot …`

use berth_api_types::{ChangeLabels, CreateSnapshot, SnapshotInstance, SnapshotQuery, SnapshotView};
use berth_model::Name;
use clap::{Args, Subcommand};
use comfy_table::Table;

use crate::cli::{Waiting, name};
use crate::commands::Context;
use crate::commands::begun::done;
use crate::commands::label::{self, Listing, NewLabels, Relabel};
use crate::output::{self, ago, fields, lines, table};
use crate::several::{Holds, Sure, each};
use crate::watch::Watching;

const EXAMPLES: &str = "\
Examples:
  berth snapshot create monday --volume data
  berth snapshot create before-upgrade --instance web
  berth volume create restored --snapshot monday
  berth snapshot list
  berth snapshot delete monday --yes";

#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum SnapshotVerb {
    /// Take a snapshot of a volume, or of all volumes of an instance at one instant
    Create(Create),
    /// List snapshots, oldest first
    List {
        /// Only those of this volume
        #[arg(long)]
        volume: Option<String>,
        /// Only those that can be used
        #[arg(long)]
        ready: bool,
        #[command(flatten)]
        listing: Listing,
        #[command(flatten)]
        watching: Watching,
    },
    /// Show a snapshot
    Show {
        /// Its name or id
        snapshot: String,
        #[command(flatten)]
        watching: Watching,
    },
    /// Label a snapshot, or take labels from it
    Label(Relabel),
    /// Delete snapshots; what was made from them stays
    Delete {
        /// Their names or ids
        #[arg(required = true)]
        snapshots: Vec<String>,
        #[command(flatten)]
        sure: Sure,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Its name; with --instance that of the root volume's, and NAME-VOLUME for each other volume
    #[arg(value_parser = name)]
    name: Name,
    /// Of this volume
    #[arg(long, required_unless_present = "instance", conflicts_with = "instance")]
    volume: Option<String>,
    /// Of all volumes of this instance
    #[arg(long)]
    instance: Option<String>,
    #[command(flatten)]
    labels: NewLabels,
    #[command(flatten)]
    waiting: Waiting,
}

pub(crate) async fn run(verb: SnapshotVerb, cx: &Context) -> anyhow::Result<()> {
    match verb {
        SnapshotVerb::Create(new) => create(new, cx).await,
        SnapshotVerb::List {
            volume,
            ready,
            listing,
            watching,
        } => {
            let query = SnapshotQuery {
                volume,
                ready: ready.then_some(true),
                name: listing.name,
                sort: listing.sort,
                label: listing.by.label,
                ..SnapshotQuery::default()
            };
            let fetch = async || cx.client.snapshots(&query).await;
            watching
                .show(cx, KINDS, fetch, |snapshots| lines(&list(snapshots)))
                .await
        }
        SnapshotVerb::Show { snapshot, watching } => {
            let fetch = async || cx.client.snapshot(&snapshot).await;
            watching
                .show(cx, KINDS, fetch, |snapshot| lines(&shown(snapshot)))
                .await
        }
        SnapshotVerb::Label(change) => {
            let labels = change.patch();
            show(
                &cx.client.change_snapshot(&change.of, &ChangeLabels { labels }).await?,
                cx,
            )
        }
        SnapshotVerb::Delete { snapshots, sure } => {
            sure.ask(cx, "delete", ("snapshot", "snapshots"), &snapshots, Holds::Data)?;
            each(&snapshots, cx, async |snapshot| {
                cx.client.delete_snapshot(snapshot).await
            })
            .await
        }
    }
}

/// What changes what is shown of a snapshot.
const KINDS: &[&str] = &["snapshot", "volume"];

fn list(snapshots: &[SnapshotView]) -> Table {
    let row = |one: &SnapshotView| {
        let consistency = if one.ready { &one.consistency } else { "being taken" };
        [
            one.name.to_string(),
            one.volume_name.to_string(),
            format!("{} GB", one.size.0),
            consistency.to_owned(),
            ago(one.created_at),
        ]
    };
    table(
        ["name", "volume", "size", "consistency", "taken"],
        snapshots.iter().map(row),
    )
}

async fn create(new: Create, cx: &Context) -> anyhow::Result<()> {
    let name = &new.name;
    let labels = new.labels.given()?;
    let ask = async {
        match (new.volume, &new.instance) {
            (_, Some(instance)) => {
                let name = name.clone();
                let request = SnapshotInstance { name, labels };
                cx.client.snapshot_instance(instance, &request).await
            }
            (volume, None) => {
                let request = CreateSnapshot {
                    name: name.clone(),
                    volume: volume.unwrap_or_default(),
                    labels,
                };
                cx.client.create_snapshot(&request).await
            }
        }
    };
    match done(new.waiting, cx, ask).await? {
        Some(_) => show(&cx.client.snapshot(name.as_str()).await?, cx),
        None => Ok(()),
    }
}

fn show(snapshot: &SnapshotView, cx: &Context) -> anyhow::Result<()> {
    output::print(cx.format, snapshot, shown)
}

fn shown(snapshot: &SnapshotView) -> Table {
    fields([
        ("id", snapshot.id.to_string()),
        ("name", snapshot.name.to_string()),
        ("volume", format!("{} ({})", snapshot.volume_name, snapshot.volume)),
        ("size", format!("{} GB", snapshot.size.0)),
        ("ready", if snapshot.ready { "yes" } else { "no" }.to_owned()),
        ("consistency", snapshot.consistency.clone()),
        ("labels", label::shown(&snapshot.labels)),
        ("taken", snapshot.created_at.to_string()),
    ])
}
