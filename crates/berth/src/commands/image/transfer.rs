//! What goes over the wire: an image that is sent to the daemon, that it fetches, or that is fetched from it.
//!
//! Each with a bar on a terminal: how much of how much, how fast, for how long yet.

use std::io;
use std::path::Path;
use std::time::Duration;

use berth_api_types::{ImageSettings, ImageView, PullImage};
use berth_model::Labels;
use futures::{Stream, TryStreamExt as _};
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::Body;
use tokio::io::AsyncWriteExt as _;
use tokio_util::bytes::Bytes;
use tokio_util::io::ReaderStream;

use super::show;
use crate::commands::Context;
use crate::failure::Failure;
use crate::output;
use crate::wait::succeeded;

/// The bytes that are sent at once.
const CHUNK: usize = 1 << 20;

/// How often a bar on a terminal is moved on.
const MOVE_ON: Duration = Duration::from_millis(500);

/// Sends a file, or what comes on stdin.
pub(super) async fn send(
    path: &Path,
    settings: &ImageSettings,
    labels: &Labels,
    cx: &Context,
) -> anyhow::Result<ImageView> {
    Ok(cx.client.import_image(settings, labels, open(path).await?).await?)
}

async fn open(path: &Path) -> anyhow::Result<(Body, Option<u64>)> {
    if path == Path::new("-") {
        let bytes = ReaderStream::with_capacity(tokio::io::stdin(), CHUNK);
        return Ok((with_progress(bytes, None), None));
    }
    let wrong = |error: io::Error| Failure::invalid(format!("{}: {error}", path.display()));
    let file = tokio::fs::File::open(path).await.map_err(wrong)?;
    let found = file.metadata().await.map_err(wrong)?;
    if !found.is_file() {
        return Err(Failure::invalid(format!("{} is not a file", path.display())).into());
    }
    let bytes = ReaderStream::with_capacity(file, CHUNK);
    Ok((with_progress(bytes, Some(found.len())), Some(found.len())))
}

/// Bytes as a request's body, and a bar that says how many have gone.
fn with_progress(bytes: impl Stream<Item = io::Result<Bytes>> + Send + 'static, length: Option<u64>) -> Body {
    let bar = progress(length);
    Body::wrap_stream(bytes.inspect_ok(move |chunk| bar.inc(chunk.len() as u64)))
}

/// A bar on a terminal; indicatif draws none elsewhere. Of what nobody knows the length of, only how much it was so far.
fn progress(length: Option<u64>) -> ProgressBar {
    let bar = length.map_or_else(ProgressBar::no_length, ProgressBar::new);
    let template = match length {
        Some(_) => "{bar:40.cyan} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left",
        None => "{spinner:.cyan} {bytes}, {bytes_per_sec}, {elapsed}",
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.with_style(style)
}

/// Has the daemon fetch an image and waits for it, with a bar on a terminal.
pub(super) async fn pull(request: &PullImage, cx: &Context) -> anyhow::Result<()> {
    let asked = cx.client.pull_image(request).await?;
    let bar = progress(None);
    let waited = cx.client.wait_operation(asked.id);
    tokio::pin!(waited);
    let operation = loop {
        tokio::select! {
            done = &mut waited => break done?,
            // Nobody looks at a bar that isn't drawn.
            () = tokio::time::sleep(MOVE_ON), if !bar.is_hidden() => {
                if let Some(so_far) = cx.client.operation(&asked.id.to_string()).await?.progress {
                    bar.set_position(so_far.done);
                    if let Some(of) = so_far.of {
                        known(&bar, of);
                    }
                }
            }
        }
    };
    bar.finish_and_clear();
    succeeded(&operation)?;
    show(&cx.client.image(&operation.resource).await?, cx)
}

/// How long it is has become known.
fn known(bar: &ProgressBar, length: u64) {
    if bar.length() != Some(length) {
        bar.set_style(progress(Some(length)).style());
        bar.set_length(length);
    }
}

/// Writes an image to a file that isn't there yet, or to stdout.
pub(super) async fn export(image: &str, file: &Path, cx: &Context) -> anyhow::Result<()> {
    let (mut bytes, length) = cx.client.export_image(image).await?;
    if file == Path::new("-") {
        while let Some(chunk) = bytes.try_next().await? {
            output::raw(&chunk)?;
        }
        return Ok(());
    }
    let wrong = |error: std::io::Error| Failure::invalid(format!("{}: {error}", file.display()));
    let mut out = tokio::fs::File::create_new(file).await.map_err(wrong)?;
    let bar = progress(length);
    while let Some(chunk) = bytes.try_next().await? {
        out.write_all(&chunk).await.map_err(wrong)?;
        bar.inc(chunk.len() as u64);
    }
    out.sync_all().await.map_err(wrong)?;
    bar.finish_and_clear();
    Ok(())
}
