//! `berth instance ssh`: OpenSSH, straight to the public IP or by way of the daemon.
//!
//! An instance with a public IP is reached there, if it answers. Else ssh's ProxyCommand is this program itself
//! (`instance proxy`), so that the guest is reached from within its VPC and the caller needs nothing but the socket. The guest's host key is remembered under the instance's id: an address that
//! a later instance has again is not mistaken for this one.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use futures::TryFutureExt as _;
use futures::future::select_ok;
use tokio::net::TcpStream;

use crate::commands::Context;
use crate::failure::Failure;

#[derive(Debug, Args)]
pub(crate) struct Ssh {
    /// The instance's name or id
    instance: String,
    /// Who logs in [default: what the image says]
    #[arg(short, long)]
    login: Option<String>,
    /// The file with the private key, as ssh -i takes it
    #[arg(short, long, value_name = "FILE")]
    identity: Option<PathBuf>,
    /// The port of the guest's sshd
    #[arg(short, long, default_value_t = 22)]
    port: u16,
    /// What to run instead of a shell
    #[arg(last = true)]
    command: Vec<OsString>,
}

/// How long a public IP may take to answer.
const ANSWERS: Duration = Duration::from_secs(2);

/// Runs ssh and exits as it does.
pub(crate) async fn run(ssh: Ssh, cx: &Context) -> anyhow::Result<ExitCode> {
    let instance = cx.client.instance(&ssh.instance).await?;
    let login = ssh.login.unwrap_or(instance.login);
    let known_hosts = known_hosts()?;
    let mut command = Command::new("ssh");
    let public = instance.addresses.iter().filter_map(|one| one.public);
    if let Some(address) = first_to_answer(public, ssh.port).await {
        // The caller's own settings for a host of that name must not lead elsewhere.
        command.args(["-o", "ProxyCommand=none", "-o", &format!("HostName={address}")]);
        command.args(["-o", &format!("Port={}", ssh.port)]);
    } else {
        let proxy = proxy_command(&cx.socket, &instance.id.to_string(), ssh.port)?;
        command.args(["-o", &format!("ProxyCommand={proxy}")]);
    }
    command.args(["-o", &format!("HostKeyAlias={}", instance.id)]);
    command.args(["-o", "StrictHostKeyChecking=accept-new", "-o", "LogLevel=ERROR"]);
    command.arg("-o").arg(option("UserKnownHostsFile", &known_hosts)?);
    if let Some(identity) = &ssh.identity {
        // Only this key: an agent with many would use up the guest's patience first.
        command
            .args(["-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-i"])
            .arg(identity);
    }
    command
        .arg("-l")
        .arg(login)
        .arg("--")
        .arg(instance.name.as_str())
        .args(ssh.command);
    let status = tokio::task::spawn_blocking(move || command.status()).await?;
    let status = status.context("running ssh (package openssh-client)")?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(code.unwrap_or(255)))
}

/// The first of the addresses to answer on the port.
async fn first_to_answer(addresses: impl Iterator<Item = Ipv4Addr>, port: u16) -> Option<Ipv4Addr> {
    let connect = |address| Box::pin(TcpStream::connect(SocketAddr::from((address, port))).map_ok(move |_| address));
    let attempts: Vec<_> = addresses.map(connect).collect();
    if attempts.is_empty() {
        return None;
    }
    let connected = tokio::time::timeout(ANSWERS, select_ok(attempts)).await;
    connected.ok()?.ok().map(|(address, _)| address)
}

/// ssh gives this line to the user's shell (behind an `exec` of its own), after it has replaced what begins with `%`:
/// it is all quoted.
fn proxy_command(socket: &Path, instance: &str, port: u16) -> anyhow::Result<String> {
    let program = std::env::current_exe().context("finding this program")?;
    let (program, socket) = (quoted(&program)?, quoted(&std::path::absolute(socket)?)?);
    Ok(format!("{program} --socket {socket} instance proxy {instance} {port}"))
}

fn quoted(path: &Path) -> anyhow::Result<String> {
    let text = path.to_str().filter(|text| !text.contains(['\'', '\n']));
    let text = text.ok_or_else(|| Failure::invalid(format!("ssh can't be given the path {}", path.display())))?;
    Ok(format!("'{}'", text.replace('%', "%%")))
}

/// An option with a path, quoted as ssh_config(5) reads it.
fn option(name: &str, path: &Path) -> anyhow::Result<String> {
    let text = path.to_str().filter(|text| !text.contains(['"', '\n']));
    let text = text.ok_or_else(|| Failure::invalid(format!("ssh can't be given the path {}", path.display())))?;
    Ok(format!("{name}=\"{}\"", text.replace('%', "%%")))
}

/// The host keys of guests, apart from those of the user's other hosts.
fn known_hosts() -> anyhow::Result<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME")
        .map(PathBuf::from)
        .filter(|dir| dir.is_absolute());
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    let dir = state
        .or_else(home)
        .context("neither XDG_STATE_HOME nor HOME is set")?
        .join("berth");
    std::fs::create_dir_all(&dir).with_context(|| format!("making {}", dir.display()))?;
    Ok(dir.join("known_hosts"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[tokio::test]
    async fn an_address_that_does_not_answer_is_passed_over() {
        let [first, second] = [Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 0, 0, 2)];
        let listener = tokio::net::TcpListener::bind((second, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(first_to_answer([first, second].into_iter(), port).await, Some(second));
        drop(listener);
        assert_eq!(first_to_answer([first, second].into_iter(), port).await, None);
        assert_eq!(first_to_answer(std::iter::empty(), port).await, None);
    }

    #[test]
    fn what_the_shell_would_take_for_more_is_quoted_or_refused() {
        assert_eq!(quoted(Path::new("/a b/$(x)%h")).unwrap(), "'/a b/$(x)%%h'");
        assert!(quoted(Path::new("/it's")).is_err());
        assert_eq!(option("File", Path::new("/a b")).unwrap(), "File=\"/a b\"");
        assert!(option("File", Path::new("/a\"b")).is_err());
    }
}
