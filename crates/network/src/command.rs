//! The programs we run: where they are, whether we may use them, and how they fail.
//!
//! `ip -batch -` and `nft -f -` take many changes in one process; what they were told can be read in a log and typed
//! again by hand. There is no shell: arguments are vectors, input is text of our own making.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::NetworkError;

/// Where the programs are.
#[derive(Debug)]
pub(crate) struct Tools {
    pub(crate) ip: PathBuf,
    pub(crate) nft: PathBuf,
    pub(crate) dnsmasq: PathBuf,
    pub(crate) tc: PathBuf,
    pub(crate) conntrack: PathBuf,
}

impl Tools {
    pub(crate) fn find() -> Result<Self, NetworkError> {
        Ok(Self {
            ip: find("ip", "iproute2")?,
            nft: find("nft", "nftables")?,
            dnsmasq: find("dnsmasq", "dnsmasq-base")?,
            tc: find("tc", "iproute2")?,
            conntrack: find("conntrack", "conntrack")?,
        })
    }

    /// Lets `ip` do these commands in the calling thread's namespace, in order, up to the first that fails.
    pub(crate) fn ip_batch(&self, lines: &[String]) -> Result<(), NetworkError> {
        if lines.is_empty() {
            return Ok(());
        }
        run(&self.ip, ["-batch", "-"], &(lines.join("\n") + "\n")).map(drop)
    }

    /// The same of `tc`.
    pub(crate) fn tc_batch(&self, lines: &[String]) -> Result<(), NetworkError> {
        run(&self.tc, ["-batch", "-"], &(lines.join("\n") + "\n")).map(drop)
    }

    /// Lets `nft` do these commands in the calling thread's namespace: all of them, or none.
    pub(crate) fn nft(&self, text: &str) -> Result<(), NetworkError> {
        run(&self.nft, ["-f", "-"], text).map(drop)
    }
}

/// Runs a program in the calling thread's namespace and gives back what it printed.
pub(crate) fn run<A: AsRef<OsStr>>(
    program: &Path,
    args: impl IntoIterator<Item = A>,
    input: &str,
) -> Result<String, NetworkError> {
    let args: Vec<OsString> = args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
    let line = || {
        let words = std::iter::once(program.as_os_str()).chain(args.iter().map(OsString::as_os_str));
        words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
    };
    let mut command = Command::new(program);
    command
        .args(&args)
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .map_err(NetworkError::io(format!("run {}", program.display())))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that ends before it has read everything says why with its status.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child
        .wait_with_output()
        .map_err(NetworkError::io(format!("wait for {}", program.display())))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let stderr = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    let stderr = if stderr.is_empty() {
        output.status.to_string()
    } else {
        stderr
    };
    Err(NetworkError::Command {
        command: line(),
        stderr,
    })
}

pub(crate) fn find(program: &'static str, package: &'static str) -> Result<PathBuf, NetworkError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // An administrator's own PATH often lacks the directories for administrators.
    let dirs = std::env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    dirs.filter(|dir| dir.is_absolute())
        .map(|dir| dir.join(program))
        .find(|file| file.is_file())
        .ok_or(NetworkError::Missing { program, package })
}

/// Namespaces are made and entered with `CAP_SYS_ADMIN`, links and rules with `CAP_NET_ADMIN`.
pub(crate) fn check_rights() -> Result<(), NetworkError> {
    const NET_ADMIN: u64 = 1 << 12;
    const SYS_ADMIN: u64 = 1 << 21;
    let status =
        std::fs::read_to_string("/proc/thread-self/status").map_err(NetworkError::io("read our own rights"))?;
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = effective
        .and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok())
        .unwrap_or(0);
    if effective & (NET_ADMIN | SYS_ADMIN) == NET_ADMIN | SYS_ADMIN {
        Ok(())
    } else {
        Err(NetworkError::NoRights)
    }
}
