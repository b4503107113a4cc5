//! The header of a VMDK in one file, and the descriptor in it ("Virtual Disk Format 5.0", VMware; QEMU, block/vmdk.c).
//!
//! ```text
//!   monolithicSparse:  header · descriptor · tables · grains
//!   streamOptimized:   header · descriptor · grains, compressed · tables · footer (the header, now with the tables' place)
//! ```
//!
//! The descriptor is text that names the files a disk is made of, and its parent. QEMU follows it when the header says
//! that the disk has no sectors, and looks for a parent in it always: so it must say one sparse extent of just this
//! disk, and no parent, and the header and the footer must agree.

use std::str;

use berth_model::DiskFormat;

use super::bytes::{self, Bytes, Fields, Refusal, within};
use super::{Recognised, SECTOR, sectors};

/// The mark, at the beginning.
pub(super) const MAGIC: &[u8] = b"KDMV";

/// Where QEMU looks for a parent, whatever the header says of the descriptor's place.
const QEMU_DESCRIPTOR: (u64, usize) = (512, 20 * 512);

/// The longest descriptor that QEMU reads, in sectors.
const DESCRIPTOR_MAX: u64 = 2048;

/// The tables' place is in the footer.
const AT_END: u64 = u64::MAX;

/// A marker that says what follows is the footer, the footer, and the marker of the end.
const FOOTER: usize = 3 * 512;

/// What both the header and the footer say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    capacity: u64,
    grain: u64,
    descriptor: (u64, u64),
    per_table: u32,
}

/// Says what disk is in it, or why it is refused.
pub(super) fn inspect(file: &dyn Bytes) -> Result<Recognised, Refusal> {
    let header = bytes::read(file, 0, 512, "header")?;
    let shape = Shape::parse(&header)?;
    let mut tables_at = Fields(&header).le64(56)?;
    if tables_at == AT_END {
        let end = file.length().checked_sub(FOOTER as u64);
        let footer = bytes::read(file, end.unwrap_or(u64::MAX), FOOTER, "footer")?;
        let footer = footer.get(512..1024).unwrap_or_default();
        if !footer.starts_with(MAGIC) || Shape::parse(footer)? != shape {
            return Err("it is a VMDK whose footer is not what its header says: it is cut off".to_owned());
        }
        tables_at = Fields(footer).le64(56)?;
    }
    shape.check_tables(file, tables_at)?;
    let (at, length) = shape.descriptor;
    if at == 0 || !(1..=DESCRIPTOR_MAX).contains(&length) {
        return Err(only_an_extent());
    }
    let length = usize::try_from(length * SECTOR).unwrap_or(usize::MAX);
    let descriptor = bytes::read(file, sectors(at, "place of the descriptor")?, length, "descriptor")?;
    check_descriptor(text(&descriptor)?, shape.capacity)?;
    let (at, length) = QEMU_DESCRIPTOR;
    let length = length.min(usize::try_from(file.length().saturating_sub(at)).unwrap_or(length));
    refuse_parent(&bytes::read(file, at, length, "descriptor")?)?;
    Ok(Recognised::new(DiskFormat::Vmdk, sectors(shape.capacity, "disk")?))
}

impl Shape {
    fn parse(header: &[u8]) -> Result<Self, Refusal> {
        let fields = Fields(header);
        let version = fields.le32(4)?;
        if !(1..=3).contains(&version) {
            return Err(format!("it is VMDK of version {version}, and there are 1, 2 and 3"));
        }
        let shape = Self {
            capacity: fields.le64(12)?,
            grain: fields.le64(20)?,
            descriptor: (fields.le64(28)?, fields.le64(36)?),
            per_table: fields.le32(44)?,
        };
        if shape.capacity == 0 {
            return Err("it is a VMDK whose disk is in other files".to_owned());
        }
        if !shape.grain.is_power_of_two() || shape.grain > 1 << 16 || !(1..=512).contains(&shape.per_table) {
            return Err("its grains and tables can't be what its header says".to_owned());
        }
        Ok(shape)
    }

