//! The headers of a VHDX ([MS-VHDX]): as much of them as says the disk's size, and what would lead out of the file.
//!
//! ```text
//!   0      64K      128K     192K            256K            1M …
//!   mark   header   header   regions ─┐      regions (copy)  log, metadata, blocks
//!                                     └─▶ where the metadata is ─▶ size, "has a parent"
//! ```
//!
//! The two region tables must be the same, so that it doesn't matter which of them QEMU reads. A log that is to be
//! replayed is refused: it was not closed cleanly, and who has it can close it. Checksums are left to QEMU.

use berth_model::DiskFormat;

use super::bytes::{self, Bytes, Fields, Refusal, within};
use super::{Recognised, SECTOR};

/// The mark, at the beginning.
pub(super) const MAGIC: &[u8] = b"vhdxfile";

const HEADERS: [u64; 2] = [64 << 10, 128 << 10];
const REGIONS: [u64; 2] = [192 << 10, 256 << 10];
const REGIONS_LENGTH: usize = 64 << 10;
const METADATA_TABLE_LENGTH: usize = 64 << 10;

/// Entries of a table, of regions or of metadata: the most that the specification allows.
const ENTRIES_MAX: u16 = 2047;

/// GUIDs as they lie on disk.
const METADATA: [u8; 16] = guid(0x8B7C_A206_4790_4B9A_B8FE_575F_050F_886E);
const FILE_PARAMETERS: [u8; 16] = guid(0xCAA1_6737_FA36_4D43_B3B6_33F0_AA44_E76B);
const DISK_SIZE: [u8; 16] = guid(0x2FA5_4224_CD1B_4876_B211_5DBE_D83B_F4B8);
const PARENT_LOCATOR: [u8; 16] = guid(0xA8D3_5F2D_B30B_454D_ABF7_D3D8_4834_AB0C);

const HAS_PARENT: u32 = 1 << 1;

/// Says what disk is in it, or why it is refused.
pub(super) fn inspect(file: &dyn Bytes) -> Result<Recognised, Refusal> {
    check_log(file)?;
    let (at, length) = find_metadata(file)?;
    let table = bytes::read(file, at, METADATA_TABLE_LENGTH, "metadata")?;
    let fields = Fields(&table);
    if !table.starts_with(b"metadata") {
        return Err("its metadata is not where its header says".to_owned());
    }
    let entries = fields.le16(10)?.min(ENTRIES_MAX);
    let (mut size, mut parameters) = (None, None);
    for at_entry in (1..=usize::from(entries)).map(|entry| entry * 32) {
        let item = fields.bytes(at_entry, 16)?;
        let (offset, item_length) = (
            u64::from(fields.le32(at_entry + 16)?),
            u64::from(fields.le32(at_entry + 20)?),
        );
        let value = || {
            if offset + item_length > u64::from(length) || item_length != 8 {
                return Err("its metadata can't be what its header says".to_owned());
            }
            bytes::read(file, at + offset, 8, "metadata")
        };
        if item == PARENT_LOCATOR {
            return Err(differencing());
        } else if item == DISK_SIZE && size.replace(Fields(&value()?).le64(0)?).is_some() {
            return Err(twice("size"));
        } else if item == FILE_PARAMETERS && parameters.replace(Fields(&value()?).le32(4)?).is_some() {
            return Err(twice("parameters"));
        }
    }
    let (Some(size), Some(parameters)) = (size, parameters) else {
        return Err("its metadata doesn't say how large its disk is".to_owned());
    };
    if parameters & HAS_PARENT != 0 {
        return Err(differencing());
    }
    if !size.is_multiple_of(SECTOR) {
        return Err(format!("its disk of {size} bytes has no whole sectors"));
    }
    Ok(Recognised::new(DiskFormat::Vhdx, size))
}

/// The header that counts is the one with the larger sequence number; a log that is in use has an id there.
fn check_log(file: &dyn Bytes) -> Result<(), Refusal> {
    let mut current = None;
    for at in HEADERS {
        let header = bytes::read(file, at, 80, "header")?;
        let fields = Fields(&header);
        if header.starts_with(b"head") {
            let clean = fields.bytes(48, 16)?.iter().all(|byte| *byte == 0);
            let log = (fields.le64(72)?, u64::from(fields.le32(68)?));
            current = current.max(Some((fields.le64(8)?, clean, log)));
        }
    }
    let Some((_, clean, (log_at, log_length))) = current else {
        return Err("it is a VHDX without a header".to_owned());
    };
    if !clean {
        return Err("it was not closed cleanly: its log is to be replayed by the program that wrote it".to_owned());
    }
    if !within(file, log_at, log_length) {
        return Err("its log is cut off".to_owned());
    }
    Ok(())
}

/// Where the metadata is, and its length.
fn find_metadata(file: &dyn Bytes) -> Result<(u64, u32), Refusal> {
    let [table, copy] = REGIONS.map(|at| bytes::read(file, at, REGIONS_LENGTH, "region table"));
    let table = table?;
    if !table.starts_with(b"regi") || table != copy? {
        return Err("its two region tables are not the same".to_owned());
    }
    let fields = Fields(&table);
    let mut found = None;
    for entry in 0..fields.le32(8)?.min(ENTRIES_MAX.into()) as usize {
        let at = 16 + entry * 32;
        let (region, length) = (fields.le64(at + 16)?, fields.le32(at + 24)?);
        if !within(file, region, length.into()) {
            return Err("one of its regions is cut off".to_owned());
        }
        if fields.bytes(at, 16)? == METADATA && found.replace((region, length)).is_some() {
            return Err(twice("metadata"));
        }
    }
    found.ok_or_else(|| "it is a VHDX without metadata".to_owned())
}

fn differencing() -> Refusal {
    "it is a VHDX that holds only what differs from another file".to_owned()
}

fn twice(what: &str) -> Refusal {
    format!("it has its {what} twice")
}

/// A GUID as it lies on disk: its first three numbers are little-endian.
const fn guid(number: u128) -> [u8; 16] {
    let [b3, b2, b1, b0, b5, b4, b7, b6, rest @ ..] = number.to_be_bytes();
    let [r0, r1, r2, r3, r4, r5, r6, r7] = rest;
    [b0, b1, b2, b3, b4, b5, b6, b7, r0, r1, r2, r3, r4, r5, r6, r7]
}
