//! The questions of `berth init`: one for each thing that no flag has said. An empty answer takes the default.

use std::fmt::Display;
use std::io::BufRead as _;
use std::path::PathBuf;

use super::{Init, config};
use crate::cli::name;
use crate::commands::network::cidr;
use crate::failure::Failure;
use crate::output;

/// Asks for what isn't known yet.
pub(super) fn ask(init: &mut Init) -> anyhow::Result<()> {
    if init.state_dir.is_none() {
        init.state_dir = answer("where is the state kept?", config::STATE_DIR, |text| {
            Ok(PathBuf::from(text))
        })?;
    }
    if init.subnet.is_none() {
        init.subnet = answer("which addresses do instances have?", "10.0.0.0/20", cidr)?;
    }
    if init.ranges.is_empty() {
        let asked = "which public addresses may be given to instances, such as 203.0.113.16/28?";
        init.ranges = answer(asked, "none", |text| Ok(words(text)))?.unwrap_or_default();
        if !init.ranges.is_empty() && init.interface.is_none() {
            let asked = "on which interface do neighbours ask for them?";
            init.interface = answer(asked, "none, a router sends them here", |text| Ok(text.to_owned()))?;
        }
    }
    if init.listen.is_empty() {
        let asked = "is it served over TLS too, such as at 0.0.0.0:8443?";
        init.listen = answer(asked, "no", |text| parse(text, "an address and a port"))?
            .into_iter()
            .collect();
        if !init.listen.is_empty() {
            init.certificate = Some(needed("the file with the certificate?")?);
            init.tls_key = Some(needed("the file with its private key?")?);
        }
    }
    if init.admins.is_empty() {
        let asked = "who may do everything besides root and the group, such as cert:ops?";
        let users = |text: &str| words(text).iter().map(|word| parse(word, "a user")).collect();
        init.admins = answer(asked, "nobody", users)?.unwrap_or_default();
    }
    if init.keypair.is_none() {
        init.keypair = answer("make a first key pair of which name?", "none", name)?;
    }
    if init.image.is_none() {
        let asked = "have a first image: a file, or a name of 'berth image catalog'?";
        init.image = answer(asked, "none", |text| Ok(text.to_owned()))?;
    }
    Ok(())
}

/// Asks until the answer makes sense; nothing for the default.
fn answer<T>(question: &str, default: &str, read: impl Fn(&str) -> Result<T, String>) -> anyhow::Result<Option<T>> {
    loop {
        output::ask(&format!("{question} [{default}] "));
        let mut typed = String::new();
        if std::io::stdin().lock().read_line(&mut typed)? == 0 {
            return Err(Failure::invalid("the answers have ended; nothing was changed").into());
        }
        match typed.trim() {
            "" => return Ok(None),
            text => match read(text) {
                Ok(answer) => return Ok(Some(answer)),
                Err(why) => output::error(&format!("  {why}")),
            },
        }
    }
}

fn needed(question: &str) -> anyhow::Result<PathBuf> {
    loop {
        if let Some(path) = answer(question, "needed", |text| Ok(PathBuf::from(text)))? {
            return Ok(path);
        }
    }
}

fn parse<T: std::str::FromStr<Err: Display>>(text: &str, what: &str) -> Result<T, String> {
    text.parse().map_err(|error| format!("'{text}' is not {what}: {error}"))
}

/// Several in one answer, with commas or blanks between them.
fn words(text: &str) -> Vec<String> {
    let words = text.split([',', ' ']).filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}
