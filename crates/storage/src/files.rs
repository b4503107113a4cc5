//! Files that are whole or not there, and belong to who has to open them.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use nix::fcntl::OFlag;
use nix::unistd::{Gid, Uid, User, chown, fchown, getegid, geteuid};

use crate::StorageError;

/// A user whom files are given to. Only root gives files away.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Owner(Option<(Uid, Gid)>);

impl Owner {
    /// The user of that name, as this setting says; nobody in particular if there is no name, or we aren't root.
    pub(crate) fn named(name: Option<&str>, setting: &str) -> Result<Self, StorageError> {
        let Some(name) = name else { return Ok(Self(None)) };
        let missing = || StorageError::Missing(format!("there is no user '{name}' on this host: set {setting}"));
        let user = User::from_name(name).ok().flatten().ok_or_else(missing)?;
        Ok(Self(geteuid().is_root().then_some((user.uid, user.gid))))
    }

    /// The user and group of that number, whether they have an account or not.
    pub(crate) fn number(id: u32) -> Self {
        Self(geteuid().is_root().then_some((Uid::from_raw(id), Gid::from_raw(id))))
    }

    /// The user and group, if files are given to any.
    pub(crate) fn ids(self) -> Option<(Uid, Gid)> {
        self.0
    }

    /// Gives a file to this user, and sets who else may do what with it.
    pub(crate) fn give(self, path: &Path, mode: u32) -> Result<(), StorageError> {
        if let Some((user, group)) = self.0 {
            chown(path, Some(user), Some(group)).map_err(|errno| StorageError::io("give away", path)(errno.into()))?;
        }
        fs::set_permissions(path, Permissions::from_mode(mode)).map_err(StorageError::io("set the mode of", path))
    }

    /// Lets a group read a file of this user.
    pub(crate) fn share(self, path: &Path, group: Gid) -> Result<(), StorageError> {
        let user = self.0.map_or_else(geteuid, |(user, _)| user);
        chown(path, Some(user), Some(group)).map_err(|errno| StorageError::io("give away", path)(errno.into()))?;
        fs::set_permissions(path, Permissions::from_mode(0o640)).map_err(StorageError::io("set the mode of", path))
    }
}

/// Takes over a file that a caged process made, and opens it. It must be a file and have no other name: a link would
/// lead to something else that is given away.
pub(crate) fn take(path: &Path, owner: Owner, mode: u32) -> Result<File, StorageError> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path);
    let file = file.map_err(StorageError::io("open", path))?;
    let found = file.metadata().map_err(StorageError::io("look at", path))?;
    if !found.is_file() || found.nlink() != 1 {
        return Err(StorageError::Strange {
            path: path.to_owned(),
            why: "it is no plain file with one name".to_owned(),
        });
    }
    if geteuid().is_root() {
        let (user, group) = owner.ids().unwrap_or((geteuid(), getegid()));
        fchown(&file, Some(user), Some(group)).map_err(|errno| StorageError::io("give away", path)(errno.into()))?;
    }
    file.set_permissions(Permissions::from_mode(mode))
        .map_err(StorageError::io("set the mode of", path))?;
    Ok(file)
}

/// Makes sure a directory is there and lets through whom the mode says.
pub(crate) fn ensure_dir(path: &Path, mode: u32) -> Result<(), StorageError> {
    let created = fs::DirBuilder::new().recursive(true).mode(mode).create(path);
    created.map_err(StorageError::io("make the directory", path))?;
    let found = fs::metadata(path)
        .map_err(StorageError::io("look at", path))?
        .permissions()
        .mode();
    if found & mode != mode {
        let widened = Permissions::from_mode(found | mode);
        fs::set_permissions(path, widened).map_err(StorageError::io("set the mode of", path))?;
    }
    Ok(())
}

/// Puts a whole file under its name, for good: the file, then the name.
pub(crate) fn publish(from: &Path, to: &Path) -> Result<(), StorageError> {
    File::open(from)
        .and_then(|file| file.sync_all())
        .map_err(StorageError::io("write out", from))?;
    fs::rename(from, to).map_err(StorageError::io("put in place", to))?;
    sync_parent(to)
}

/// Writes a small file whole, and gives it to QEMU.
pub(crate) fn write(tmp: &Path, to: &Path, bytes: &[u8], owner: Owner, mode: u32) -> Result<(), StorageError> {
    let mut file = create(tmp, 0o600)?;
    file.write_all(bytes).map_err(StorageError::io("write", tmp))?;
    owner.give(tmp, mode)?;
    publish(tmp, to)
}

/// A new file that only we may read until it is given away; what a crash left under that name is replaced.
pub(crate) fn create(path: &Path, mode: u32) -> Result<File, StorageError> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(path);
    file.map_err(StorageError::io("make", path))
}

/// Makes sure a file is gone.
pub(crate) fn remove(path: &Path) -> Result<(), StorageError> {
    gone(fs::remove_file(path), path)
}

/// Makes sure a directory is gone, with all that is in it.
pub(crate) fn remove_dir(path: &Path) -> Result<(), StorageError> {
    gone(fs::remove_dir_all(path), path)
}

fn gone(result: io::Result<()>, path: &Path) -> Result<(), StorageError> {
    match result {
        Ok(()) => sync_parent(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(StorageError::io("remove", path)(error)),
    }
}

fn sync_parent(path: &Path) -> Result<(), StorageError> {
    let Some(dir) = path.parent() else { return Ok(()) };
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(StorageError::io("write out", dir))
}

/// Whether the file system takes O_DIRECT: tmpfs, and some network file systems, don't.
pub(crate) fn allows_direct_io(tmp: &Path) -> Result<bool, StorageError> {
    let path = tmp.join("direct-io");
    drop(create(&path, 0o600)?);
    let direct = OpenOptions::new()
        .read(true)
        .custom_flags(OFlag::O_DIRECT.bits())
        .open(&path);
    remove(&path)?;
    match direct {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(false),
        Err(error) => Err(StorageError::io("open", &path)(error)),
    }
}