    /// The directory of tables lies inside the file, and is as long as the disk needs.
    fn check_tables(&self, file: &dyn Bytes, at: u64) -> Result<(), Refusal> {
        let tables = self.capacity.div_ceil(self.grain * u64::from(self.per_table));
        let length = tables.saturating_mul(4);
        if at == 0 || !within(file, sectors(at, "directory")?, length) {
            return Err("its directory of grains can't be where its header says".to_owned());
        }
        Ok(())
    }
}

/// The text of a descriptor goes to its first zero byte.
fn text(descriptor: &[u8]) -> Result<&str, Refusal> {
    let text = descriptor.split(|byte| *byte == 0).next().unwrap_or_default();
    str::from_utf8(text).map_err(|_| "its descriptor is no text".to_owned())
}

fn check_descriptor(descriptor: &str, capacity: u64) -> Result<(), Refusal> {
    if descriptor.is_empty() {
        return Err(only_an_extent());
    }
    refuse_parent(descriptor.as_bytes())?;
    let (mut kind, mut extents) = (None, 0);
    for line in descriptor.lines().map(str::trim) {
        if is_extent(line) {
            extents += 1;
            check_extent(line, capacity)?;
        } else if let Some((key, value)) = line.split_once('=') {
            let (key, value) = (key.trim(), value.trim().trim_matches('"'));
            if key.eq_ignore_ascii_case("createType") && kind.replace(value).is_some() {
                return Err("its descriptor has two values of createType".to_owned());
            }
            if key.eq_ignore_ascii_case("parentCID") && !value.eq_ignore_ascii_case("ffffffff") {
                return Err("it is a VMDK that names a parent, and only what it holds itself is taken".to_owned());
            }
        }
    }
    match kind {
        Some("monolithicSparse" | "streamOptimized") => {}
        Some(other) => {
            let other: String = other.chars().take(40).collect();
            return Err(format!(
                "it is a VMDK of type {other:?}; monolithicSparse and streamOptimized are taken"
            ));
        }
        None => return Err("its descriptor doesn't say its type".to_owned()),
    }
    if extents != 1 {
        return Err(format!(
            "it is a VMDK of {extents} extents, and only one, the file itself, is taken"
        ));
    }
    Ok(())
}

fn only_an_extent() -> Refusal {
    "it is a VMDK without a descriptor of its own: one extent of a disk in several files".to_owned()
}

fn is_extent(line: &str) -> bool {
    let word = line.split_ascii_whitespace().next().unwrap_or_default();
    ["RW", "RDONLY", "NOACCESS"]
        .iter()
        .any(|access| word.eq_ignore_ascii_case(access))
}

/// `RW 16384 SPARSE "disk.vmdk"`: as long as the disk, sparse, and a plain name without a way to elsewhere.
fn check_extent(line: &str, capacity: u64) -> Result<(), Refusal> {
    let elsewhere = || "it is a VMDK with an extent that is not this file".to_owned();
    let mut words = line.splitn(4, char::is_whitespace).skip(1);
    let (Some(length), Some(kind), Some(name)) = (words.next(), words.next(), words.next()) else {
        return Err("its descriptor has an extent that can't be read".to_owned());
    };
    let plain = name
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .is_some_and(|name| !name.contains(['/', '\\', ':', '"']));
    if kind != "SPARSE" || !plain || length.parse() != Ok(capacity) {
        return Err(elsewhere());
    }
    Ok(())
}

/// QEMU takes whatever follows this word, wherever it is, for the name of a file to open.
fn refuse_parent(descriptor: &[u8]) -> Result<(), Refusal> {
    const HINT: &[u8] = b"parentFileNameHint";
    let text = descriptor.split(|byte| *byte == 0).next().unwrap_or_default();
    if text.windows(HINT.len()).any(|word| word.eq_ignore_ascii_case(HINT)) {
        return Err("it is a VMDK that names a parent, and only what it holds itself is taken".to_owned());
    }
    Ok(())
}
