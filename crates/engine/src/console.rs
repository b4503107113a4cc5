//! The serial console of a guest, its log, and TCP into its VPC.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};
use std::time::Duration;

use berth_model::{InstanceState, Standing};
use berth_store::{InstanceRecord, StoreError};
use tokio::net::{TcpStream, UnixStream};

use crate::{Engine, EngineError, blocking};

/// The most bytes of a console log that are read back: what virtlogd keeps by default, 2 MiB and three older files.
const LOG_MAX: u64 = 8 << 20;

/// virtlogd's older files, newest first: `console.log.0`, `console.log.1`, …
const ROTATED: u32 = 3;

/// How long a connection into a VPC may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

impl Engine {
    /// The last lines that the guest wrote to its serial console.
    pub async fn console_log(&self, instance: &InstanceRecord, lines: usize) -> Result<Vec<u8>, EngineError> {
        let path = self.world.storage.instance_dir(instance.id).console_log;
        blocking(move || {
            let what = || format!("reading the console log {}", path.display());
            tail(&path, lines).map_err(|source| EngineError::Io { what: what(), source })
        })
        .await
    }

    /// The guest's serial console, both ways. QEMU serves one at a time.
    pub async fn console(&self, instance: &InstanceRecord) -> Result<UnixStream, EngineError> {
        runs("the console", instance)?;
        let path = self.world.storage.instance_dir(instance.id).console_socket;
        let opened = UnixStream::connect(&path).await;
        opened.map_err(|source| EngineError::Io {
            what: format!("opening the console {}", path.display()),
            source,
        })
    }

    /// A TCP connection to a port of the guest, made from within its VPC.
    pub async fn connect(&self, instance: &InstanceRecord, port: u16) -> Result<TcpStream, EngineError> {
        runs("a connection", instance)?;
        let ports = self.world.store.ports_of_instance(instance.id).await?;
        let to = ports.first().ok_or_else(|| StoreError::NotFound {
            what: "port of instance",
            reference: instance.name.to_string(),
        })?;
        let vpc = self.world.store.vpc(to.vpc).await?;
        let vpc = vpc.ok_or_else(|| StoreError::NotFound {
            what: "VPC",
            reference: to.vpc.to_string(),
        })?;
        let (network, address) = (self.world.network.clone(), SocketAddrV4::new(to.address, port));
        let stream =
            blocking(move || Ok(network.connect(&crate::network::vpc_of(&vpc), address, CONNECT_WITHIN)?)).await?;
        let into = |stream: std::net::TcpStream| {
            stream.set_nonblocking(true)?;
            TcpStream::from_std(stream)
        };
        into(stream).map_err(|source| EngineError::Io {
            what: format!("using the connection to {address}"),
            source,
        })
    }
}

/// Only a guest that runs answers. One in flight may: the console of a guest that boots is what one wants to see.
fn runs(what: &'static str, instance: &InstanceRecord) -> Result<(), EngineError> {
    match instance.standing {
        Standing::Resting(stable)
            if stable.state() != InstanceState::Active && stable.state() != InstanceState::Resized =>
        {
            Err(EngineError::WrongState {
                what,
                needed: InstanceState::Active,
                state: stable.state(),
            })
        }
        Standing::Resting(_) | Standing::Moving { .. } => Ok(()),
    }
}

/// The last lines of a log and of the older files it was rotated into.
fn tail(log: &Path, lines: usize) -> std::io::Result<Vec<u8>> {
    let rotated = |number: u32| PathBuf::from(format!("{}.{number}", log.display()));
    let mut text = Vec::new();
    for path in std::iter::once(log.to_owned()).chain((0..ROTATED).map(rotated)) {
        let mut part = match File::open(&path) {
            Ok(file) => last_bytes(file)?,
            Err(error) if error.kind() == ErrorKind::NotFound => break,
            Err(error) => return Err(error),
        };
        part.append(&mut text);
        text = part;
        if begin_of_tail(&text, lines) > 0 {
            break;
        }
    }
    let begin = begin_of_tail(&text, lines);
    Ok(text.split_off(begin))
}

fn last_bytes(mut file: File) -> std::io::Result<Vec<u8>> {
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LOG_MAX)))?;
    let mut bytes = Vec::new();
    file.take(LOG_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Where the last so many lines begin; an unfinished line counts as one.
fn begin_of_tail(text: &[u8], lines: usize) -> usize {
    let body = text.strip_suffix(b"\n").unwrap_or(text);
    let breaks = body.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n');
    match lines.checked_sub(1) {
        Some(skip) => breaks.map(|(place, _)| place + 1).nth(skip).unwrap_or(0),
        None => text.len(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_tail_goes_on_in_the_rotated_files() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("console.log");
        std::fs::write(&log, "five\nsix").unwrap();
        std::fs::write(dir.path().join("console.log.0"), "three\nfour\n").unwrap();
        std::fs::write(dir.path().join("console.log.1"), "one\ntwo\n").unwrap();
        let text = |lines| String::from_utf8(tail(&log, lines).unwrap()).unwrap();
        assert_eq!(text(0), "");
        assert_eq!(text(1), "six");
        assert_eq!(text(3), "four\nfive\nsix");
        assert_eq!(text(5), "two\nthree\nfour\nfive\nsix");
        assert_eq!(text(100), "one\ntwo\nthree\nfour\nfive\nsix");
    }

    #[test]
    fn a_guest_that_never_wrote_has_an_empty_log() {
        let dir = tempfile::tempdir().unwrap();
        assert!(tail(&dir.path().join("console.log"), 10).unwrap().is_empty());
    }
}
