//! Images, volumes and seed disks as files under the state directory: qcow2, and nothing above it.
//!
//! ```text
//!   state_dir/ images/<image>.qcow2      read-only for ever, what volumes are built on
//!              volumes/<layer>.qcow2     a part of a volume, on an image or another layer; QEMU's own user may write it
//!              instances/<instance>/     seed.img, console.log, sockets
//!              downloads/<image>.part    what is being fetched; goes on after a restart
//!              tmp/                      half-made files; emptied when the daemon starts
//! ```
//!
//! A file appears under its name only when it is whole: it is made in `tmp/`, fsynced, renamed, and its directory is
//! fsynced. So what is half-made after a crash is in `tmp/`, and every function here may be called again.
//!
//! Architecture invariant: a foreign file is looked at by our own parser (`format`) before qemu-img opens it, and
//! qemu-img opens it caged (`cage`) and with the format said, never guessed. Who writes reserves the room first (`space`).

mod cage;
mod convert;
mod copied;
mod error;
mod fetch;
mod files;
mod format;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod image;
mod instance;
mod inventory;
mod qemu_img;
mod seed;
mod shelf;
mod space;
mod volume;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use error::StorageError;
pub use fetch::FetchPolicy;
pub use image::{ImageFacts, ImageSource, ImportChecks};
pub use instance::InstanceDir;
pub use inventory::Inventory;
pub use space::{LOW_SPACE, Reservation, Space};
pub use volume::{LayerInfo, Under};

use crate::cage::Cage;
use crate::files::Owner;
use crate::format::qcow2;
use crate::qemu_img::QemuImg;
use crate::space::Promised;

/// What an operator says of storage, once.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The state directory.
    pub state_dir: PathBuf,
    /// Who QEMU runs as; root if none.
    pub qemu_user: Option<String>,
    /// Who qemu-img runs as while it reads what others made; a number without an account if none.
    pub image_user: Option<String>,
    /// How many bytes of the disk nothing is reserved out of; usually [`LOW_SPACE`].
    pub low_space: u64,
    /// The qemu-img program: a path, or a name that is looked for on `PATH`.
    pub qemu_img: PathBuf,
}

/// The files of one installation. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Storage(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state_dir: PathBuf,
    owner: Owner,
    /// On what others made.
    qemu_img: QemuImg,
    /// On the volumes of guests.
    volume_img: QemuImg,
    direct_io: bool,
    low_space: u64,
    promised: Promised,
}

const IMAGES: &str = "images";
const VOLUMES: &str = "volumes";
const INSTANCES: &str = "instances";
const DOWNLOADS: &str = "downloads";
const TMP: &str = "tmp";

impl Storage {
    /// Makes the directories that are missing, empties `tmp/`, and finds out what the file system can do.
    pub fn open(settings: Settings) -> Result<Self, StorageError> {
        let Settings {
            state_dir,
            qemu_user,
            image_user,
            low_space,
            qemu_img,
        } = settings;
        // A cage shows files by the same path as outside, and outside it is that of no current directory.
        let state_dir = std::path::absolute(&state_dir).map_err(StorageError::io("find", &state_dir))?;
        let owner = Owner::named(qemu_user.as_deref(), "qemu_user")?;
        let tmp = state_dir.join(TMP);
        if tmp.exists() {
            std::fs::remove_dir_all(&tmp).map_err(StorageError::io("empty", &tmp))?;
        }
        // QEMU and dnsmasq run as users of their own: they may pass through, and read nothing they aren't given.
        for dir in [
            &state_dir,
            &state_dir.join(IMAGES),
            &state_dir.join(VOLUMES),
            &state_dir.join(INSTANCES),
            &tmp,
        ] {
            files::ensure_dir(dir, 0o711)?;
        }
        files::ensure_dir(&state_dir.join(DOWNLOADS), 0o700)?;
        let volume_img = QemuImg::find(&qemu_img, Cage::for_volumes(owner)?)?;
        let qemu_img = QemuImg::find(&qemu_img, Cage::find(image_user.as_deref())?)?;
        let direct_io = files::allows_direct_io(&tmp)?;
        Ok(Self(Arc::new(Inner {
            state_dir,
            owner,
            qemu_img,
            volume_img,
            direct_io,
            low_space,
            promised: Promised::default(),
        })))
    }

    /// Whether the file system of the volumes allows O_DIRECT (`cache=none`, `io=native`).
    pub fn direct_io(&self) -> bool {
        self.0.direct_io
    }

    fn dir(&self, name: &str) -> PathBuf {
        self.0.state_dir.join(name)
    }

    fn tmp(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.state_dir.join(TMP).join(name)
    }
}
