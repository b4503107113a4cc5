//! The daemons that a person works with, by name: `contexts.toml` in the user's configuration directory.
//!
//! Tokens are in it, so it is the user's alone (mode 0600): one that others may read is not read. It is changed under a
//! lock and by a rename, so that neither two commands at once nor a crash leave half of it.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{DirBuilder, File};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use berth_client::{At, Identity, Target};
use berth_model::{Code, Name};
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// The name of what is always there: the socket of this host.
pub(crate) const LOCAL: &str = "local";

/// Where a daemon serves its own host.
pub(crate) const SOCKET: &str = "/run/berth/berth.sock";

/// Everybody but the owner, in a file's mode.
const NOT_THE_OWNER: u32 = 0o077;

/// All contexts, and the one in use.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Contexts {
    /// The one in use; this host's socket if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) current: Option<Name>,
    #[serde(default)]
    pub(crate) contexts: BTreeMap<Name, Stored>,
}

/// A daemon, and by what one is known there.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stored {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) socket: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) certificate: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) project: Option<Name>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<String>,
}

/// The token is shown nowhere.
impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stored")
            .field("url", &self.url)
            .field("socket", &self.socket)
            .finish_non_exhaustive()
    }
}

impl Stored {
    /// What a client needs of it.
    pub(crate) fn target(&self) -> Result<Target, Failure> {
        let at = match (&self.url, &self.socket) {
            (Some(url), None) => At::Https {
                url: At::parse_url(url).map_err(Failure::invalid)?,
                ca: self.ca.clone(),
                identity: match (&self.certificate, &self.key) {
                    (Some(certificate), Some(key)) => Some(Identity {
                        certificate: certificate.clone(),
                        key: key.clone(),
                    }),
                    (None, None) => None,
                    _ => return Err(Failure::invalid("a certificate and its key come together")),
                },
            },
            (None, Some(socket)) => At::Socket(socket.clone()),
            _ => return Err(Failure::invalid("a context has either a URL or a socket")),
        };
        Ok(Target {
            at,
            token: self.token.clone(),
            project: self.project.as_ref().map(ToString::to_string),
        })
    }

    /// Where the daemon is, in a word.
    pub(crate) fn at(&self) -> String {
        let socket = self.socket.as_ref().map(|socket| socket.display().to_string());
        self.url.clone().or(socket).unwrap_or_default()
    }
}

impl Contexts {
    /// The contexts as they are stored; none if nothing is.
    pub(crate) fn load() -> anyhow::Result<Self> {
        match directory() {
            Some(dir) => Self::read(&dir.join(FILE)),
            None => Ok(Self::default()),
        }
    }

    /// Changes what is stored.
    pub(crate) fn change<T>(change: impl FnOnce(&mut Self) -> Result<T, Failure>) -> anyhow::Result<T> {
        let dir = directory().ok_or_else(|| Failure::invalid("neither XDG_CONFIG_HOME nor HOME is set"))?;
        Self::change_in(&dir, change)
    }

    fn change_in<T>(dir: &Path, change: impl FnOnce(&mut Self) -> Result<T, Failure>) -> anyhow::Result<T> {
        let failed = |error: std::io::Error| Failure::invalid(format!("{}: {error}", dir.display()));
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(failed)?;
        let file = File::open(dir).map_err(failed)?;
        let locked = Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, error)| failed(error.into()))?;
        let path = dir.join(FILE);
        let mut contexts = Self::read(&path)?;
        let done = change(&mut contexts)?;
        let text = toml::to_string(&contexts)?;
        // A new file of this kind is the user's alone from its beginning.
        let mut new = tempfile::NamedTempFile::new_in(dir).map_err(failed)?;
        new.write_all(text.as_bytes()).map_err(failed)?;
        new.as_file().sync_all().map_err(failed)?;
        new.persist(&path).map_err(|error| failed(error.error))?;
        locked.sync_all().map_err(failed)?;
        Ok(done)
    }

    fn read(path: &Path) -> anyhow::Result<Self> {
        let failed = |why: &dyn fmt::Display| Failure::invalid(format!("{}: {why}", path.display()));
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(failed(&error).into()),
        };
        let mode = file.metadata().map_err(|error| failed(&error))?.mode();
        if mode & NOT_THE_OWNER != 0 {
            let why = format!(
                "others may read it (mode {:04o}), and tokens are in it: chmod 0600",
                mode & 0o7777
            );
            return Err(failed(&why).into());
        }
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(|error| failed(&error))?;
        // What toml says of an error has the line in it, and the line may be a token.
        toml::from_str(&text).map_err(|error| failed(&error.message()).into())
    }

    /// The context of that name.
    pub(crate) fn find(&self, name: &str) -> Result<&Stored, Failure> {
        let found = self.contexts.iter().find(|(of, _)| of.as_str() == name);
        found.map(|(_, stored)| stored).ok_or_else(|| {
            let message = format!("there is no context '{name}'; 'berth context list' shows those there are");
            Failure::new(Code::NotFound, message)
        })
    }
}

