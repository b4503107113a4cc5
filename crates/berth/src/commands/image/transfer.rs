//! `berth image pull`, `export`: what is fetched by the daemon, and what is fetched from it.

use std::path::Path;
use std::time::Duration;

use berth_api_types::PullImage;
use futures::TryStreamExt as _;
use tokio::io::AsyncWriteExt as _;

use super::{progress, show};
use crate::commands::Context;
use crate::failure::Failure;
use crate::output;
use crate::wait::succeeded;

/// How often a bar on a terminal is moved on.
const MOVE_ON: Duration = Duration::from_millis(500);

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
                        bar.set_length(of);
                    }
                }
            }
        }
    };
    bar.finish_and_clear();
    succeeded(&operation)?;
    show(&cx.client.image(&operation.resource).await?, cx)
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
