//! The dnsmasq processes of this installation, found by their command lines and ended for certain.
//!
//! A process is ours if its pid file, as its command line names it, is below our directory: that holds after any
//! crash, and whoever its parent is now.

use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::NetworkError;

/// The option that names the pid file, and with it the process.
pub(crate) const PID_FILE: &str = "--pid-file=";

/// How long a process may take to end before it is killed; dnsmasq takes a millisecond or two.
const PATIENCE: Duration = Duration::from_secs(2);

/// The dnsmasq processes whose pid file is below that directory, each with its pid file.
pub(crate) fn below(dir: &Path) -> Result<Vec<(Pid, PathBuf)>, NetworkError> {
    let entries = std::fs::read_dir("/proc").map_err(NetworkError::io("list the processes"))?;
    let pids = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    Ok(pids
        .map(Pid::from_raw)
        .filter_map(|pid| Some((pid, pid_file(&command_line(pid))?)))
        .filter(|(_, file)| file.starts_with(dir))
        .collect())
}

fn pid_file(arguments: &[OsString]) -> Option<PathBuf> {
    let program = Path::new(arguments.first()?).file_name()?;
    let named = |argument: &OsString| {
        argument
            .as_bytes()
            .strip_prefix(PID_FILE.as_bytes())
            .map(OsStr::from_bytes)
            .map(PathBuf::from)
    };
    (program == "dnsmasq")
        .then(|| arguments.iter().find_map(named))
        .flatten()
}

/// The arguments of a process, its program first; none if it has ended.
pub(crate) fn command_line(pid: Pid) -> Vec<OsString> {
    let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let Some(bytes) = bytes.strip_suffix(b"\0") else {
        return Vec::new();
    };
    bytes
        .split(|byte| *byte == 0)
        .map(|word| OsString::from_vec(word.to_vec()))
        .collect()
}

/// A descriptor that can be read once the process has ended; none if it has.
pub(crate) fn end_of(pid: Pid) -> Option<OwnedFd> {
    let pid = rustix::process::Pid::from_raw(pid.as_raw())?;
    rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok()
}

/// Ends all dnsmasq processes whose pid file is below that directory, or is it.
pub(crate) fn end_below(dir: &Path) -> Result<(), NetworkError> {
    for (pid, _) in below(dir)? {
        end(pid)?;
    }
    Ok(())
}

fn end(pid: Pid) -> Result<(), NetworkError> {
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        match kill(pid, signal) {
            Err(Errno::ESRCH) => return Ok(()),
            sent => sent.map_err(NetworkError::io(format!("end dnsmasq (process {pid})")))?,
        }
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if has_ended(pid) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    Err(NetworkError::Immortal(pid.as_raw()))
}

/// A zombie has ended: its sockets are closed, which isn't so yet when its command line is empty.
fn has_ended(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name, in parentheses, may contain anything.
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    state.is_none_or(|state| matches!(state, 'Z' | 'X'))
}
