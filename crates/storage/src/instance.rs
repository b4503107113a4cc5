//! An instance's own directory: its seed disk, its console's log, its sockets.

use std::path::PathBuf;

use berth_model::InstanceId;

use crate::files::{self, Owner};
use crate::{INSTANCES, Storage, StorageError};

/// Where an instance's own files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceDir {
    /// The directory.
    pub dir: PathBuf,
    /// The seed disk.
    pub seed: PathBuf,
    /// What the guest wrote to its serial console.
    pub console_log: PathBuf,
    /// The serial console, while the guest runs.
    pub console_socket: PathBuf,
    /// VNC, while the guest runs.
    pub vnc_socket: PathBuf,
    /// What a UEFI guest keeps.
    pub nvram: PathBuf,
}

impl Storage {
    /// Where an instance's own files are.
    pub fn instance_dir(&self, id: InstanceId) -> InstanceDir {
        let dir = self.dir(INSTANCES).join(id.to_string());
        InstanceDir {
            seed: dir.join("seed.img"),
            console_log: dir.join("console.log"),
            console_socket: dir.join("console.sock"),
            vnc_socket: dir.join("vnc.sock"),
            nvram: dir.join("nvram.fd"),
            dir,
        }
    }

    /// Makes sure an instance has its directory. QEMU makes sockets in it; nobody else may enter.
    pub fn ensure_instance_dir(&self, id: InstanceId) -> Result<(), StorageError> {
        let dir = self.instance_dir(id).dir;
        files::ensure_dir(&dir, 0o700)?;
        let owner: Owner = self.0.owner;
        owner.give(&dir, 0o700)
    }

    /// Makes sure an instance's directory is gone, with all that is in it.
    pub fn delete_instance_dir(&self, id: InstanceId) -> Result<(), StorageError> {
        files::remove_dir(&self.instance_dir(id).dir)
    }
}
