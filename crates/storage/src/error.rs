//! What can go wrong with files: what was being done, with which file, and what the kernel or qemu-img said.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use berth_model::{Checksum, Code, Gib};

use crate::Space;

/// Why a file could not be made, read or removed.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// No room is left.
    #[error("can't {what} {}: no space is left on its disk", .path.display())]
    Full {
        /// What was being done.
        what: String,
        /// With which file.
        path: PathBuf,
    },
    /// No room would be left.
    #[error(
        "no room for {}: {} are free, of which {} are reserved for what is being written and {} are kept free (low_space)",
        Amount(*.wanted), Amount(.space.free), Amount(.space.reserved), Amount(.space.low_space)
    )]
    NoRoom {
        /// How many bytes were to be written.
        wanted: u64,
        /// What there was.
        space: Space,
    },
    /// The kernel refused.
    #[error("can't {what} {}: {source}", .path.display())]
    Io {
        /// What was being done.
        what: String,
        /// With which file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// What was given is no image that is accepted.
    #[error(
        "not an image that is accepted: {0}; give one file that is a whole disk: qcow2, raw, vmdk, vdi, vhd or vhdx"
    )]
    Image(String),
    /// What was given is not what its publisher says.
    #[error("the checksum is wrong: expected {expected}, got {got}; the file is damaged, or another one")]
    Checksum {
        /// What it was to hash to.
        expected: Box<Checksum>,
        /// What it does.
        got: Box<Checksum>,
    },
    /// The volume would be smaller than its image.
    #[error("a volume of {size} is too small for an image of {needed}")]
    TooSmall {
        /// The size that was asked for.
        size: Gib,
        /// The least that holds the image.
        needed: Gib,
    },
    /// There is something else under that name.
    #[error("{} is there and is not what it should be: {why}", .path.display())]
    Strange {
        /// Where it is.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The files of a seed disk are larger than it.
    #[error("{0} bytes of files don't fit on a seed disk: at most {max} are taken", max = crate::seed::SEED_MAX)]
    Seed(usize),
    /// An address that nothing is fetched from.
    #[error("nothing is fetched from {address}: {why}")]
    Refused {
        /// The address, without its query and whoever logs in.
        address: String,
        /// What is wrong with it.
        why: String,
    },
    /// The server can't be reached, or does what it may not.
    #[error("{address} can't be fetched: {why}")]
    Fetch {
        /// The address, without its query and whoever logs in.
        address: String,
        /// What it did.
        why: String,
    },
    /// The transfer was cancelled, or its sender went away.
    #[error("the import was cancelled")]
    Cancelled,
    /// qemu-img failed.
    #[error("qemu-img {verb} failed: {message}")]
    QemuImg {
        /// Its subcommand.
        verb: String,
        /// What it wrote to stderr.
        message: String,
    },
    /// qemu-img took too long.
    #[error("qemu-img {verb} did not end within {seconds} s and was killed")]
    Deadline {
        /// Its subcommand.
        verb: String,
        /// What it was given.
        seconds: u64,
    },
    /// A program or user that is needed isn't there.
    #[error("{0}")]
    Missing(String),
}

impl StorageError {
    /// The stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::Full { .. } | Self::NoRoom { .. } => Code::StorageFull,
            Self::Image(_) | Self::Checksum { .. } => Code::InvalidImage,
            Self::TooSmall { .. } | Self::Refused { .. } => Code::InvalidArgument,
            Self::Fetch { .. } => Code::FetchFailed,
            Self::Seed(_) => Code::TooLarge,
            Self::Cancelled => Code::OperationCancelled,
            Self::Deadline { .. } => Code::DeadlineExceeded,
            Self::Io { .. } | Self::Strange { .. } | Self::QemuImg { .. } | Self::Missing(_) => Code::StorageError,
        }
    }

    /// Turns the kernel's answer into an error that names what was being done.
    pub(crate) fn io(what: &str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let (what, path) = (what.to_owned(), path.to_owned());
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { what, path },
            _ => Self::Io { what, path, source },
        }
    }
}

/// Bytes as people read them.
pub(crate) struct Amount(pub(crate) u64);

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
        let Some((unit, bits)) = units.into_iter().find(|(_, bits)| self.0 >> bits > 0) else {
            return write!(f, "{} bytes", self.0);
        };
        let tenths = (u128::from(self.0) * 10) >> bits;
        write!(f, "{}.{} {unit}", tenths / 10, tenths % 10)
    }
}
