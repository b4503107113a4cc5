//! `berth snapshot …`

use berth_api_types::{CreateSnapshot, SnapshotInstance, SnapshotView};
use berth_model::Name;
use clap::{Args, Subcommand};

use crate::cli::{Waiting, name};
use crate::commands::Context;
use crate::commands::instance::done;
use crate::output::{self, ago, fields, table};

#[derive(Debug, Subcommand)]
pub(crate) enum SnapshotVerb {
    /// Take a snapshot of a volume, or of all volumes of an instance at one instant
    Create(Create),
    /// List snapshots, oldest first
    List {
        /// Only those of this volume
        #[arg(long)]
        volume: Option<String>,
    },
    /// Show a snapshot
    Show {
        /// Its name or id
        snapshot: String,
    },
    /// Delete snapshots; what was made from them stays
    Delete {
        /// Their names or ids
        #[arg(required = true)]
        snapshots: Vec<String>,
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
    waiting: Waiting,
}

pub(crate) async fn run(verb: SnapshotVerb, cx: &Context) -> anyhow::Result<()> {
    match verb {
        SnapshotVerb::Create(new) => create(new, cx).await,
        SnapshotVerb::List { volume } => {
            let snapshots = cx.client.snapshots(volume.as_deref()).await?;
            output::print(cx.format, &snapshots, |snapshots| {
                let row = |one: &SnapshotView| {
                    [
                        one.name.to_string(),
                        one.volume_name.to_string(),
                        format!("{} GB", one.size.0),
                        if one.ready {
                            one.consistency.as_str()
                        } else {
                            "being taken"
                        }
                        .to_owned(),
                        ago(one.created_at),
                    ]
                };
                table(
                    ["name", "volume", "size", "consistency", "taken"],
                    snapshots.iter().map(row),
                )
            })?;
            Ok(())
        }
        SnapshotVerb::Show { snapshot } => show(&cx.client.snapshot(&snapshot).await?, cx),
        SnapshotVerb::Delete { snapshots } => {
            for snapshot in snapshots {
                cx.client.delete_snapshot(&snapshot).await?;
            }
            Ok(())
        }
    }
}

async fn create(new: Create, cx: &Context) -> anyhow::Result<()> {
    let name = &new.name;
    let ask = async {
        match (new.volume, &new.instance) {
            (_, Some(instance)) => {
                let request = SnapshotInstance { name: name.clone() };
                cx.client.snapshot_instance(instance, &request).await
            }
            (volume, None) => {
                let request = CreateSnapshot {
                    name: name.clone(),
                    volume: volume.unwrap_or_default(),
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
    output::print(cx.format, snapshot, |snapshot| {
        fields([
            ("id", snapshot.id.to_string()),
            ("name", snapshot.name.to_string()),
            ("volume", format!("{} ({})", snapshot.volume_name, snapshot.volume)),
            ("size", format!("{} GB", snapshot.size.0)),
            ("ready", if snapshot.ready { "yes" } else { "no" }.to_owned()),
            ("consistency", snapshot.consistency.clone()),
            ("taken", snapshot.created_at.to_string()),
        ])
    })?;
    Ok(())
}
