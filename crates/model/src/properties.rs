//! What an image says of itself: what is in it, what it asks of an instance, what shapes the domain.
//!
//! ```text
//!   asked of an instance     min_memory ≤ the type's memory      min_disk, the image's disk ≤ root volume ≤ max_volume_size
//!   shapes the domain        firmware, tpm, disk_bus, nic_model, clock, hyperv
//!   told to whoever asks     os, os_name, os_version, user
//! ```

use serde::{Deserialize, Serialize};

use crate::limits::{IMAGE_WORD_MAX, MEMORY_MAX, STOP_GRACE_MAX};
use crate::{DiskBus, Firmware, Gib, GuestClock, Mib, NicModel, OsFamily, VOLUME_MAX, VOLUME_MIN};

/// The properties of an image. What isn't said is as an ordinary Linux image has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ImageProperties {
    /// The operating system's family.
    pub os: OsFamily,
    /// The distribution or product, e.g. `ubuntu`; may be empty.
    pub os_name: String,
    /// Its version, e.g. `24.04`; may be empty.
    pub os_version: String,
    /// Who logs in over ssh.
    pub user: String,
    /// The least root volume.
    pub min_disk: Gib,
    /// The least memory.
    pub min_memory: Mib,
    /// The largest volume: what its partition table, its file system or its licence allows.
    pub max_volume_size: Gib,
    /// What starts the guest.
    pub firmware: Firmware,
    /// Whether it has a TPM 2.0; only with secure boot if not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tpm: Option<bool>,
    /// What its disks hang on.
    pub disk_bus: DiskBus,
    /// What its NICs look like.
    pub nic_model: NicModel,
    /// What its hardware clock shows; as its family has it if not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock: Option<GuestClock>,
    /// Whether it may speak with Hyper-V's interfaces; as its family has it if not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hyperv: Option<bool>,
    /// Seconds a guest may take to shut down; the host's setting if not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_grace: Option<u32>,
}

impl Default for ImageProperties {
    fn default() -> Self {
        Self {
            os: OsFamily::default(),
            os_name: String::new(),
            os_version: String::new(),
            user: "root".to_owned(),
            min_disk: VOLUME_MIN,
            min_memory: Mib(0),
            max_volume_size: VOLUME_MAX,
            firmware: Firmware::default(),
            tpm: None,
            disk_bus: DiskBus::default(),
            nic_model: NicModel::default(),
            clock: None,
            hyperv: None,
            stop_grace: None,
        }
    }
}

/// A property isn't what it must be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct PropertyError {
    /// The property.
    pub field: &'static str,
    /// What is wrong with it, and what would be right.
    pub message: String,
}

impl PropertyError {
    fn new(field: &'static str, message: String) -> Self {
        Self { field, message }
    }
}

/// Why an instance can't be made of an image as it is asked for; what `has` it is said before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say what each number is")]
pub enum Misfit {
    /// Less memory than the image needs.
    #[error("{has} of memory, and the image needs at least {needs} (min_memory)")]
    Memory { has: Mib, needs: Mib },
    /// A smaller root volume than the image asks for.
    #[error("a root volume of {has}, and the image needs at least {needs} (min_disk)")]
    RootTooSmall { has: Gib, needs: Gib },
    /// A smaller root volume than the image's own disk.
    #[error("a root volume of {has}, and the image's disk takes {needs}")]
    RootBelowDisk { has: Gib, needs: Gib },
    /// A larger root volume than the image allows.
    #[error("a root volume of {has}, and the image allows at most {allows} (max_volume_size)")]
    RootTooLarge { has: Gib, allows: Gib },
}

