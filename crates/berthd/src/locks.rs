//! What only one daemon may have: the state directory and the socket, which systemd may hand over.

use std::fs::{File, OpenOptions, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener as StdListener, UnixStream};
use std::path::Path;
use std::time::{Duration, Instant};

use berth_model::Code;
use listenfd::ListenFd;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::unistd::chown;
use tokio::net::UnixListener;

use crate::config::{Config, group};
use crate::failure::Failure;

/// A lock that is held until it is dropped, or the process is gone.
pub(crate) type Lock = Flock<File>;

/// Takes the state directory for this daemon; makes it if it isn't there.
pub(crate) fn state_dir(dir: &Path) -> Result<Lock, Failure> {
    std::fs::create_dir_all(dir).map_err(|error| failed("making the state directory", dir, &error))?;
    exclusive(
        &dir.join("berthd.lock"),
        &format!("the state directory {}", dir.display()),
    )
}

/// The socket that systemd hands over (sd_listen_fds(3)), if it does. Only before there is another thread: it takes the
/// variables that say so out of the environment.
pub(crate) fn handed_over() -> Result<Option<StdListener>, Failure> {
    let wrong = |why: String| Failure::new(Code::InvalidArgument, format!("the socket handed over: {why}"));
    let mut handed = ListenFd::from_env();
    if handed.len() > 1 {
        return Err(wrong(format!(
            "there are {}, and one unix socket is served",
            handed.len()
        )));
    }
    handed.take_unix_listener(0).map_err(|error| wrong(error.to_string()))
}

/// Takes a socket that systemd hands over: who may connect, and when it goes, is said by its unit.
pub(crate) fn adopt(handed: StdListener) -> Result<UnixListener, Failure> {
    let adopted = handed
        .set_nonblocking(true)
        .and_then(|()| UnixListener::from_std(handed));
    adopted.map_err(|error| Failure::internal(format!("the socket handed over: {error}")))
}

/// Takes the socket: a path that nobody serves is cleared, one that somebody serves is theirs.
pub(crate) fn socket(path: &Path, admitted: Admitted<'_>) -> Result<(UnixListener, Lock), Failure> {
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir).map_err(|error| failed("making the socket's directory", dir, &error))?;
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(".lock");
    let lock = exclusive(Path::new(&beside), &format!("the socket {}", path.display()))?;
    if UnixStream::connect(path).is_ok() {
        let message = format!("the socket {} is served by another program", path.display());
        return Err(Failure::new(Code::AlreadyRunning, message));
    }
    match std::fs::symlink_metadata(path) {
        Ok(found) if !std::os::unix::fs::FileTypeExt::is_socket(&found.file_type()) => {
            let message = format!(
                "{} is there and is not a socket: choose another --socket",
                path.display()
            );
            return Err(Failure::new(Code::InvalidArgument, message));
        }
        Ok(_) => std::fs::remove_file(path).map_err(|error| failed("clearing the socket", path, &error))?,
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(failed("looking at the socket", path, &error)),
    }
    let listener = UnixListener::bind(path).map_err(|error| failed("binding the socket", path, &error))?;
    admit(path, admitted)?;
    Ok((listener, lock))
}

/// Who may connect.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Admitted<'a> {
    /// The group whose members own the host, as root does.
    group: Option<&'a str>,
    /// Whether other users of the host may be users of Berth: who they are is found out when they ask.
    everybody: bool,
}

impl<'a> Admitted<'a> {
    pub(crate) fn of(config: &'a Config) -> Self {
        Self {
            group: config.socket_group.as_deref(),
            everybody: !config.auth.local_users.is_empty(),
        }
    }
}

fn admit(path: &Path, admitted: Admitted<'_>) -> Result<(), Failure> {
    let others = if admitted.everybody { 0o006 } else { 0 };
    let Some(name) = admitted.group else {
        return set_mode(path, 0o600 | others);
    };
    chown(path, None, Some(group("socket_group", name)?.gid))
        .map_err(|error| failed("giving the socket to its group", path, &error.into()))?;
    set_mode(path, 0o660 | others)
}

fn set_mode(path: &Path, mode: u32) -> Result<(), Failure> {
    std::fs::set_permissions(path, Permissions::from_mode(mode))
        .map_err(|error| failed("setting the mode of the socket", path, &error))
}

/// How long a lock may still be another's. A daemon that was killed while it began a program leaves its locks to that
/// program until the kernel has loaded it: a moment later they are nobody's.
const LET_GO_WITHIN: Duration = Duration::from_secs(1);

/// How often it is looked meanwhile: the kernel has no lock that is waited for only so long.
const LOOK_EVERY: Duration = Duration::from_millis(20);

fn exclusive(path: &Path, what: &str) -> Result<Lock, Failure> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path);
    let mut file = file.map_err(|error| failed("opening the lock", path, &error))?;
    let until = Instant::now() + LET_GO_WITHIN;
    loop {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(lock),
            Err((again, Errno::EWOULDBLOCK)) if Instant::now() < until => file = again,
            Err((_, Errno::EWOULDBLOCK)) => {
                let message = format!("{what} is in use by another berthd");
                return Err(Failure::new(Code::AlreadyRunning, message));
            }
            Err((_, error)) => return Err(failed("locking", path, &error.into())),
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

fn failed(doing: &str, path: &Path, error: &std::io::Error) -> Failure {
    let code = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Code::StorageFull,
        _ => Code::StorageError,
    };
    Failure::new(code, format!("{doing} {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_lock_that_is_let_go_soon_is_waited_for_and_another_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let held = exclusive(&path, "it").unwrap();
        let refused = exclusive(&path, "the lock of the test").unwrap_err();
        assert_eq!(refused.code, Code::AlreadyRunning);
        std::thread::scope(|scope| {
            let taken = scope.spawn(|| exclusive(&path, "it").map(drop));
            drop(held);
            assert!(taken.join().unwrap().is_ok());
        });
    }
}
