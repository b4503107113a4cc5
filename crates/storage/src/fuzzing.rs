//! The way of the fuzzer to the parsers of foreign files, which are nobody else's business. Built with the feature
//! `fuzzing` only.

use berth_model::VOLUME_MAX;

use crate::format::qcow2::Header;
use crate::format::{self, Bytes};

/// A file of that length with pieces at their places, and zeros between them.
struct Sparse<'a> {
    length: u64,
    pieces: &'a [(u64, &'a [u8])],
}

impl Bytes for Sparse<'_> {
    fn length(&self) -> u64 {
        self.length
    }

    fn read_exact(&self, at: u64, to: &mut [u8]) -> std::io::Result<()> {
        to.fill(0);
        for (place, piece) in self.pieces {
            let (from, skipped) = (place.saturating_sub(at), at.saturating_sub(*place));
            let [from, skipped] = [from, skipped].map(|count| usize::try_from(count).unwrap_or(usize::MAX));
            if let (Some(to), Some(piece)) = (to.get_mut(from..), piece.get(skipped..)) {
                let length = to.len().min(piece.len());
                to[..length].copy_from_slice(&piece[..length]);
            }
        }
        Ok(())
    }
}

/// Looks at a file as an import does.
///
/// # Panics
/// If a size is accepted that no volume may have.
pub fn inspect(length: u64, pieces: &[(u64, &[u8])]) {
    if let Ok(found) = format::inspect(&Sparse { length, pieces }) {
        assert!((1..=VOLUME_MAX.bytes()).contains(&found.virtual_size));
        let _ = found.allows(found.virtual_size);
    }
}

/// Reads a header as that of one of our own volumes.
pub fn header(bytes: &[u8]) {
    let _ = Header::parse(bytes);
}