const FILE: &str = "contexts.toml";

/// `$XDG_CONFIG_HOME/berth`, or below `~/.config` (XDG Base Directory Specification).
fn directory() -> Option<PathBuf> {
    let config = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config"));
    let dir = config.filter(|dir| dir.is_absolute()).or_else(home)?;
    Some(dir.join("berth"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn stored(token: Option<&str>) -> Stored {
        Stored {
            url: Some("https://berth.example:8443".to_owned()),
            socket: None,
            ca: None,
            certificate: None,
            key: None,
            project: "web".parse().ok(),
            token: token.map(str::to_owned),
        }
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn what_is_stored_is_the_users_alone() {
        let above = tempfile::tempdir().unwrap();
        let dir = above.path().join("config/berth");
        let add = |name: &str, token| {
            Contexts::change_in(&dir, |contexts| {
                contexts.contexts.insert(name.parse().unwrap(), stored(token));
                Ok(())
            })
        };
        add("lab", Some("secret")).unwrap();
        add("home", None).unwrap();
        let file = dir.join(FILE);
        assert_eq!((mode(&dir), mode(&file)), (0o700, 0o600));
        let read = Contexts::read(&file).unwrap();
        assert_eq!(read.find("lab").unwrap().token.as_deref(), Some("secret"));
        assert!(read.find("home").unwrap().token.is_none());
        assert!(read.find("away").is_err());
        assert!(!format!("{read:?}").contains("secret"));
        assert!(!format!("{:?}", read.find("lab").unwrap().target().unwrap()).contains("secret"));

        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        let refused = Contexts::read(&file).unwrap_err().to_string();
        assert!(refused.contains("others may read it (mode 0640)"), "{refused}");
        assert!(add("more", None).is_err(), "and not written either");
    }

    #[test]
    fn a_change_that_is_refused_leaves_all_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let refuse = |_: &mut Contexts| Err::<(), _>(Failure::invalid("no"));
        assert!(Contexts::change_in(dir.path(), refuse).is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_broken_file_is_told_without_what_is_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(FILE);
        for text in [
            "token = secret",
            "[contexts.lab]\ntoken = ['secret']\n",
            "[contexts.lab]\ntokn = 'secret'\n",
        ] {
            fs::write(&file, text).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
            let refused = Contexts::read(&file).unwrap_err().to_string();
            assert!(refused.contains(FILE) && !refused.contains("secret"), "{refused}");
        }
    }

    #[test]
    fn where_a_context_leads_must_make_sense() {
        let mut both = stored(None);
        both.socket = Some("/run/berth/berth.sock".into());
        let mut half = stored(None);
        half.certificate = Some("/c.pem".into());
        let at = |url: &str| Stored {
            url: Some(url.to_owned()),
            ..stored(None)
        };
        for bad in [
            both,
            half,
            at("http://berth.example"),
            at("https://me:secret@berth.example"),
            at("https://berth.example/v1"),
            at("berth.example:8443"),
        ] {
            assert!(bad.target().is_err(), "{bad:?}");
        }
        assert_eq!(
            stored(None).target().unwrap().at.to_string(),
            "https://berth.example:8443"
        );
    }
}
