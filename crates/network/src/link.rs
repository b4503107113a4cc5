//! The links of the calling thread's namespace, as they are.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use nix::net::if_::{if_nameindex, if_nametoindex};
use serde::Deserialize;

use crate::NetworkError;
use crate::command::{Tools, run};

/// A link as `ip -json address` prints it; what else it prints is its own affair.
#[derive(Debug, Deserialize)]
pub(crate) struct Link {
    #[serde(default, rename = "ifname")]
    pub(crate) name: String,
    #[serde(default)]
    flags: Vec<String>,
    #[serde(default)]
    addr_info: Vec<AddressInfo>,
}

#[derive(Debug, Deserialize)]
struct AddressInfo {
    family: Option<String>,
    local: Option<String>,
    prefixlen: Option<u8>,
}

impl Link {
    /// Its IPv4 addresses, each with its network.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = Ipv4Net> {
        let inet = self
            .addr_info
            .iter()
            .filter(|info| info.family.as_deref() == Some("inet"));
        inet.filter_map(|info| {
            let address: Ipv4Addr = info.local.as_deref()?.parse().ok()?;
            Ipv4Net::new(address, info.prefixlen?).ok()
        })
    }
}

/// All links with their addresses.
pub(crate) fn all(tools: &Tools) -> Result<Vec<Link>, NetworkError> {
    show(tools, &[])
}

fn show(tools: &Tools, which: &[&str]) -> Result<Vec<Link>, NetworkError> {
    let words = [&["-json", "address", "show"], which].concat();
    let text = run(&tools.ip, &words, "")?;
    serde_json::from_str(&text).map_err(|error| NetworkError::Command {
        command: format!("ip {}", words.join(" ")),
        stderr: format!("it printed what can't be read: {error}"),
    })
}

/// The names of all links, without asking another process.
pub(crate) fn names() -> Result<Vec<String>, NetworkError> {
    let links = if_nameindex().map_err(NetworkError::io("list the links"))?;
    Ok(links
        .iter()
        .filter_map(|link| link.name().to_str().ok().map(str::to_owned))
        .collect())
}

pub(crate) fn exists(name: &str) -> bool {
    if_nametoindex(name).is_ok()
}

/// Whether the tap is there and certainly held open by nobody: it is up and has no carrier, which a tap has from the
/// moment it is opened. (`RUNNING`, which follows the carrier a second late, won't do.) One that is down doesn't say.
pub(crate) fn is_abandoned_tap(tools: &Tools, name: &str) -> Result<bool, NetworkError> {
    if !exists(name) {
        return Ok(false);
    }
    let links = show(tools, &["dev", name])?;
    let tap = links.iter().find(|link| link.name == name);
    let has = |link: &Link, wanted: &str| link.flags.iter().any(|flag| flag == wanted);
    Ok(tap.is_some_and(|tap| has(tap, "UP") && !has(tap, "LOWER_UP")))
}

/// Makes sure the link is gone.
pub(crate) fn remove(tools: &Tools, name: &str) -> Result<(), NetworkError> {
    if !exists(name) {
        return Ok(());
    }
    match run(&tools.ip, ["link", "del", "dev", name], "") {
        // Deleted by somebody else meanwhile, or with the other end of its pair.
        Err(_) if !exists(name) => Ok(()),
        done => done.map(drop),
    }
}
