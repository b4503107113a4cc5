//! Files for what is shown once: the private half of a key pair, a token.
//!
//! The file is made before the secret is, so that none is made that can't be kept.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use berth_client::ClientError;

use crate::failure::Failure;

/// A new file that only its owner may read.
pub(crate) struct SecretFile {
    file: File,
    path: PathBuf,
}

impl SecretFile {
    /// Makes such a file; one that is there is left alone.
    pub(crate) fn new(path: &Path) -> anyhow::Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let file = file.map_err(|error| Failure::invalid(format!("--out {}: {error}", path.display())))?;
        Ok(Self {
            file,
            path: path.to_owned(),
        })
    }

    /// What the daemon has made; if it refused, there is no secret, and the file goes.
    pub(crate) fn made<T>(file: Option<&Self>, answer: Result<T, ClientError>) -> anyhow::Result<T> {
        if let (Err(_), Some(file)) = (&answer, file) {
            std::fs::remove_file(&file.path)?;
        }
        Ok(answer?)
    }

    /// Writes the secret.
    pub(crate) fn keep(mut self, secret: &[u8]) -> anyhow::Result<()> {
        let written = self.file.write_all(secret);
        written.with_context(|| format!("writing {}", self.path.display()))
    }
}
