//! What a foreign file is, found out by ourselves from its own bytes before any program opens it.
//!
//! ```text
//!   the first bytes ── a mark ──▶ qcow2 · vmdk · vdi · vhd · vhdx ──▶ that format's parser: its size, or a refusal
//!                   ├─ a mark of what isn't taken ──▶ refused by its name
//!   the last bytes ─┴─ no mark ─────────────────────▶ raw: the bytes of a disk
//! ```
//!
//! A parser refuses whatever would make QEMU open another file (backing files, external data, parents, extents), what
//! QEMU would have to write to before it reads (dirty logs), and numbers that no honest file has. It reads headers and
//! no tables of blocks: those qemu-img checks and converts, caged (`cage`), with the format said.
//!
//! Every accepted file is converted, qcow2 too. What guests run on was then written by our own qemu-img: a stranger's
//! tables are met by a process in a cage, once, and never by the QEMU of a guest, which may open more than that.

mod bytes;
pub(crate) mod qcow2;
mod vdi;
mod vhd;
mod vhdx;
mod vmdk;

use berth_model::{DiskFormat, VOLUME_MAX};

pub(crate) use bytes::{Bytes, Refusal};

/// A file that may be converted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Recognised {
    /// What it is.
    pub(crate) format: DiskFormat,
    /// Bytes of the disk in it.
    pub(crate) virtual_size: u64,
    /// The other size that its header may be read to have: a VHD's by its geometry.
    pub(crate) or: Option<u64>,
}

impl Recognised {
    fn new(format: DiskFormat, virtual_size: u64) -> Self {
        Self {
            format,
            virtual_size,
            or: None,
        }
    }

    /// Whether a disk of that size may be what this one was converted to. QEMU counts in whole sectors.
    pub(crate) fn allows(&self, converted: u64) -> bool {
        [Some(self.virtual_size), self.or]
            .into_iter()
            .flatten()
            .any(|size| size.next_multiple_of(SECTOR) == converted)
    }
}

/// Bytes of a sector, which all formats but qcow2 count in.
pub(crate) const SECTOR: u64 = 512;

/// What the marks below are looked for in.
const HEAD: usize = 512;

/// What is recognised in order to be refused: what it is, where its mark is, the mark, and what would be right.
const OTHERS: [(&str, usize, &[u8], &str); 17] = [
    (
        "a VMDK descriptor, whose disk is in other files",
        0,
        b"# Disk DescriptorFile",
        VMDK,
    ),
    ("a VMDK of ESX (COWD)", 0, b"COWD", VMDK),
    ("a VMDK of ESX (SESparse)", 0, b"\xbe\xba\xfe\xca\0\0\0\0", VMDK),
    ("QED", 0, b"QED\0", CONVERT),
    ("Parallels", 0, b"WithoutFreeSpace", CONVERT),
    ("Parallels", 0, b"WithouFreSpacExt", CONVERT),
    ("LUKS, which is encrypted", 0, b"LUKS\xba\xbe", CONVERT),
    ("Bochs", 0, b"Bochs Virtual HD Image", CONVERT),
    ("cloop", 0, b"#!/bin/sh\n#V2.0 Format\n", CONVERT),
    ("an archive (tar, or OVA)", 257, b"ustar", UNPACK),
    ("compressed with gzip", 0, b"\x1f\x8b\x08", UNPACK),
    ("compressed with xz", 0, b"\xfd7zXZ\0", UNPACK),
    ("compressed with bzip2", 0, b"BZh", UNPACK),
    ("compressed with zstd", 0, b"\x28\xb5\x2f\xfd", UNPACK),
    ("an archive (zip)", 0, b"PK\x03\x04", UNPACK),
    ("an archive (7z)", 0, b"7z\xbc\xaf\x27\x1c", UNPACK),
    ("a web page", 0, b"<!DOCTYPE", "give the image itself"),
];
const VMDK: &str = "export it as one file, monolithicSparse or streamOptimized";
const CONVERT: &str = "convert it to qcow2";
const UNPACK: &str = "unpack it";

/// The mark of a dmg is 512 bytes before its end.
const DMG: &[u8] = b"koly";

