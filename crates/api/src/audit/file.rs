//! The files of the log: appended to, begun anew when one is full, the oldest forgotten.
//!
//! ```text
//!   audit.log                        is written; full: ──rename──▶ audit-00000000000000000042.log
//!   audit-N.log                      ended; N is the number of its last entry, so that names sort by age
//! ```

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::audit::{AuditSettings, Entry, back};

const CURRENT: &str = "audit.log";

/// The files, and the one that is written.
pub(crate) struct Files {
    settings: AuditSettings,
    file: File,
    size: u64,
    next: u64,
}

impl Files {
    pub(crate) fn open(settings: AuditSettings) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(&settings.dir)?;
        let mut file = current(&settings.dir)?;
        end_line(&mut file)?;
        let size = file.metadata()?.len();
        let mut files = Self {
            settings,
            file,
            size,
            next: 1,
        };
        let newest = back::read(&files.newest_first()?, &back::Wanted::newest(1))?;
        files.next = newest.first().map_or(1, |entry| entry.number + 1);
        Ok(files)
    }

    /// Writes an entry at the end, as one line and by one call.
    pub(crate) fn append(&mut self, mut entry: Entry) -> io::Result<()> {
        if self.size >= self.settings.file_size {
            self.rotate()?;
        }
        entry.number = self.next;
        let mut line = serde_json::to_vec(&entry)?;
        line.push(b'\n');
        let written = self.file.write_all(&line);
        if written.is_err() {
            // Half a line may be there: the next one begins on its own.
            self.size = self.file.metadata()?.len();
            end_line(&mut self.file)?;
        }
        written?;
        self.size += line.len() as u64;
        self.next += 1;
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        let dir = &self.settings.dir;
        std::fs::rename(dir.join(CURRENT), dir.join(format!("audit-{:020}.log", self.next - 1)))?;
        self.file = current(dir)?;
        self.size = 0;
        for old in self.newest_first()?.into_iter().skip(self.settings.files.max(1)) {
            std::fs::remove_file(old)?;
        }
        Ok(())
    }

    /// All files, the newest first.
    pub(crate) fn newest_first(&self) -> io::Result<Vec<PathBuf>> {
        let mut ended = Vec::new();
        for entry in std::fs::read_dir(&self.settings.dir)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name.starts_with("audit-") && path.extension().is_some_and(|extension| extension == "log") {
                ended.push(path);
            }
        }
        ended.sort_unstable_by(|a, b| b.cmp(a));
        ended.insert(0, self.settings.dir.join(CURRENT));
        Ok(ended)
    }
}

fn current(dir: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .read(true)
        .append(true)
        .mode(0o600)
        .open(dir.join(CURRENT))
}

/// Ends a line that a crash has left half written.
fn end_line(file: &mut File) -> io::Result<()> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(());
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    if last == *b"\n" { Ok(()) } else { file.write_all(b"\n") }
}
