//! Foreign bytes, read with every place and length doubted: what lies outside is "cut off", never a panic.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

/// Why a file is refused; it goes on from "it is not an image that is accepted: ".
pub(crate) type Refusal = String;

/// A file as the parsers see it.
pub(crate) trait Bytes {
    /// How many bytes it has.
    fn length(&self) -> u64;

    /// Reads exactly so many bytes from there.
    fn read_exact(&self, at: u64, to: &mut [u8]) -> std::io::Result<()>;
}

impl Bytes for (File, u64) {
    fn length(&self) -> u64 {
        self.1
    }

    fn read_exact(&self, at: u64, to: &mut [u8]) -> std::io::Result<()> {
        self.0.read_exact_at(to, at)
    }
}

impl Bytes for &[u8] {
    fn length(&self) -> u64 {
        self.len() as u64
    }

    fn read_exact(&self, at: u64, to: &mut [u8]) -> std::io::Result<()> {
        let from = usize::try_from(at).ok();
        let end = from.and_then(|from| from.checked_add(to.len()));
        let found = from.zip(end).and_then(|(from, end)| self.get(from..end));
        to.copy_from_slice(found.ok_or(std::io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// The bytes of `what` that lie there, all of them.
pub(crate) fn read(file: &dyn Bytes, at: u64, length: usize, what: &str) -> Result<Vec<u8>, Refusal> {
    if !within(file, at, length as u64) {
        return Err(format!("its {what} is cut off"));
    }
    let mut bytes = vec![0; length];
    file.read_exact(at, &mut bytes)
        .map_err(|error| format!("its {what} can't be read: {error}"))?;
    Ok(bytes)
}

/// Whether the file has that many bytes from there on.
pub(crate) fn within(file: &dyn Bytes, at: u64, length: u64) -> bool {
    at.checked_add(length).is_some_and(|end| end <= file.length())
}

/// The fields of a header.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    /// So many bytes from there.
    pub(crate) fn bytes(self, at: usize, length: usize) -> Result<&'a [u8], Refusal> {
        let end = at.checked_add(length);
        end.and_then(|end| self.0.get(at..end))
            .ok_or_else(|| "its header is cut off".to_owned())
    }

    fn array<const N: usize>(self, at: usize) -> Result<[u8; N], Refusal> {
        let bytes = self.bytes(at, N)?;
        bytes.try_into().map_err(|_| "its header is cut off".to_owned())
    }

    /// A big-endian number of 16 bits.
    pub(crate) fn be16(self, at: usize) -> Result<u16, Refusal> {
        self.array(at).map(u16::from_be_bytes)
    }

    /// A big-endian number of 32 bits.
    pub(crate) fn be32(self, at: usize) -> Result<u32, Refusal> {
        self.array(at).map(u32::from_be_bytes)
    }

    /// A big-endian number of 64 bits.
    pub(crate) fn be64(self, at: usize) -> Result<u64, Refusal> {
        self.array(at).map(u64::from_be_bytes)
    }

    /// A little-endian number of 16 bits.
    pub(crate) fn le16(self, at: usize) -> Result<u16, Refusal> {
        self.array(at).map(u16::from_le_bytes)
    }

    /// A little-endian number of 32 bits.
    pub(crate) fn le32(self, at: usize) -> Result<u32, Refusal> {
        self.array(at).map(u32::from_le_bytes)
    }

    /// A little-endian number of 64 bits.
    pub(crate) fn le64(self, at: usize) -> Result<u64, Refusal> {
        self.array(at).map(u64::from_le_bytes)
    }
}
