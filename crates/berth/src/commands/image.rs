//! `berth image …`

use std::io;
use std::path::Path;

use berth_api_types::{ImageQuery, ImageView};
use berth_model::{Firmware, Name, OsFamily};
use clap::{Args, Subcommand, ValueEnum};
use futures::{Stream, TryStreamExt as _};
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::Body;
use tokio_util::bytes::Bytes;
use tokio_util::io::ReaderStream;

use crate::cli::name;
use crate::commands::{Context, download};
use crate::failure::Failure;
use crate::output::{self, ago, bytes, fields, table};

#[derive(Debug, Subcommand)]
pub(crate) enum ImageVerb {
    /// Import an image: qcow2 without a backing file, or a raw disk
    Import(Import),
    /// List the images
    List,
    /// Show an image
    Show {
        /// Its name or id
        image: String,
    },
    /// Delete images that no volume is built on
    Delete {
        /// Their names or ids
        #[arg(required = true)]
        images: Vec<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// A file, or an http address; it is fetched by this program, with your rights and your network
    source: String,
    /// Its name
    #[arg(long, value_parser = name)]
    name: Name,
    /// The operating system's family
    #[arg(long, value_enum)]
    os: Option<Os>,
    /// What starts the guest
    #[arg(long, value_enum)]
    firmware: Option<Starts>,
    /// Who logs in over ssh [default: root]
    #[arg(long)]
    user: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Os {
    Linux,
    Windows,
    Other,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Starts {
    Bios,
    Uefi,
    UefiSecureBoot,
}

pub(crate) async fn run(verb: ImageVerb, cx: &Context) -> anyhow::Result<()> {
    match verb {
        ImageVerb::Import(import) => {
            let image = send(import, cx).await?;
            show(&image, cx)
        }
        ImageVerb::List => {
            let images = cx.client.images().await?;
            output::print(cx.format, &images, |images| {
                let row = |image: &ImageView| {
                    let sizes = (bytes(image.virtual_size), bytes(image.file_size));
                    [
                        image.name.to_string(),
                        image.format.clone(),
                        sizes.0,
                        sizes.1,
                        ago(image.created_at),
                    ]
                };
                table(["name", "format", "disk", "file", "imported"], images.iter().map(row))
            })?;
            Ok(())
        }
        ImageVerb::Show { image } => show(&cx.client.image(&image).await?, cx),
        ImageVerb::Delete { images } => {
            for image in images {
                cx.client.delete_image(&image).await?;
            }
            Ok(())
        }
    }
}

async fn send(import: Import, cx: &Context) -> anyhow::Result<ImageView> {
    let query = ImageQuery {
        name: import.name,
        os: import.os.map(|os| match os {
            Os::Linux => OsFamily::Linux,
            Os::Windows => OsFamily::Windows,
            Os::Other => OsFamily::Other,
        }),
        firmware: import.firmware.map(|firmware| match firmware {
            Starts::Bios => Firmware::Bios,
            Starts::Uefi => Firmware::Uefi,
            Starts::UefiSecureBoot => Firmware::UefiSecureBoot,
        }),
        user: import.user,
    };
    let (bytes, length) = match import.source.split_once("://") {
        Some(("http" | "https", _)) => {
            let (bytes, length) = download::begin(&import.source).await?;
            (with_progress(bytes, length), length)
        }
        Some((scheme, _)) => {
            return Err(Failure::invalid(format!(
                "{scheme}:// is not fetched: give a file, or http:// or https://"
            ))
            .into());
        }
        None => open(Path::new(&import.source)).await?,
    };
    Ok(cx.client.import_image(&query, bytes, length).await?)
}

async fn open(path: &Path) -> anyhow::Result<(Body, Option<u64>)> {
    let wrong = |error: io::Error| Failure::invalid(format!("{}: {error}", path.display()));
    let file = tokio::fs::File::open(path).await.map_err(wrong)?;
    let found = file.metadata().await.map_err(wrong)?;
    if !found.is_file() {
        return Err(Failure::invalid(format!("{} is not a file", path.display())).into());
    }
    let bytes = ReaderStream::with_capacity(file, 1 << 20);
    Ok((with_progress(bytes, Some(found.len())), Some(found.len())))
}

/// Bytes as a request's body, and a bar that says how many have gone.
fn with_progress(bytes: impl Stream<Item = io::Result<Bytes>> + Send + 'static, length: Option<u64>) -> Body {
    let bar = progress(length);
    Body::wrap_stream(bytes.inspect_ok(move |chunk| bar.inc(chunk.len() as u64)))
}

/// A bar on a terminal; indicatif draws none elsewhere.
fn progress(length: Option<u64>) -> ProgressBar {
    let bar = length.map_or_else(ProgressBar::no_length, ProgressBar::new);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left") {
        bar.set_style(style);
    }
    bar
}

fn show(image: &ImageView, cx: &Context) -> anyhow::Result<()> {
    output::print(cx.format, image, |image| {
        fields([
            ("id", image.id.to_string()),
            ("name", image.name.to_string()),
            ("format", image.format.clone()),
            ("disk", bytes(image.virtual_size)),
            ("file", bytes(image.file_size)),
            ("sha256", image.sha256.clone()),
            ("os", format!("{:?}", image.os).to_lowercase()),
            ("firmware", format!("{:?}", image.firmware).to_lowercase()),
            ("user", image.user.clone()),
            ("imported", image.created_at.to_string()),
        ])
    })?;
    Ok(())
}