impl ImageProperties {
    /// Whether each is what it may be, and they agree with each other.
    pub fn check(&self) -> Result<(), PropertyError> {
        for (field, word) in [("os_name", &self.os_name), ("os_version", &self.os_version)] {
            check_word(field, word)?;
        }
        check_user(&self.user)?;
        for (field, size) in [("min_disk", self.min_disk), ("max_volume_size", self.max_volume_size)] {
            if !(VOLUME_MIN..=VOLUME_MAX).contains(&size) {
                let message = format!("{size} is not between {VOLUME_MIN} and {VOLUME_MAX}");
                return Err(PropertyError::new(field, message));
            }
        }
        if self.min_disk > self.max_volume_size {
            let message = format!(
                "{} is less than min_disk, which is {}",
                self.max_volume_size, self.min_disk
            );
            return Err(PropertyError::new("max_volume_size", message));
        }
        if self.min_memory > MEMORY_MAX {
            let message = format!("{} is more than {MEMORY_MAX}", self.min_memory);
            return Err(PropertyError::new("min_memory", message));
        }
        match self.stop_grace {
            Some(seconds) if !(1..=STOP_GRACE_MAX).contains(&seconds) => {
                let message = format!("{seconds} is not between 1 and {STOP_GRACE_MAX} seconds");
                Err(PropertyError::new("stop_grace", message))
            }
            _ => Ok(()),
        }
    }

    /// Whether the image's own disk, of so many bytes, is one that it allows.
    pub fn check_disk(&self, virtual_size: u64) -> Result<(), PropertyError> {
        let disk = Gib::holding(virtual_size);
        if disk <= self.max_volume_size {
            return Ok(());
        }
        let message = format!(
            "{} is less than the image's own disk, which takes {disk}",
            self.max_volume_size
        );
        Err(PropertyError::new("max_volume_size", message))
    }

    /// Whether so much memory is enough.
    pub fn check_memory(&self, has: Mib) -> Result<(), Misfit> {
        let needs = self.min_memory;
        if has < needs {
            Err(Misfit::Memory { has, needs })
        } else {
            Ok(())
        }
    }

    /// Whether a root volume of that size can be made of the image, whose own disk has so many bytes.
    pub fn check_root(&self, has: Gib, virtual_size: u64) -> Result<(), Misfit> {
        let (disk, needs, allows) = (Gib::holding(virtual_size), self.min_disk, self.max_volume_size);
        if has < disk {
            return Err(Misfit::RootBelowDisk { has, needs: disk });
        }
        if has < needs {
            return Err(Misfit::RootTooSmall { has, needs });
        }
        if has > allows {
            return Err(Misfit::RootTooLarge { has, allows });
        }
        Ok(())
    }

    /// Whether the guest has a TPM.
    pub fn has_tpm(&self) -> bool {
        self.tpm.unwrap_or(self.firmware == Firmware::UefiSecureBoot)
    }

    /// What the guest's hardware clock shows.
    pub fn guest_clock(&self) -> GuestClock {
        self.clock.unwrap_or(match self.os {
            OsFamily::Windows => GuestClock::Localtime,
            OsFamily::Linux | OsFamily::Other => GuestClock::Utc,
        })
    }

    /// Whether the guest may speak with Hyper-V's interfaces.
    pub fn speaks_hyperv(&self) -> bool {
        self.hyperv.unwrap_or(self.os == OsFamily::Windows)
    }
}

/// A word that is shown in a line of a table.
fn check_word(field: &'static str, word: &str) -> Result<(), PropertyError> {
    let length = word.chars().count();
    if length > IMAGE_WORD_MAX {
        let message = format!("{length} characters, and at most {IMAGE_WORD_MAX} are taken");
        return Err(PropertyError::new(field, message));
    }
    if word.chars().any(char::is_control) || word.trim() != word {
        let message = format!("{word:?} has control characters, or blanks at an end");
        return Err(PropertyError::new(field, message));
    }
    Ok(())
}

/// A login name as systems take it, Windows' `Administrator` among them: it becomes an argument of ssh.
fn check_user(user: &str) -> Result<(), PropertyError> {
    let begins = user.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let rest = user
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
    if begins && rest && user.len() <= 32 {
        return Ok(());
    }
    let message =
        format!("{user:?} is not a login name: 1 to 32 of a-z, A-Z, 0-9, '_', '-' and '.', beginning with a letter");
    Err(PropertyError::new("user", message))
}