/// Says what a file is, or why it is refused.
pub(crate) fn inspect(file: &dyn Bytes) -> Result<Recognised, Refusal> {
    let length = usize::try_from(file.length()).unwrap_or(usize::MAX);
    let head = bytes::read(file, 0, HEAD.min(length), "beginning")?;
    let found = if head.starts_with(qcow2::MAGIC) {
        qcow2::inspect(file)?
    } else if head.starts_with(vmdk::MAGIC) {
        vmdk::inspect(file)?
    } else if head.starts_with(vhdx::MAGIC) {
        vhdx::inspect(file)?
    } else if head
        .get(vdi::MAGIC_AT..)
        .is_some_and(|rest| rest.starts_with(vdi::MAGIC))
    {
        vdi::inspect(file)?
    } else if let Some(vhd) = vhd::inspect(file, &head)? {
        vhd
    } else {
        raw(file, &head)?
    };
    for size in [Some(found.virtual_size), found.or].into_iter().flatten() {
        check_size(size)?;
    }
    Ok(found)
}

fn raw(file: &dyn Bytes, head: &[u8]) -> Result<Recognised, Refusal> {
    let marked = |at: usize, mark: &[u8]| head.get(at..).is_some_and(|rest| rest.starts_with(mark));
    if let Some((what, _, _, right)) = OTHERS.iter().find(|(_, at, mark, _)| marked(*at, mark)) {
        return Err(format!("it is {what}; {right}"));
    }
    let length = file.length();
    if let Some(at) = length.checked_sub(SECTOR)
        && bytes::read(file, at, DMG.len(), "end")? == DMG
    {
        return Err(format!("it is dmg; {CONVERT}"));
    }
    check_size(length)?;
    if !length.is_multiple_of(SECTOR) {
        return Err(format!(
            "it has no mark of a format that is known, and {length} bytes are no whole sectors of a raw disk"
        ));
    }
    Ok(Recognised::new(DiskFormat::Raw, length))
}

/// Why a disk of that size is refused, if it is.
pub(crate) fn check_size(bytes: u64) -> Result<(), Refusal> {
    if bytes == 0 {
        return Err("its disk has no bytes".to_owned());
    }
    if bytes > VOLUME_MAX.bytes() {
        return Err(format!("its disk has {bytes} bytes, and a volume at most {VOLUME_MAX}"));
    }
    Ok(())
}

/// Bytes of so many sectors.
fn sectors(count: u64, what: &str) -> Result<u64, Refusal> {
    count
        .checked_mul(SECTOR)
        .ok_or_else(|| format!("its {what} of {count} sectors is absurd"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The beginnings that lead into each parser.
    const MARKS: [(usize, &[u8]); 6] = [
        (0, qcow2::MAGIC),
        (0, vmdk::MAGIC),
        (0, vhdx::MAGIC),
        (vdi::MAGIC_AT, vdi::MAGIC),
        (0, b"conectix"),
        (0, b""),
    ];

    proptest! {
        #[test]
        fn no_bytes_break_a_parser(mut bytes in prop::collection::vec(any::<u8>(), 1024..4096), mark in 0..MARKS.len()) {
            let (at, mark) = MARKS[mark];
            bytes[at..at + mark.len()].copy_from_slice(mark);
            if let Ok(found) = inspect(&bytes.as_slice()) {
                prop_assert!(check_size(found.virtual_size).is_ok());
            }
        }

        #[test]
        fn only_sizes_that_a_volume_may_have_pass(bytes in any::<u64>()) {
            prop_assert_eq!(check_size(bytes).is_ok(), (1..=VOLUME_MAX.bytes()).contains(&bytes));
        }
    }

    #[test]
    fn what_is_not_taken_is_refused_by_its_name() {
        for (what, at, mark, right) in OTHERS {
            let mut bytes = vec![0; 1024];
            bytes[at..at + mark.len()].copy_from_slice(mark);
            let why = inspect(&bytes.as_slice());
            assert_eq!(why, Err(format!("it is {what}; {right}")));
        }
        let mut dmg = vec![0; 1024];
        dmg[512..516].copy_from_slice(DMG);
        assert!(inspect(&dmg.as_slice()).is_err_and(|why| why.contains("dmg")));
        assert!(inspect(&[].as_slice()).is_err_and(|why| why.contains("no bytes")));
        let raw = inspect(&[7; 1024].as_slice());
        assert_eq!(raw, Ok(Recognised::new(DiskFormat::Raw, 1024)));
    }
}
