//! The header of a VirtualBox disk (QEMU, block/vdi.c). Differencing and undo images, and those that name a parent,
//! are refused: their data is in another file.

use berth_model::DiskFormat;

use super::bytes::{self, Bytes, Fields, Refusal, within};
use super::{Recognised, SECTOR};

/// The mark, and where it is: after a line of text.
pub(super) const MAGIC: &[u8] = &[0x7f, 0x10, 0xda, 0xbe];
pub(super) const MAGIC_AT: usize = 64;

const DYNAMIC: u32 = 1;
const FIXED: u32 = 2;
const UNDO: u32 = 3;
const DIFFERENCING: u32 = 4;

/// The only size of a block that QEMU reads.
const BLOCK: u64 = 1 << 20;

/// Says what disk is in it, or why it is refused.
pub(super) fn inspect(file: &dyn Bytes) -> Result<Recognised, Refusal> {
    let header = bytes::read(file, 0, 512, "header")?;
    let fields = Fields(&header);
    let version = fields.le32(68)?;
    if version != 0x0001_0001 {
        return Err(format!("it is VDI of version {version:#x}, and only 1.1 is known"));
    }
    match fields.le32(76)? {
        DYNAMIC | FIXED => {}
        UNDO | DIFFERENCING => return Err("it is a VDI that holds only what differs from another file".to_owned()),
        kind => return Err(format!("it is a VDI of kind {kind}, which is not known")),
    }
    // The ids of what it is a link of, and of its parent.
    if fields.bytes(424, 32)?.iter().any(|byte| *byte != 0) {
        return Err("it is a VDI that names a parent, and only what it holds itself is taken".to_owned());
    }
    let (sector, block) = (fields.le32(360)?, u64::from(fields.le32(376)?));
    if u64::from(sector) != SECTOR || block != BLOCK {
        return Err(format!(
            "its sectors have {sector} bytes and its blocks {block}; 512 and {BLOCK} are known"
        ));
    }
    let (map_at, data_at) = (u64::from(fields.le32(340)?), u64::from(fields.le32(344)?));
    let (size, blocks, used) = (
        fields.le64(368)?,
        u64::from(fields.le32(384)?),
        u64::from(fields.le32(388)?),
    );
    let map_fits = map_at >= 512 && map_at.is_multiple_of(SECTOR) && within(file, map_at, blocks * 4);
    if !map_fits || size > blocks * BLOCK || !size.is_multiple_of(SECTOR) {
        return Err("its table of blocks can't be what its header says".to_owned());
    }
    if used > blocks || !data_at.is_multiple_of(SECTOR) || !within(file, data_at, used * BLOCK) {
        return Err("its blocks are cut off".to_owned());
    }
    Ok(Recognised::new(DiskFormat::Vdi, size))
}
