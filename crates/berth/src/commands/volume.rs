//! `berth volume …`

use berth_api_types::{
    AttachVolume, ChangeVolume, CreateVolume, DetachVolume, ExtendVolume, OperationView, VolumeQuery, VolumeView,
};
use berth_client::ClientError;
use berth_model::{Gib, Name, VolumeState};
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use comfy_table::Table;

use crate::cli::{Waiting, name};
use crate::commands::Context;
use crate::commands::begun::{all, done};
use crate::commands::create::gib;
use crate::commands::label::{self, Listing, NewLabels, Relabel};
use crate::output::{self, ago, fields, lines, or_dash, table};
use crate::several::{Holds, Sure};
use crate::watch::Watching;

const EXAMPLES: &str = "\
Examples:
  berth volume create data --size 20
  berth volume create copy --volume data
  berth volume create system --image tiny
  berth volume attach data web
  berth volume detach data
  berth volume extend data 40
  berth volume list -o name
  berth volume rename data archive
  berth volume delete data --yes";

#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum VolumeVerb {
    /// Make a volume: blank, or from an image, a snapshot or another volume
    Create(Create),
    /// List volumes, oldest first
    List {
        #[command(flatten)]
        which: Wanted,
        #[command(flatten)]
        watching: Watching,
    },
    /// Show a volume
    Show {
        /// Its name or id
        volume: String,
        #[command(flatten)]
        watching: Watching,
    },
    /// Label a volume, or take labels from it
    Label(Relabel),
    /// Attach a volume to an instance; its guest sees it as /dev/disk/by-id/virtio-…, see 'berth volume show'
    Attach {
        /// The volume's name or id
        volume: String,
        /// The instance's name or id
        instance: String,
        /// Delete it when the instance is deleted
        #[arg(long)]
        delete_on_termination: bool,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Detach a volume from its instance, once the guest lets go of it
    Detach {
        /// Its name or id
        volume: String,
        /// How long the guest may take, in seconds; if it doesn't let go the volume stays [default: 60]
        #[arg(long, value_name = "SECONDS")]
        timeout: Option<u32>,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Make a volume larger, also while a guest has it; never smaller
    Extend {
        /// Its name or id
        volume: String,
        /// Its new size in GB
        #[arg(value_name = "GB", value_parser = gib)]
        size: Gib,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Give a volume another name
    Rename {
        /// Its name or id
        volume: String,
        /// Its new name
        #[arg(value_parser = name)]
        to: Name,
    },
    /// Say whether a volume is deleted when its instance is
    Keep {
        /// Its name or id
        volume: String,
        /// Delete it with the instance after all
        #[arg(long)]
        delete_on_termination: bool,
    },
    /// Delete volumes that are attached to nothing and have no snapshots
    Delete {
        /// Their names or ids
        #[arg(required = true)]
        volumes: Vec<String>,
        #[command(flatten)]
        sure: Sure,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// List the types a volume may have
    Types,
}

/// Which volumes are listed.
#[derive(Debug, Args)]
pub(crate) struct Wanted {
    /// Only those in this state
    #[arg(long, value_parser = PossibleValuesParser::new(VolumeState::ALL.iter().map(|state| state.as_str())))]
    state: Option<String>,
    /// Only those attached to this instance
    #[arg(long)]
    instance: Option<String>,
    /// Only those of this type
    #[arg(long = "type", value_name = "TYPE")]
    volume_type: Option<String>,
    #[command(flatten)]
    listing: Listing,
}

impl From<Wanted> for VolumeQuery {
    fn from(list: Wanted) -> Self {
        Self {
            state: list.state,
            instance: list.instance,
            r#type: list.volume_type,
            name: list.listing.name,
            sort: list.listing.sort,
            label: list.listing.by.label,
            ..Self::default()
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Its name
    name: String,
    /// Its size in GB [default: that of what it is made from]
    #[arg(long, value_name = "GB", value_parser = gib)]
    size: Option<Gib>,
    /// Make it from this image
    #[arg(long, group = "from")]
    image: Option<String>,
    /// Make it from this snapshot
    #[arg(long, group = "from")]
    snapshot: Option<String>,
    /// Make it from this volume, as it is now
    #[arg(long, group = "from")]
    volume: Option<String>,
    /// Its type: see 'berth volume types'
    #[arg(long = "type", value_name = "TYPE")]
    volume_type: Option<String>,
    #[command(flatten)]
    labels: NewLabels,
    #[command(flatten)]
    waiting: Waiting,
}

pub(crate) async fn run(verb: VolumeVerb, cx: &Context) -> anyhow::Result<()> {
    let client = &cx.client;
    match verb {
        VolumeVerb::Create(new) => {
            let request = CreateVolume {
                name: new.name,
                size: new.size,
                image: new.image,
                snapshot: new.snapshot,
                volume: new.volume,
                volume_type: new.volume_type,
                labels: new.labels.given()?,
            };
            act(new.waiting, cx, client.create_volume(&request)).await
        }
        VolumeVerb::List { which, watching } => {
            let query = which.into();
            let fetch = async || client.volumes(&query).await;
            watching
                .show(cx, &["volume"], fetch, |volumes| lines(&list(volumes)))
                .await
        }
        VolumeVerb::Show { volume, watching } => {
            let fetch = async || client.volume(&volume).await;
            watching
                .show(cx, &["volume"], fetch, |volume| lines(&shown(volume)))
                .await
        }
        VolumeVerb::Label(relabel) => {
            let change = ChangeVolume {
                labels: relabel.patch(),
                ..ChangeVolume::default()
            };
            show(&client.change_volume(&relabel.of, &change).await?, cx)
        }
        VolumeVerb::Attach {
            volume,
            instance,
            delete_on_termination,
            waiting,
        } => {
            let how = AttachVolume {
                instance,
                delete_on_termination,
            };
            act(waiting, cx, client.attach_volume(&volume, &how)).await
        }
        VolumeVerb::Detach {
            volume,
            timeout,
            waiting,
        } => {
            let how = DetachVolume {
                timeout_seconds: timeout,
            };
            act(waiting, cx, client.detach_volume(&volume, &how)).await
        }
        VolumeVerb::Extend { volume, size, waiting } => {
            let how = ExtendVolume { size };
            act(waiting, cx, client.extend_volume(&volume, &how)).await
        }
        VolumeVerb::Rename { volume, to } => {
            let change = ChangeVolume {
                name: Some(to),
                ..ChangeVolume::default()
            };
            show(&client.change_volume(&volume, &change).await?, cx)
        }
        VolumeVerb::Keep {
            volume,
            delete_on_termination,
        } => {
            let change = ChangeVolume {
                delete_on_termination: Some(delete_on_termination),
                ..ChangeVolume::default()
            };
            show(&client.change_volume(&volume, &change).await?, cx)
        }
        VolumeVerb::Delete { volumes, sure, waiting } => {
            sure.ask(cx, "delete", ("volume", "volumes"), &volumes, Holds::Data)?;
            let ask = async |volume: &str| client.delete_volume(volume).await;
            all(&volumes, waiting, cx, ask).await.map(drop)
        }
        VolumeVerb::Types => types(cx).await,
    }
}

/// Asks for something, waits for it, and shows the volume as it is then.
async fn act(
    waiting: Waiting,
    cx: &Context,
    ask: impl Future<Output = Result<OperationView, ClientError>>,
) -> anyhow::Result<()> {
    match done(waiting, cx, ask).await? {
        Some(operation) => show(&cx.client.volume(&operation.resource).await?, cx),
        None => Ok(()),
    }
}

async fn types(cx: &Context) -> anyhow::Result<()> {
    let types = cx.client.volume_types().await?;
    let limit = |limit: Option<u64>| limit.map_or_else(|| "-".to_owned(), |limit| limit.to_string());
    output::print(cx.format, &types, |types| {
        let rows = types
            .iter()
            .map(|known| [known.name.clone(), limit(known.iops), limit(known.mib_per_second)]);
        table(["name", "iops", "mib/s"], rows)
    })?;
    Ok(())
}

fn list(volumes: &[VolumeView]) -> Table {
    let row = |one: &VolumeView| {
        [
            one.name.to_string(),
            one.state.clone(),
            format!("{} GB", one.size.0),
            or_dash(one.instance.map(|id| id.to_string()).as_ref()),
            if one.root { "root" } else { "data" }.to_owned(),
            ago(one.created_at),
        ]
    };
    table(
        ["name", "state", "size", "instance", "use", "created"],
        volumes.iter().map(row),
    )
}

fn show(volume: &VolumeView, cx: &Context) -> anyhow::Result<()> {
    output::print(cx.format, volume, shown)
}

fn shown(volume: &VolumeView) -> Table {
    fields([
        ("id", volume.id.to_string()),
        ("name", volume.name.to_string()),
        ("project", volume.project.clone()),
        ("state", volume.state.clone()),
        ("size", format!("{} GB", volume.size.0)),
        ("type", volume.volume_type.clone()),
        ("image", or_dash(volume.image.map(|id| id.to_string()).as_ref())),
        ("instance", or_dash(volume.instance.map(|id| id.to_string()).as_ref())),
        ("root", if volume.root { "yes" } else { "no" }.to_owned()),
        ("device", or_dash(volume.device.as_ref())),
        (
            "goes with its instance",
            if volume.delete_on_termination { "yes" } else { "no" }.to_owned(),
        ),
        ("labels", label::shown(&volume.labels)),
        ("created", volume.created_at.to_string()),
        ("fault", or_dash(volume.fault.as_ref().map(|fault| &fault.message))),
        ("allowed now", volume.allowed_actions.join(", ")),
    ])
}
