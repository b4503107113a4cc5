//! Reading the log backwards: the newest entries are at its end, and mostly they are what is wanted.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;

use berth_model::User;
use jiff::Timestamp;

use crate::audit::{Decision, Entry};

/// How much of a file is read at a time, in bytes.
const BLOCK: u64 = 256 << 10;

/// Which entries are wanted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    pub(crate) limit: usize,
    /// Only those before that number.
    pub(crate) before: Option<u64>,
    pub(crate) who: Option<User>,
    pub(crate) project: Option<String>,
    pub(crate) decision: Option<Decision>,
    /// Only those from that moment on.
    pub(crate) since: Option<Timestamp>,
}

impl Wanted {
    /// So many of the newest.
    pub(crate) fn newest(limit: usize) -> Self {
        Self {
            limit,
            ..Self::default()
        }
    }

    fn fits(&self, entry: &Entry) -> bool {
        self.before.is_none_or(|before| entry.number < before)
            && (self.who.is_none() || self.who == entry.who)
            && (self.project.is_none() || self.project == entry.project)
            && self.decision.is_none_or(|decision| decision == entry.decision)
    }
}

/// The entries that are wanted, from these files, the newest first. What is no entry (a line that a crash cut off) is
/// passed over; a file that was forgotten meanwhile has none.
pub(crate) fn read(files: &[PathBuf], wanted: &Wanted) -> io::Result<Vec<Entry>> {
    let mut found = Vec::new();
    for path in files {
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            opened => opened?,
        };
        for line in Lines::new(file)? {
            let Ok(entry) = serde_json::from_slice::<Entry>(&line?) else {
                continue;
            };
            if wanted.since.is_some_and(|since| entry.at < since) || found.len() == wanted.limit {
                return Ok(found);
            }
            if wanted.fits(&entry) {
                found.push(entry);
            }
        }
    }
    Ok(found)
}

/// The lines of a file, the last first.
struct Lines {
    file: File,
    /// What is before this place is not read yet.
    at: u64,
    /// What is read and not told yet: it ends with a line's end.
    rest: Vec<u8>,
}

impl Lines {
    fn new(mut file: File) -> io::Result<Self> {
        let at = file.seek(SeekFrom::End(0))?;
        Ok(Self {
            file,
            at,
            rest: Vec::new(),
        })
    }

    /// Reads the block before what is read.
    fn grow(&mut self) -> io::Result<()> {
        let amount = self.at.min(BLOCK);
        self.at -= amount;
        self.file.seek(SeekFrom::Start(self.at))?;
        let mut block = Vec::new();
        self.file.by_ref().take(amount).read_to_end(&mut block)?;
        block.append(&mut self.rest);
        self.rest = block;
        Ok(())
    }
}

impl Iterator for Lines {
    type Item = io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let body = self.rest.strip_suffix(b"\n").unwrap_or(&self.rest);
            let begin = body.iter().rposition(|byte| *byte == b'\n').map(|before| before + 1);
            match begin {
                None if self.at > 0 => {
                    if let Err(error) = self.grow() {
                        return Some(Err(error));
                    }
                }
                None if self.rest.is_empty() => return None,
                begin => {
                    let mut line = self.rest.split_off(begin.unwrap_or_default());
                    if line.last() == Some(&b'\n') {
                        line.pop();
                    }
                    return Some(Ok(line));
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
