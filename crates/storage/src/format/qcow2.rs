//! The header of a qcow2 file, read by ourselves before any program opens it (QEMU, docs/interop/qcow2.rst).
//!
//! A foreign image is refused here for everything that would make QEMU open another file or trust a number: backing
//! files, external data files, encryption, features that nobody knows, sizes that no volume may have.

use berth_model::VOLUME_MAX;

/// How many bytes from the beginning of a file are looked at.
pub(crate) const HEAD: usize = 4096;

const MAGIC: &[u8] = b"QFI\xfb";

/// What the beginning of a file says it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sniffed {
    /// A qcow2 image, with its header.
    Qcow2(Header),
    /// None of the formats we know: the bytes of a disk, perhaps.
    Raw,
}

/// What matters of a qcow2 header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    /// Bytes of the disk that the guest sees.
    pub(crate) virtual_size: u64,
    /// The name of the file beneath it, as it is written in the header.
    pub(crate) backing: Option<Vec<u8>>,
    encrypted: bool,
    incompatible: u64,
}

/// Bit 3: the compression type is in the header. Bit 4: subclusters. Both are only ways to write the data.
const HARMLESS: u64 = 1 << 3 | 1 << 4;
const DIRTY: u64 = 1;
const CORRUPT: u64 = 1 << 1;
const EXTERNAL_DATA: u64 = 1 << 2;

/// The formats that are recognised in order to be refused by name: where their mark is, and what it is.
const OTHERS: [(&str, usize, &[u8]); 9] = [
    ("vmdk", 0, b"KDMV"),
    ("vmdk", 0, b"COWD"),
    ("vmdk", 0, b"# Disk DescriptorFile"),
    ("vdi", 64, &[0x7f, 0x10, 0xda, 0xbe]),
    ("vhdx", 0, b"vhdxfile"),
    ("vhd", 0, b"conectix"),
    ("qed", 0, b"QED\0"),
    ("parallels", 0, b"WithoutFreeSpace"),
    ("LUKS", 0, b"LUKS\xba\xbe"),
];

/// Says what a file is from its first bytes, or why it is refused.
pub(crate) fn sniff(head: &[u8]) -> Result<Sniffed, String> {
    if head.starts_with(MAGIC) {
        return Ok(Sniffed::Qcow2(Header::parse(head)?));
    }
    let found = OTHERS
        .iter()
        .find(|(_, at, mark)| head.get(*at..).is_some_and(|rest| rest.starts_with(mark)));
    match found {
        Some((name, ..)) => Err(format!("it is {name}, which this version does not convert")),
        None => Ok(Sniffed::Raw),
    }
}

impl Header {
    /// Reads a header from the beginning of a file.
    pub(crate) fn parse(head: &[u8]) -> Result<Self, String> {
        let version = u32_at(head, 4)?;
        if !(2..=3).contains(&version) {
            return Err(format!("it is qcow2 of version {version}, and there are 2 and 3"));
        }
        let cluster_bits = u32_at(head, 20)?;
        if !(9..=21).contains(&cluster_bits) {
            return Err(format!(
                "its clusters have 2^{cluster_bits} bytes, which qcow2 does not allow"
            ));
        }
        let name_at = usize::try_from(u64_at(head, 8)?).unwrap_or(usize::MAX);
        let name_length = u32_at(head, 16)? as usize;
        let backing = match name_at {
            0 => None,
            at => Some(head.get(at..at.saturating_add(name_length)).unwrap_or(b"?").to_vec()),
        };
        Ok(Self {
            virtual_size: u64_at(head, 24)?,
            backing,
            encrypted: u32_at(head, 32)? != 0,
            incompatible: if version == 3 { u64_at(head, 72)? } else { 0 },
        })
    }

    /// Why a foreign image with this header is refused, if it is.
    pub(crate) fn check_foreign(&self) -> Result<(), String> {
        if self.backing.is_some() {
            return Err("it has a backing file, and only what it holds itself is taken".to_owned());
        }
        if self.incompatible & EXTERNAL_DATA != 0 {
            return Err("its data is in another file".to_owned());
        }
        if self.encrypted {
            return Err("it is encrypted".to_owned());
        }
        if self.incompatible & (DIRTY | CORRUPT) != 0 {
            return Err("it was not closed cleanly; 'qemu-img check -r all' may mend it".to_owned());
        }
        if self.incompatible & !HARMLESS != 0 {
            return Err(format!(
                "it has features that are not known ({:#x})",
                self.incompatible & !HARMLESS
            ));
        }
        check_size(self.virtual_size)
    }
}

/// Why a disk of that size is refused, if it is.
pub(crate) fn check_size(bytes: u64) -> Result<(), String> {
    if bytes == 0 {
        return Err("its disk has no bytes".to_owned());
    }
    if bytes > VOLUME_MAX.bytes() {
        return Err(format!("its disk has {bytes} bytes, and a volume at most {VOLUME_MAX}"));
    }
    Ok(())
}

fn u32_at(head: &[u8], at: usize) -> Result<u32, String> {
    let bytes = head.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
    bytes
        .map(u32::from_be_bytes)
        .ok_or_else(|| "its header is cut off".to_owned())
}

fn u64_at(head: &[u8], at: usize) -> Result<u64, String> {
    let bytes = head.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
    bytes
        .map(u64::from_be_bytes)
        .ok_or_else(|| "its header is cut off".to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_bytes_break_the_parser(mut bytes in prop::collection::vec(any::<u8>(), 0..512), qcow2 in any::<bool>()) {
            if qcow2 && bytes.len() >= 4 {
                bytes[..4].copy_from_slice(MAGIC);
            }
            if let Ok(Sniffed::Qcow2(header)) = sniff(&bytes) {
                let _ = header.check_foreign();
            }
        }

        #[test]
        fn only_sizes_that_a_volume_may_have_pass(bytes in any::<u64>()) {
            prop_assert_eq!(check_size(bytes).is_ok(), (1..=VOLUME_MAX.bytes()).contains(&bytes));
        }
    }

    #[test]
    fn other_formats_are_refused_by_their_name() {
        assert!(sniff(b"KDMV....").is_err_and(|why| why.contains("vmdk")));
        assert!(sniff(b"vhdxfile").is_err_and(|why| why.contains("vhdx")));
        assert_eq!(sniff(b"\xfa\xb8\x00\x10"), Ok(Sniffed::Raw));
    }
}
