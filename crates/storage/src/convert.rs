//! A disk, in whatever format, made into a qcow2 file by a caged qemu-img, within room that is reserved first.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};

use berth_model::DiskFormat;

use crate::cage::Reach;
use crate::files;
use crate::format::{self, Recognised};
use crate::qemu_img::QemuImg;
use crate::{Storage, StorageError};

/// How much larger than measured a file may get, in bytes: tables are written in whole clusters.
const SLACK: u64 = 1 << 20;

/// A disk that is read, and whoever may want to stop that.
pub(crate) struct Disk<'a> {
    /// Who reads it, and in which cage.
    pub(crate) by: &'a QemuImg,
    /// Its file.
    pub(crate) path: &'a Path,
    /// All files that are read for it: its own, and those beneath it.
    pub(crate) reads: &'a [&'a Path],
    /// What its file is.
    pub(crate) format: DiskFormat,
    /// Bytes of the disk.
    pub(crate) virtual_size: u64,
    /// Asked now and then.
    pub(crate) cancelled: &'a dyn Fn() -> bool,
}

impl Storage {
    /// Runs what makes a file in a directory of its own, `tmp/NAME`, and clears that away whatever comes of it.
    pub(crate) fn in_workshop<T>(
        &self,
        name: &str,
        work: impl FnOnce(&Path) -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        let dir = self.tmp(name);
        files::ensure_dir(&dir, 0o700)?;
        let made = work(&dir);
        let cleared = files::remove_dir(&dir);
        let made = made?;
        cleared?;
        Ok(made)
    }

    /// Converts a disk into a new file in that directory, which the cage's user gets to write in, and returns it.
    pub(crate) fn convert(&self, disk: &Disk<'_>, options: &[&str], dir: &Path) -> Result<PathBuf, StorageError> {
        let qemu_img = disk.by;
        let work = dir.join("work");
        qemu_img.cage().ensure_work_dir(&work)?;
        let measured = qemu_img.measure(disk)?;
        // No disk takes more than itself and its tables: one cluster of 8-byte entries for each 512 MiB, and refcounts.
        let most = disk.virtual_size + disk.virtual_size / 1024 + SLACK;
        let room = self.reserve(measured.min(most))?;
        let made = work.join("made.qcow2");
        let options = options.iter().map(OsStr::new);
        let formats = ["-f", disk.format.qemu_name(), "-O", "qcow2"].map(OsStr::new);
        let args: Vec<&OsStr> = options
            .chain(formats)
            .chain([disk.path.as_os_str(), made.as_os_str()])
            .collect();
        let reach = Reach {
            reads: disk.reads,
            work: Some(&work),
            file_max: room.left() + SLACK,
        };
        qemu_img.run_caged("convert", &args, reach, disk.cancelled)?;
        Ok(made)
    }

    /// Takes a file out of the cage, read-only from now on, and says what disk is in it. Whoever broke qemu-img could
    /// have written anything: it is doubted as a file from outside is.
    pub(crate) fn take_converted(&self, made: &Path) -> Result<(Recognised, u64), StorageError> {
        let strange = |why: String| StorageError::Strange {
            path: made.to_owned(),
            why,
        };
        let file = files::take(made, self.0.owner, 0o444)?;
        let length = length(&file, made)?;
        let found = format::inspect(&(file, length)).map_err(strange)?;
        if found.format != DiskFormat::Qcow2 {
            return Err(strange(format!("it should be qcow2 and is {}", found.format)));
        }
        Ok((found, length))
    }
}

/// How long a file is, in bytes.
pub(crate) fn length(file: &File, path: &Path) -> Result<u64, StorageError> {
    let found = file.metadata().map_err(StorageError::io("look at", path))?;
    Ok(found.len())
}
