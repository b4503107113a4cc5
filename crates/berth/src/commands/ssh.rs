//! `berth instance ssh`: OpenSSH, straight to the public IP or by way of the daemon.
//!
//! An instance with a public IP is reached there, if an ssh server answers. Else ssh's ProxyCommand is this program
//! itself (`instance proxy`), so that the guest is reached from within its VPC and the caller needs nothing but the
//! daemon. The guest's host key is remembered under the instance's id: an address that a later instance has again is
//! not mistaken for this one.

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::Context as _;
use berth_client::ByteStream;
use clap::Args;
use futures::future::select_ok;
use tokio::io::{AsyncReadExt as _, copy_bidirectional, join};
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
    /// Let the guest use the keys of your ssh-agent, as ssh -A
    #[arg(short = 'A', long)]
    forward_agent: bool,
    /// Forward a port of this machine to one that the guest reaches, as ssh -L; may be given several times
    #[arg(short = 'L', long, value_name = "PORT:HOST:PORT")]
    local_forward: Vec<String>,
    /// Any option of ssh_config(5), as ssh -o; may be given several times
    #[arg(long = "option", value_name = "KEY=VALUE")]
    options: Vec<String>,
    /// What to run instead of a shell; ssh exits as it does
    #[arg(last = true)]
    command: Vec<OsString>,
}

impl Ssh {
    /// What ssh is told of the user's own wishes; before all else, for the first word on something is ssh's last.
    fn wishes(&self) -> Vec<&str> {
        let forward = self.local_forward.iter().flat_map(|one| ["-L", one]);
        let options = self.options.iter().flat_map(|one| ["-o", one]);
        let agent = self.forward_agent.then_some("-A");
        agent.into_iter().chain(forward).chain(options).collect()
    }
}

/// The file that 'keypair create NAME --out ~/.ssh/NAME' has made, if there is one: what an instance with that key pair
/// is entered with.
fn key_of(keypair: Option<&String>) -> Option<PathBuf> {
    let home = PathBuf::from(std::env::var_os("HOME")?);
    Some(home.join(".ssh").join(keypair?)).filter(|path| path.is_file())
}

/// Bytes between a stream and stdin and stdout, until either side ends: what ssh's ProxyCommand is.
pub(super) async fn pipe(mut stream: ByteStream) -> anyhow::Result<()> {
    let mut own = join(tokio::io::stdin(), tokio::io::stdout());
    // A side that goes away is how it ends.
    let _ = copy_bidirectional(&mut own, &mut stream).await;
    Ok(())
}

/// How long a public IP may take to answer.
const ANSWERS: Duration = Duration::from_secs(2);

/// Runs ssh and exits as it does.
pub(crate) async fn run(ssh: Ssh, cx: &Context) -> anyhow::Result<ExitCode> {
    let instance = cx.client.instance(&ssh.instance).await?;
    let login = ssh.login.clone().unwrap_or(instance.login);
    let known_hosts = known_hosts()?;
    let own = key_of(instance.key.as_ref()).filter(|_| ssh.identity.is_none());
    let mut command = Command::new("ssh");
    command.args(ssh.wishes());
    let public = instance.addresses.iter().filter_map(|one| one.public);
    if let Some(address) = first_to_answer(public, ssh.port).await {
        // The caller's own settings for a host of that name must not lead elsewhere.
        command.args(["-o", "ProxyCommand=none", "-o", &format!("HostName={address}")]);
        command.args(["-o", &format!("Port={}", ssh.port)]);
    } else {
        let proxy = proxy_command(&cx.arguments, &instance.id.to_string(), ssh.port)?;
        command.args(["-o", &format!("ProxyCommand={proxy}")]);
    }
    if !std::io::stdin().is_terminal() {
        // There is nobody to ask for a password.
        command.args(["-o", "BatchMode=yes"]);
    }
    command.args(["-o", &format!("HostKeyAlias={}", instance.id)]);
    command.args(["-o", "StrictHostKeyChecking=accept-new", "-o", "LogLevel=ERROR"]);
    command.arg("-o").arg(option("UserKnownHostsFile", &known_hosts)?);
    if let Some(identity) = ssh.identity.as_ref().or(own.as_ref()) {
        // Only this key: an agent with many would use up the guest's patience first.
        command.args(["-o", "IdentitiesOnly=yes", "-i"]).arg(identity);
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

/// The first of the addresses where an ssh server answers on the port. That something accepts the connection is not
/// enough: proxies and captive portals accept whatever comes.
async fn first_to_answer(addresses: impl Iterator<Item = Ipv4Addr>, port: u16) -> Option<Ipv4Addr> {
    let attempts: Vec<_> = addresses.map(|address| Box::pin(greets(address, port))).collect();
    if attempts.is_empty() {
        return None;
    }
    let connected = tokio::time::timeout(ANSWERS, select_ok(attempts)).await;
    connected.ok()?.ok().map(|(address, _)| address)
}

/// What an ssh server says first (RFC 4253, 4.2).
const GREETING: [u8; 4] = *b"SSH-";

/// The address, if an ssh server says there that it is one.
async fn greets(address: Ipv4Addr, port: u16) -> std::io::Result<Ipv4Addr> {
    let mut stream = TcpStream::connect(SocketAddr::from((address, port))).await?;
    let mut said = [0; GREETING.len()];
    stream.read_exact(&mut said).await?;
    if said == GREETING {
        return Ok(address);
    }
    Err(std::io::Error::other("no ssh server"))
}

/// ssh gives this line to the user's shell (behind an `exec` of its own), after it has replaced what begins with `%`:
/// it is all quoted.
fn proxy_command(arguments: &[String], instance: &str, port: u16) -> anyhow::Result<String> {
    let program = std::env::current_exe().context("finding this program")?;
    let mut line = quoted(&program)?;
    for argument in arguments {
        line.push_str(&format!(" {}", quoted(Path::new(argument))?));
    }
    Ok(format!("{line} instance proxy {instance} {port}"))
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

    use tokio::io::AsyncWriteExt as _;

    use super::*;

    #[tokio::test]
    async fn an_address_that_does_not_answer_is_passed_over() {
        let [first, second, third] = [1, 2, 3].map(|last| Ipv4Addr::new(127, 0, 0, last));
        let listener = tokio::net::TcpListener::bind((second, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        // Who accepts and says something else, or nothing, is no ssh server.
        let other = tokio::net::TcpListener::bind((third, port)).await.unwrap();
        let serve = tokio::spawn(async move {
            other
                .accept()
                .await
                .unwrap()
                .0
                .write_all(b"HTTP/1.1 400\r\n")
                .await
                .unwrap();
            listener
                .accept()
                .await
                .unwrap()
                .0
                .write_all(b"SSH-2.0-x\r\n")
                .await
                .unwrap();
        });
        let all = [first, third, second].into_iter();
        assert_eq!(first_to_answer(all, port).await, Some(second));
        serve.await.unwrap();
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
