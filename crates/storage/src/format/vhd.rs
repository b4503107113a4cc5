//! The footer of a VHD ("Virtual Hard Disk Image Format Specification", Microsoft, 2006; QEMU, block/vpc.c).
//!
//! ```text
//!   fixed:    the disk's bytes …………………………… footer      no mark at the beginning: it is in the last 512 bytes
//!   dynamic:  footer · header · table · blocks … footer      the first is a copy of the last
//! ```
//!
//! Differencing disks are refused. A dynamic disk must end with its footer, which no cut-off file does. QEMU takes
//! the size from the geometry or from the footer's own field, as the program that wrote it is known to mean it: both
//! must be sizes that a volume may have.

use berth_model::DiskFormat;

use super::bytes::{self, Bytes, Fields, Refusal, within};
use super::{Recognised, SECTOR};

const MAGIC: &[u8] = b"conectix";
const FOOTER: usize = 512;
const FIXED: u32 = 2;
const DYNAMIC: u32 = 3;
const DIFFERENCING: u32 = 4;

/// Says what disk is in it, or why it is refused; nothing if there is no mark of a VHD.
pub(super) fn inspect(file: &dyn Bytes, head: &[u8]) -> Result<Option<Recognised>, Refusal> {
    let Some(end) = file.length().checked_sub(FOOTER as u64) else {
        return Ok(None);
    };
    let footer = bytes::read(file, end, FOOTER, "footer")?;
    // QEMU looks at the beginning first, so that what a guest wrote there must not be taken for a footer.
    let dynamic = head.starts_with(MAGIC);
    if !dynamic && !footer.starts_with(MAGIC) {
        return Ok(None);
    }
    if dynamic && head != footer {
        return Err(
            "it is a VHD whose end is not what its beginning says: it is cut off, or was not closed".to_owned(),
        );
    }
    let fields = Fields(&footer);
    if fields.be32(64)? != checksum(&footer, 64) {
        return Err("it is a VHD with a footer that is broken (its checksum)".to_owned());
    }
    let size = fields.be64(48)?;
    match (fields.be32(60)?, dynamic) {
        (FIXED, false) if size == end => {}
        (FIXED, false) => return Err(format!("it is a VHD of {size} bytes, and holds {end}")),
        (DYNAMIC, true) => dynamic_header(file, fields.be64(16)?, size)?,
        (DIFFERENCING, _) => return Err("it is a VHD that holds only what differs from another file".to_owned()),
        (kind, _) => {
            return Err(format!(
                "it is a VHD of kind {kind}, which doesn't go with where its footer is"
            ));
        }
    }
    if !size.is_multiple_of(SECTOR) {
        return Err(format!("it is a VHD of {size} bytes, which are no whole sectors"));
    }
    let [heads, per_track] = [58, 59].map(|at| u64::from(footer[at]));
    let by_geometry = u64::from(fields.be16(56)?) * heads * per_track * SECTOR;
    Ok(Some(Recognised {
        format: DiskFormat::Vhd,
        virtual_size: size,
        or: Some(by_geometry),
    }))
}

fn dynamic_header(file: &dyn Bytes, at: u64, size: u64) -> Result<(), Refusal> {
    let header = bytes::read(file, at, 1024, "header")?;
    let fields = Fields(&header);
    if !header.starts_with(b"cxsparse") || fields.be32(36)? != checksum(&header, 36) {
        return Err("it is a VHD with a header that is broken".to_owned());
    }
    if fields.bytes(40, 16)?.iter().any(|byte| *byte != 0) {
        return Err("it is a VHD that names a parent, and only what it holds itself is taken".to_owned());
    }
    let (table_at, entries) = (fields.be64(16)?, u64::from(fields.be32(28)?));
    let block = u64::from(fields.be32(32)?);
    let right = block.is_power_of_two() && (SECTOR..=256 << 20).contains(&block) && entries * block >= size;
    if !right || !within(file, table_at, entries * 4) {
        return Err("its table of blocks can't be what its header says".to_owned());
    }
    Ok(())
}

/// The sum of all bytes but its own four, inverted.
fn checksum(bytes: &[u8], at: usize) -> u32 {
    let counted = bytes.iter().enumerate().filter(|(i, _)| !(at..at + 4).contains(i));
    !counted.fold(0_u32, |sum, (_, byte)| sum.wrapping_add((*byte).into()))
}
