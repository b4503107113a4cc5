//! DHCP and DNS of one subnet: host entries, leases, and the dnsmasq that serves them.
//!
//! ```text
//! network/<VPC>/<subnet>/hosts/<tap>   one line: MAC, address, name
//!                        leases        what dnsmasq has given out
//!                        pid           whom to ask
//! ```
//!
//! dnsmasq reads a new host file by itself (inotify), and never forgets one: neither the entry nor the lease, and while
//! it holds either, the address can't go to another MAC. So whatever takes an entry away *stops* dnsmasq first, and
//! starting it keeps only the leases whose entry is still there. A crash in between leaves a dnsmasq that isn't
//! running, which is seen; never one that remembers too much, which isn't. It is away for some 15 ms.
//!
//! Host files aren't synced to the disk: they follow from what the caller has journaled, and are written again before
//! anything runs after a power failure.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::{NetworkError, Subnet, dnsmasq, process};

/// The DHCP service of one subnet. What starts or checks dnsmasq is to be called inside the namespace.
#[derive(Debug)]
pub(crate) struct Dhcp<'a> {
    pub(crate) program: &'a Path,
    pub(crate) dir: PathBuf,
    pub(crate) subnet: &'a Subnet,
    pub(crate) nat: bool,
}

impl<'a> Dhcp<'a> {
    pub(crate) fn new(program: &'a Path, dir: PathBuf, subnet: &'a Subnet, nat: bool) -> Self {
        Self {
            program,
            dir,
            subnet,
            nat,
        }
    }

    pub(crate) fn hosts(&self) -> PathBuf {
        self.dir.join("hosts")
    }

    pub(crate) fn leases(&self) -> PathBuf {
        self.dir.join("leases")
    }

    pub(crate) fn pid_file(&self) -> PathBuf {
        self.dir.join("pid")
    }

    /// Makes sure that these are the entries, and no others are: file name to line.
    pub(crate) fn set(&self, entries: &BTreeMap<String, String>) -> Result<(), NetworkError> {
        self.make_dirs()?;
        let present = self.entries()?;
        let stale: Vec<_> = present
            .iter()
            .filter(|(name, line)| entries.get(*name) != Some(*line))
            .collect();
        if !stale.is_empty() {
            self.stop()?;
        }
        for (name, _) in stale {
            remove(&self.hosts().join(name))?;
        }
        let missing = entries.iter().filter(|(name, line)| present.get(*name) != Some(*line));
        missing.into_iter().try_for_each(|(name, line)| self.write(name, line))
    }

    /// Makes sure that this entry is among them.
    pub(crate) fn add(&self, name: &str, line: &str) -> Result<(), NetworkError> {
        self.make_dirs()?;
        match read(&self.hosts().join(name))? {
            Some(present) if present == line => Ok(()),
            Some(_) => {
                self.stop()?;
                self.write(name, line)
            }
            None => self.write(name, line),
        }
    }

    /// Makes sure that this entry isn't among them. Leaves dnsmasq stopped if it was.
    pub(crate) fn forget(&self, name: &str) -> Result<(), NetworkError> {
        let file = self.hosts().join(name);
        if read(&file)?.is_none() {
            return Ok(());
        }
        self.stop()?;
        remove(&file)
    }

    /// Makes sure that no dnsmasq serves this subnet.
    pub(crate) fn stop(&self) -> Result<(), NetworkError> {
        process::end_below(&self.pid_file())
    }

    /// Makes sure that a dnsmasq serves this subnet, with these options and in this namespace.
    pub(crate) fn ensure_running(&self) -> Result<(), NetworkError> {
        if dnsmasq::is_running(self) {
            return Ok(());
        }
        self.stop()?;
        self.make_dirs()?;
        self.keep_valid_leases()?;
        dnsmasq::start(self)
    }

    fn keep_valid_leases(&self) -> Result<(), NetworkError> {
        let Some(leases) = read(&self.leases())? else {
            return Ok(());
        };
        let entries = self.entries()?;
        let valid: HashSet<(&str, &str)> = entries.values().filter_map(|line| lease_key(line.split(','))).collect();
        // A lease: when it ends, MAC, address, name, client id.
        let kept = leases
            .lines()
            .filter(|line| lease_key(line.split(' ').skip(1)).is_some_and(|key| valid.contains(&key)));
        let kept: String = kept.flat_map(|line| [line, "\n"]).collect();
        if kept == leases {
            Ok(())
        } else {
            replace(&self.dir.join(".leases.new"), &self.leases(), &kept)
        }
    }

    fn entries(&self) -> Result<BTreeMap<String, String>, NetworkError> {
        let doing = || format!("list {}", self.hosts().display());
        let mut entries = BTreeMap::new();
        for file in fs::read_dir(self.hosts()).map_err(NetworkError::io(doing()))? {
            let file = file.map_err(NetworkError::io(doing()))?;
            if let Some(line) = read(&file.path())? {
                entries.insert(file.file_name().to_string_lossy().into_owned(), line);
            }
        }
        Ok(entries)
    }

    /// dnsmasq doesn't read files whose name begins with a dot.
    fn write(&self, name: &str, line: &str) -> Result<(), NetworkError> {
        replace(&self.hosts().join(format!(".{name}")), &self.hosts().join(name), line)
    }

    /// Whatever the daemon's umask is: dnsmasq isn't root and reads them. They hold addresses and names.
    fn make_dirs(&self) -> Result<(), NetworkError> {
        let (hosts, vpc) = (self.hosts(), self.dir.parent());
        let doing = || format!("make {}", hosts.display());
        DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(&hosts)
            .map_err(NetworkError::io(doing()))?;
        let ours = [
            vpc.and_then(Path::parent),
            vpc,
            Some(self.dir.as_path()),
            Some(hosts.as_path()),
        ];
        for dir in ours.into_iter().flatten() {
            fs::set_permissions(dir, Permissions::from_mode(0o755)).map_err(NetworkError::io(doing()))?;
        }
        Ok(())
    }
}

fn lease_key<'a>(mut words: impl Iterator<Item = &'a str>) -> Option<(&'a str, &'a str)> {
    Some((words.next()?, words.next()?))
}

fn read(path: &Path) -> Result<Option<String>, NetworkError> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        text => text
            .map(Some)
            .map_err(NetworkError::io(format!("read {}", path.display()))),
    }
}

pub(crate) fn remove(path: &Path) -> Result<(), NetworkError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done.map_err(NetworkError::io(format!("remove {}", path.display()))),
    }
}

/// Either the old text is there or the whole new one, readable by all.
fn replace(temporary: &Path, path: &Path, text: &str) -> Result<(), NetworkError> {
    let written = fs::write(temporary, text)
        .and_then(|()| fs::set_permissions(temporary, Permissions::from_mode(0o644)))
        .and_then(|()| fs::rename(temporary, path));
    written.map_err(NetworkError::io(format!("write {}", path.display())))
}
