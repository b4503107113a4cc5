//! `berth image …`

mod catalog;
mod settings;
mod transfer;

use std::path::{Path, PathBuf};

use berth_api_types::{ImageListQuery, ImageSettings, ImageView, PullImage, SaveVolume};
use berth_model::{Labels, Name, OsFamily, Visibility};
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use comfy_table::Table;

use self::settings::Settings;
use crate::cli::{Waiting, name};
use crate::commands::Context;
use crate::commands::begun::done;
use crate::commands::label::{self, Listing, NewLabels, Relabel};
use crate::failure::Failure;
use crate::output::{self, ago, bytes, fields, lines, table};
use crate::several::{Holds, Sure, each};
use crate::watch::Watching;

const EXAMPLES: &str = "\
Examples:
  berth image import debian.qcow2 --name debian --user debian --min-memory 512
  berth image set debian --default --max-volume-size 2048
  berth image import win.qcow2 --name win --os windows --user Administrator --firmware uefi-secure-boot \\
      --min-disk 32 --min-memory 2048 --disk-bus sata --nic-model e1000e   # no virtio drivers in it yet
  berth image list --default
  berth image pull ubuntu-24.04
  berth image create-from-volume web --name golden && berth image export golden golden.qcow2";

#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum ImageVerb {
    /// Import an image from a file, or have the daemon fetch it from an address: qcow2, raw, vmdk, vdi, vhd or vhdx
    Import(Import),
    /// Have the daemon fetch an image of the catalog, and check it: see 'berth image catalog'
    Pull(Pull),
    /// Save a volume as an image, as it is at that instant; whoever has the volume goes on
    CreateFromVolume {
        /// The volume's name or id; the root volume of an instance has the instance's name
        volume: String,
        /// The image's name
        #[arg(long, value_parser = name)]
        name: Name,
        #[command(flatten)]
        labels: NewLabels,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Write an image to a file, as qcow2
    Export {
        /// Its name or id
        image: String,
        /// The file, which must not be there yet; - for stdout
        file: PathBuf,
    },
    /// List the images
    List {
        /// Only default images: every project's, put there by the operator
        #[arg(long, conflicts_with = "mine")]
        default: bool,
        /// Only the project's own
        #[arg(long)]
        mine: bool,
        /// Only those of this family of operating systems
        #[arg(long, value_parser = PossibleValuesParser::new(OsFamily::ALL.iter().map(|os| os.as_str())))]
        os: Option<String>,
        #[command(flatten)]
        listing: Listing,
        #[command(flatten)]
        watching: Watching,
    },
    /// Show an image
    Show {
        /// Its name or id
        image: String,
        #[command(flatten)]
        watching: Watching,
    },
    /// Label an image, or take labels from it
    Label(Relabel),
    /// Change what an image says of itself
    ///
    /// Only what is given changes. What shapes the virtual machine (firmware, TPM, bus, NIC, clock, Hyper-V) reaches
    /// the instances made of the image when they are next switched on.
    Set(Set),
    /// List the images that are known by name, and where they come from
    Catalog {
        /// Show all of this one
        name: Option<String>,
    },
    /// Delete images that no volume is built on
    Delete {
        /// Their names or ids
        #[arg(required = true)]
        images: Vec<String>,
        #[command(flatten)]
        sure: Sure,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// A file of yours, - for stdin, or an http or https address that the daemon fetches it from
    source: String,
    /// Its name
    #[arg(long, value_parser = name)]
    name: Name,
    /// What its bytes have to hash to: sha256:… or sha512:…; for an address
    #[arg(long)]
    checksum: Option<String>,
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    labels: NewLabels,
}

#[derive(Debug, Args)]
pub(crate) struct Pull {
    /// Its name in the catalog
    entry: String,
    /// Its name here [default: as in the catalog]
    #[arg(long, value_parser = name)]
    name: Option<Name>,
    /// Fetch it from this mirror: the path of the official address is appended
    #[arg(long, value_name = "URL")]
    mirror: Option<String>,
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    labels: NewLabels,
}

#[derive(Debug, Args)]
pub(crate) struct Set {
    /// Its name or id
    image: String,
    /// Its new name
    #[arg(long, value_parser = name)]
    name: Option<Name>,
    #[command(flatten)]
    settings: Settings,
}

pub(crate) async fn run(verb: ImageVerb, cx: &Context) -> anyhow::Result<()> {
    match verb {
        ImageVerb::Import(import) if import.source.contains("://") => {
            let request = PullImage {
                url: Some(import.source),
                checksum: import.checksum,
                settings: import.settings.given(Some(import.name)),
                labels: import.labels.given()?,
                ..PullImage::default()
            };
            transfer::pull(&request, cx).await
        }
        ImageVerb::Import(import) => {
            let settings = import.settings.given(Some(import.name));
            let labels = import.labels.given()?;
            show(
                &transfer::send(Path::new(&import.source), &settings, &labels, cx).await?,
                cx,
            )
        }
        ImageVerb::Pull(pull) => {
            let request = PullImage {
                catalog: Some(pull.entry),
                mirror: pull.mirror,
                settings: pull.settings.given(pull.name),
                labels: pull.labels.given()?,
                ..PullImage::default()
            };
            transfer::pull(&request, cx).await
        }
        ImageVerb::CreateFromVolume {
            volume,
            name,
            labels,
            waiting,
        } => {
            let request = SaveVolume {
                name: name.clone(),
                labels: labels.given()?,
            };
            match done(waiting, cx, cx.client.save_volume(&volume, &request)).await? {
                Some(_) => show(&cx.client.image(name.as_str()).await?, cx),
                None => Ok(()),
            }
        }
        ImageVerb::Export { image, file } => transfer::export(&image, &file, cx).await,
        ImageVerb::List {
            default,
            mine,
            os,
            listing,
            watching,
        } => {
            let visibility = match (default, mine) {
                (true, _) => Some(Visibility::Default),
                (_, true) => Some(Visibility::Private),
                (false, false) => None,
            };
            let query = ImageListQuery {
                visibility: visibility.map(|visibility| visibility.as_str().to_owned()),
                os,
                name: listing.name,
                sort: listing.sort,
                label: listing.by.label,
                ..ImageListQuery::default()
            };
            let fetch = async || cx.client.images(&query).await;
            watching
                .show(cx, &["image"], fetch, |images| lines(&list(images)))
                .await
        }
        ImageVerb::Show { image, watching } => {
            let fetch = async || cx.client.image(&image).await;
            watching.show(cx, &["image"], fetch, |image| lines(&shown(image))).await
        }
        ImageVerb::Label(relabel) => {
            let change = ImageSettings {
                labels: relabel.patch(),
                ..ImageSettings::default()
            };
            show(&cx.client.change_image(&relabel.of, &change).await?, cx)
        }
        ImageVerb::Set(set) => {
            let settings = set.settings.given(set.name);
            if settings == ImageSettings::default() {
                return Err(Failure::invalid("nothing to change: see 'berth image set --help'".to_owned()).into());
            }
            show(&cx.client.change_image(&set.image, &settings).await?, cx)
        }
        ImageVerb::Catalog { name } => catalog::run(name.as_deref(), cx).await,
        ImageVerb::Delete { images, sure } => {
            sure.ask(cx, "delete", ("image", "images"), &images, Holds::Data)?;
            each(&images, cx, async |image| cx.client.delete_image(image).await).await
        }
    }
}

/// Imports a file of this machine.
pub(super) async fn import(path: &Path, name: Name, cx: &Context) -> anyhow::Result<()> {
    let settings = ImageSettings {
        name: Some(name),
        ..ImageSettings::default()
    };
    show(&transfer::send(path, &settings, &Labels::default(), cx).await?, cx)
}

/// Has the daemon fetch an image of the catalog.
pub(super) async fn pull(entry: &Name, cx: &Context) -> anyhow::Result<()> {
    let request = PullImage {
        catalog: Some(entry.to_string()),
        ..PullImage::default()
    };
    transfer::pull(&request, cx).await
}

fn list(images: &[ImageView]) -> Table {
    let row = |image: &ImageView| {
        [
            image.name.to_string(),
            settings::whose(image).to_owned(),
            settings::system(&image.properties),
            bytes(image.virtual_size),
            bytes(image.file_size),
            settings::needs(&image.properties),
            image.properties.max_volume_size.to_string(),
            ago(image.created_at),
        ]
    };
    let headings = [
        "name",
        "whose",
        "system",
        "disk",
        "file",
        "needs",
        "volume up to",
        "imported",
    ];
    table(headings, images.iter().map(row))
}

fn show(image: &ImageView, cx: &Context) -> anyhow::Result<()> {
    output::print(cx.format, image, shown)
}

fn shown(image: &ImageView) -> Table {
    let mut shown = fields([
        ("id", image.id.to_string()),
        ("name", image.name.to_string()),
        ("whose", settings::whose(image).to_owned()),
        ("format", image.format.clone()),
        ("disk", bytes(image.virtual_size)),
        ("file", bytes(image.file_size)),
        ("sha256", image.sha256.clone()),
        ("labels", label::shown(&image.labels)),
        ("imported", image.created_at.to_string()),
    ]);
    for (name, value) in settings::rows(&image.properties) {
        shown.add_row([name.to_owned(), value]);
    }
    shown
}
