//! What comes after the configuration: the daemon is started, the first things are made, and it is said what to type next.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use berth_client::ClientError;
use berth_model::{Code, Labels, Name};

use super::{Init, config};
use crate::commands::{Context, image, keypair};
use crate::failure::Failure;
use crate::output;

/// How often, and how many times, a daemon that was just started is asked.
const ASK: (Duration, u32) = (Duration::from_millis(250), 60);

pub(super) async fn run(init: &Init, changed: bool, cx: &Context) -> anyhow::Result<()> {
    let started = !init.no_start && is_a_service() && start(changed)?;
    let answers = answers(cx, started).await;
    let wanted = init.keypair.is_some() || init.image.is_some();
    if !answers && wanted {
        let message = "the daemon doesn't run yet, and makes neither key pair nor image";
        let failure = Failure::new(Code::DaemonUnreachable, message);
        return Err(failure
            .hint(format!("{}, then type the same again", by_hand(init)?))
            .into());
    }
    if let Some(name) = &init.keypair {
        first_keypair(name, init.keypair_out.as_deref(), cx).await?;
    }
    let image = match &init.image {
        Some(image) => Some(first_image(image, cx).await?),
        None => None,
    };
    next(init, image.as_ref(), answers)
}

/// Whether systemd runs this host and knows the daemon.
fn is_a_service() -> bool {
    let knows = || Command::new("systemctl").args(["cat", "berthd.service"]).output();
    Path::new("/run/systemd/system").exists() && knows().is_ok_and(|output| output.status.success())
}

/// Starts the daemon, with its socket; again if its configuration has changed. Guests go on meanwhile.
fn start(changed: bool) -> anyhow::Result<bool> {
    systemctl(&["enable", "--now", "berthd.socket", "berthd.service"])?;
    if changed {
        systemctl(&["restart", "berthd.service"])?;
    }
    Ok(true)
}

fn systemctl(words: &[&str]) -> anyhow::Result<()> {
    let done = Command::new("systemctl")
        .args(words)
        .output()
        .context("running systemctl")?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr).trim().to_owned();
    let failure = Failure::new(
        Code::DaemonUnreachable,
        format!("systemctl {}: {said}", words.join(" ")),
    );
    Err(failure.hint("'journalctl -u berthd' says why it doesn't start").into())
}

/// Whether the daemon answers; one that was started may take a while.
async fn answers(cx: &Context, started: bool) -> bool {
    for _ in 0..if started { ASK.1 } else { 1 } {
        match cx.client.whoami().await {
            Err(ClientError::Unreachable { .. }) => tokio::time::sleep(ASK.0).await,
            _ => return true,
        }
    }
    false
}

/// How the daemon is started without systemd.
fn by_hand(init: &Init) -> anyhow::Result<String> {
    if is_a_service() {
        return Ok("systemctl start berthd".to_owned());
    }
    Ok(format!(
        "start it: {} --config {}",
        config::berthd()?.display(),
        init.config.display()
    ))
}

async fn first_keypair(name: &Name, out: Option<&Path>, cx: &Context) -> anyhow::Result<()> {
    if cx.client.keypair(name.as_str()).await.is_ok() {
        return Ok(output::line(&format!("there is a key pair '{name}' already"))?);
    }
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".ssh").join(name.as_str()));
    let out = out.map(Path::to_owned).or_else(home);
    let out = out.ok_or_else(|| Failure::invalid("HOME is not set: say --keypair-out FILE"))?;
    if let Some(dir) = out.parent() {
        std::fs::create_dir_all(dir).with_context(|| format!("making {}", dir.display()))?;
    }
    keypair::create(name.clone(), Labels::default(), Some(&out), cx).await
}

/// Imports a file, or has the daemon fetch an image of the catalog; its name.
async fn first_image(image: &str, cx: &Context) -> anyhow::Result<Name> {
    let path = Path::new(image);
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or(image);
    let name = if path.is_file() { stem } else { image };
    let name: Name = name
        .parse()
        .map_err(|error| Failure::invalid(format!("--image {image}: {error}")))?;
    if cx.client.image(name.as_str()).await.is_ok() {
        output::line(&format!("there is an image '{name}' already"))?;
    } else if path.is_file() {
        image::import(path, name.clone(), cx).await?;
    } else {
        image::pull(&name, cx).await?;
    }
    Ok(name)
}

/// What to type next.
fn next(init: &Init, image: Option<&Name>, answers: bool) -> anyhow::Result<()> {
    let mut text = "\nThis host is set up. Next:\n".to_owned();
    if !answers {
        text.push_str(&format!("  {}\n", by_hand(init)?));
    }
    if image.is_none() {
        text.push_str("  berth image catalog                 # images that are known by name\n");
        text.push_str("  berth image import FILE --name NAME\n");
    }
    let image = image.map_or("NAME".to_owned(), ToString::to_string);
    let key = init
        .keypair
        .as_ref()
        .map_or(String::new(), |name| format!(" --key {name}"));
    text.push_str(&format!(
        "  berth instance create web --image {image} --type t1.nano{key}\n"
    ));
    text.push_str("  berth instance ssh web\n");
    Ok(output::raw(text.as_bytes())?)
}
