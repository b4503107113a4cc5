//! The header of a qcow2 file (QEMU, docs/interop/qcow2.rst).
//!
//! Refused: backing files, external data files, encryption, features that nobody knows, an unclean end, and tables that
//! lie outside the file. Internal snapshots pass: convert copies the disk as it is now and leaves them behind, and the
//! table they are listed in is bounded here.

use berth_model::DiskFormat;

use super::bytes::{self, Bytes, Fields, Refusal, within};
use super::{Recognised, check_size};

/// How many bytes from the beginning of a file the header is in.
pub(crate) const HEAD: usize = 4096;

/// The mark, at the beginning.
pub(super) const MAGIC: &[u8] = b"QFI\xfb";

/// What matters of a qcow2 header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    /// Bytes of the disk that the guest sees.
    pub(crate) virtual_size: u64,
    /// The name of the file beneath it, as it is written in the header.
    pub(crate) backing: Option<Vec<u8>>,
    version: u32,
    cluster_bits: u32,
    encryption: u32,
    incompatible: u64,
}

/// Bit 3: the compression type is in the header. Bit 4: subclusters. Both are only ways to write the data.
const HARMLESS: u64 = 1 << 3 | 1 << 4;
const DIRTY: u64 = 1;
const CORRUPT: u64 = 1 << 1;
const EXTERNAL_DATA: u64 = 1 << 2;

/// QEMU's own bounds (block/qcow2.h): bytes of the first-level table and of the refcount table, and snapshots.
const L1_MAX: u64 = 32 << 20;
const REFCOUNT_TABLE_MAX: u64 = 8 << 20;
const SNAPSHOTS_MAX: u32 = 65_536;

/// A header extension that names an external data file.
const DATA_FILE_NAME: u32 = 0x4441_5441;

/// Says what disk is in a foreign qcow2 file, or why it is refused.
pub(super) fn inspect(file: &dyn Bytes) -> Result<Recognised, Refusal> {
    let length = usize::try_from(file.length()).unwrap_or(usize::MAX);
    let head = bytes::read(file, 0, HEAD.min(length), "header")?;
    let header = Header::parse(&head)?;
    header.check_foreign()?;
    header.check_extensions(Fields(&head))?;
    header.check_tables(Fields(&head), file)?;
    Ok(Recognised::new(DiskFormat::Qcow2, header.virtual_size))
}

impl Header {
    /// Reads a header from the beginning of a file.
    pub(crate) fn parse(head: &[u8]) -> Result<Self, Refusal> {
        let fields = Fields(head);
        if !head.starts_with(MAGIC) {
            return Err("it is not qcow2".to_owned());
        }
        let version = fields.be32(4)?;
        if !(2..=3).contains(&version) {
            return Err(format!("it is qcow2 of version {version}, and there are 2 and 3"));
        }
        let cluster_bits = fields.be32(20)?;
        if !(9..=21).contains(&cluster_bits) {
            return Err(format!(
                "its clusters have 2^{cluster_bits} bytes, which qcow2 does not allow"
            ));
        }
        let name_at = usize::try_from(fields.be64(8)?).unwrap_or(usize::MAX);
        let name_length = fields.be32(16)? as usize;
        let backing = match name_at {
            0 => None,
            at => Some(head.get(at..at.saturating_add(name_length)).unwrap_or(b"?").to_vec()),
        };
        Ok(Self {
            virtual_size: fields.be64(24)?,
            backing,
            version,
            cluster_bits,
            encryption: fields.be32(32)?,
            incompatible: if version == 3 { fields.be64(72)? } else { 0 },
        })
    }

    fn cluster(&self) -> u64 {
        1 << self.cluster_bits
    }

    /// What would lead out of the file, or needs more than reading.
    fn check_foreign(&self) -> Result<(), Refusal> {
        if self.backing.is_some() {
            return Err("it has a backing file, and only what it holds itself is taken".to_owned());
        }
        if self.incompatible & EXTERNAL_DATA != 0 {
            return Err("its data is in another file".to_owned());
        }
        if self.encryption != 0 {
            return Err("it is encrypted".to_owned());
        }
        if self.incompatible & (DIRTY | CORRUPT) != 0 {
            return Err("it was not closed cleanly; 'qemu-img check -r all' may mend it".to_owned());
        }
        let unknown = self.incompatible & !HARMLESS;
        if unknown != 0 {
            return Err(format!("it has features that are not known ({unknown:#x})"));
        }
        check_size(self.virtual_size)
    }

    /// The header's own length, and what is written between it and the end of the first cluster.
    fn check_extensions(&self, fields: Fields<'_>) -> Result<(), Refusal> {
        let length = if self.version == 3 { fields.be32(100)? } else { 72 };
        let end = self.cluster().min(HEAD as u64);
        if self.version == 3 && (length < 104 || length % 8 != 0 || u64::from(length) > end) {
            return Err(format!("its header says that it has {length} bytes"));
        }
        let mut at = length as usize;
        while at as u64 + 8 <= end {
            let (kind, size) = (fields.be32(at)?, fields.be32(at + 4)? as usize);
            match kind {
                0 => return Ok(()),
                DATA_FILE_NAME => return Err("its data is in another file".to_owned()),
                _ => {}
            }
            fields.bytes(at + 8, size).map_err(|_| absurd("header extensions"))?;
            at += 8 + size.next_multiple_of(8);
        }
        // Without an end mark they go on to the end of the cluster; more than we read is no honest file.
        if at as u64 > end || self.cluster() > HEAD as u64 {
            return Err(absurd("header extensions"));
        }
        Ok(())
    }

    /// The places and lengths of the tables: inside the file, and no longer than the disk needs or QEMU takes.
    fn check_tables(&self, fields: Fields<'_>, file: &dyn Bytes) -> Result<(), Refusal> {
        let cluster = self.cluster();
        let inside = |at: u64, length: u64| at.is_multiple_of(cluster) && at != 0 && within(file, at, length);
        let (l1_entries, l1_at) = (u64::from(fields.be32(36)?), fields.be64(40)?);
        // An entry of the first table stands for one cluster of the second, which has 8 bytes for each cluster.
        let needed = self.virtual_size.div_ceil(cluster * (cluster / 8));
        if l1_entries < needed || l1_entries * 8 > L1_MAX || !inside(l1_at, l1_entries * 8) {
            return Err(absurd("first-level table"));
        }
        let (refcounts_at, clusters) = (fields.be64(48)?, u64::from(fields.be32(56)?));
        let length = clusters * cluster;
        if clusters == 0 || length > REFCOUNT_TABLE_MAX.max(cluster) || !inside(refcounts_at, length) {
            return Err(absurd("refcount table"));
        }
        if self.version == 3 && fields.be32(96)? > 6 {
            return Err(absurd("refcount width"));
        }
        let (snapshots, snapshots_at) = (fields.be32(60)?, fields.be64(64)?);
        // The least that a snapshot takes in its table is 40 bytes.
        if snapshots > SNAPSHOTS_MAX || snapshots > 0 && !inside(snapshots_at, u64::from(snapshots) * 40) {
            return Err(absurd("table of snapshots"));
        }
        Ok(())
    }
}

fn absurd(what: &str) -> Refusal {
    format!("its {what} can't be what its header says")
}
