//! Network namespaces by name, as `ip netns` keeps them: a file of `/run/netns` that a namespace is mounted on.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use nix::sched::{CloneFlags, setns};
use nix::sys::statfs::{NSFS_MAGIC, statfs};

use crate::NetworkError;
use crate::command::{Tools, run};

const DIR: &str = "/run/netns";

fn path(name: &str) -> PathBuf {
    Path::new(DIR).join(name)
}

/// Whether the namespace is there. A file alone isn't one: a crash of `ip netns`, or a mount namespace that is gone,
/// leaves it behind.
pub(crate) fn exists(name: &str) -> bool {
    statfs(&path(name)).is_ok_and(|found| found.filesystem_type() == NSFS_MAGIC)
}

/// The namespace's own number, if it is there.
pub(crate) fn inode(name: &str) -> Option<u64> {
    use std::os::unix::fs::MetadataExt as _;
    let there = exists(name).then(|| std::fs::metadata(path(name)).ok());
    there.flatten().map(|found| found.ino())
}

/// The names in `/run/netns`, be they namespaces or only files.
pub(crate) fn names() -> Result<Vec<String>, NetworkError> {
    let entries = match std::fs::read_dir(DIR) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(NetworkError::io(format!("list {DIR}")))?,
    };
    Ok(entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect())
}

/// Makes sure the namespace is there; says whether it was made just now.
pub(crate) fn ensure(tools: &Tools, name: &str) -> Result<bool, NetworkError> {
    if exists(name) {
        return Ok(false);
    }
    remove_file(name)?;
    run(&tools.ip, ["netns", "add", name], "").map(|_| true)
}

/// Makes sure the name is gone. The namespace goes when the last process and socket in it does.
pub(crate) fn remove(tools: &Tools, name: &str) -> Result<(), NetworkError> {
    if exists(name) {
        run(&tools.ip, ["netns", "del", name], "")?;
    }
    remove_file(name)
}

fn remove_file(name: &str) -> Result<(), NetworkError> {
    match std::fs::remove_file(path(name)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(NetworkError::io(format!("remove {}", path(name).display()))(error))
        }
        _ => Ok(()),
    }
}

/// Does `work`, and the programs it runs, inside the namespace: on a thread that ends with it, for a thread that has
/// entered a namespace must never be used for anything else.
pub(crate) fn inside<T: Send>(
    name: &str,
    work: impl FnOnce() -> Result<T, NetworkError> + Send,
) -> Result<T, NetworkError> {
    if !exists(name) {
        return Err(NetworkError::NoNamespace(name.to_owned()));
    }
    let file = File::open(path(name)).map_err(NetworkError::io(format!("open the namespace {name}")))?;
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn_scoped(scope, move || {
                setns(file, CloneFlags::CLONE_NEWNET)
                    .map_err(NetworkError::io(format!("enter the namespace {name}")))?;
                work()
            });
        let thread = thread.map_err(NetworkError::io("start a thread"))?;
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Sets a value below `/proc/sys/net` of the calling thread's namespace. A host without IPv6 lacks its values, and
/// needs none.
pub(crate) fn sysctl(name: &str, value: &str) -> Result<(), NetworkError> {
    let path = Path::new("/proc/sys/net").join(name);
    if std::fs::read_to_string(&path).is_ok_and(|now| now.trim() == value) {
        return Ok(());
    }
    match std::fs::write(&path, value) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && name.starts_with("ipv6/") => Ok(()),
        done => done.map_err(NetworkError::io(format!("set {} to {value}", path.display()))),
    }
}
