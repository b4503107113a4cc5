//! DHCP and DNS of one VPC: host entries, names, leases, and the dnsmasq that serves them.
//!
//! ```text
//! network/<VPC>/hosts/<tap>   for DHCP, one line: MAC, address, name
//!               names/<tap>   for DNS, one line: address, names
//!               leases        what dnsmasq has given out
//!               pid           whom to ask
//! ```
//!
//! One dnsmasq serves all subnets of a VPC, so that a name is known in all of them, from the moment its port is there.
//!
//! dnsmasq reads a new file by itself (inotify), and never forgets one: neither the entry nor the lease, and while
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

use crate::{DOMAIN, NetworkError, Port, Subnet, dnsmasq, process};

const HOSTS: &str = "hosts";
const NAMES: &str = "names";

/// Files below the VPC's directory, each with its line.
pub(crate) type Entries = BTreeMap<String, String>;

/// A port of a guest that has its default route elsewhere, among dnsmasq's tags.
pub(crate) const SECONDARY: &str = "secondary";

/// The DHCP service of one VPC. What starts or checks dnsmasq is to be called inside the namespace.
#[derive(Debug)]
pub(crate) struct Dhcp<'a> {
    pub(crate) program: &'a Path,
    pub(crate) dir: PathBuf,
    pub(crate) subnets: &'a [Subnet],
    pub(crate) nat: bool,
}

impl<'a> Dhcp<'a> {
    pub(crate) fn new(program: &'a Path, dir: PathBuf, subnets: &'a [Subnet], nat: bool) -> Self {
        Self {
            program,
            dir,
            subnets,
            nat,
        }
    }

    pub(crate) fn hosts(&self) -> PathBuf {
        self.dir.join(HOSTS)
    }

    pub(crate) fn names(&self) -> PathBuf {
        self.dir.join(NAMES)
    }

    pub(crate) fn leases(&self) -> PathBuf {
        self.dir.join("leases")
    }

    pub(crate) fn pid_file(&self) -> PathBuf {
        self.dir.join("pid")
    }

    /// Makes sure that these are the entries, and no others are.
    pub(crate) fn set(&self, entries: &Entries) -> Result<(), NetworkError> {
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
            remove(&self.dir.join(name))?;
        }
        let missing = entries.iter().filter(|(name, line)| present.get(*name) != Some(*line));
        missing.into_iter().try_for_each(|(name, line)| self.write(name, line))
    }

    /// Makes sure that these entries are among them.
    pub(crate) fn add(&self, entries: &Entries) -> Result<(), NetworkError> {
        self.make_dirs()?;
        for (name, line) in entries {
            match read(&self.dir.join(name))? {
                Some(present) if present == *line => continue,
                Some(_) => self.stop()?,
                None => {}
            }
            self.write(name, line)?;
        }
        Ok(())
    }

    /// Makes sure that a port's entries aren't among them. Leaves dnsmasq stopped if they were.
    pub(crate) fn forget(&self, tap: &str) -> Result<(), NetworkError> {
        for file in [self.hosts().join(tap), self.names().join(tap)] {
            if read(&file)?.is_some() {
                self.stop()?;
                remove(&file)?;
            }
        }
        Ok(())
    }

    /// Makes sure that no dnsmasq serves this VPC, be it one of an older Berth's, which had one a subnet.
    pub(crate) fn stop(&self) -> Result<(), NetworkError> {
        process::end_below(&self.dir)
    }

    /// Makes sure that a dnsmasq serves this VPC, with these options and in this namespace.
    pub(crate) fn ensure_running(&self) -> Result<(), NetworkError> {
        if dnsmasq::is_running(self) {
            return Ok(());
        }
        self.stop()?;
        // One that is told of no link serves them all.
        if self.subnets.is_empty() {
            return Ok(());
        }
        self.make_dirs()?;
        self.keep_valid_leases()?;
        dnsmasq::start(self)
    }

    fn keep_valid_leases(&self) -> Result<(), NetworkError> {
        let Some(leases) = read(&self.leases())? else {
            return Ok(());
        };
        let entries = self.entries()?;
        let valid: HashSet<(&str, &str)> = entries
            .iter()
            .filter(|(name, _)| name.starts_with(HOSTS))
            .map(|(_, line)| line)
            .filter_map(|line| lease_key(line.split(',')))
            .collect();
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

    fn entries(&self) -> Result<Entries, NetworkError> {
        let mut entries = BTreeMap::new();
        for kind in [HOSTS, NAMES] {
            let dir = self.dir.join(kind);
            let doing = || format!("list {}", dir.display());
            for file in fs::read_dir(&dir).map_err(NetworkError::io(doing()))? {
                let file = file.map_err(NetworkError::io(doing()))?;
                if let Some(line) = read(&file.path())? {
                    entries.insert(format!("{kind}/{}", file.file_name().to_string_lossy()), line);
                }
            }
        }
        Ok(entries)
    }

    /// dnsmasq doesn't read files whose name begins with a dot.
    fn write(&self, name: &str, line: &str) -> Result<(), NetworkError> {
        let path = self.dir.join(name);
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        replace(&path.with_file_name(format!(".{file}")), &path, line)
    }

    /// Whatever the daemon's umask is: dnsmasq isn't root and reads them. They hold addresses and names.
    fn make_dirs(&self) -> Result<(), NetworkError> {
        let (hosts, names) = (self.hosts(), self.names());
        let doing = || format!("make {}", self.dir.display());
        for dir in [&hosts, &names] {
            let mut builder = DirBuilder::new();
            let made = builder.recursive(true).mode(0o755).create(dir);
            made.map_err(NetworkError::io(doing()))?;
        }
        let ours = [self.dir.parent(), Some(&self.dir), Some(&hosts), Some(&names)];
        for dir in ours.into_iter().flatten() {
            fs::set_permissions(dir, Permissions::from_mode(0o755)).map_err(NetworkError::io(doing()))?;
        }
        Ok(())
    }
}

/// What dnsmasq is told of a port. A comma would begin another field: the hostname has been checked.
pub(crate) fn entries(port: &Port, tap: &str) -> Entries {
    let (address, name) = (port.address, &port.hostname);
    let tag = if port.primary {
        String::new()
    } else {
        format!(",set:{SECONDARY}")
    };
    let host = format!("{},{address},{name}{tag}\n", port.mac);
    let names = format!("{address} {name}.{DOMAIN} {name}\n");
    Entries::from([(format!("{HOSTS}/{tap}"), host), (format!("{NAMES}/{tap}"), names)])
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
