//! Files that want a file of the host read, or a number believed: all are refused, and leave nothing.
//!
//! Whatever they name is a canary, watched by inotify: the kernel tells of every open, by whatever process in whatever
//! namespace. QEMU's own tools make the files where they can; the rest is patched by hand.

use std::fs;
use std::path::{Path, PathBuf};

use berth_model::Code;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use crate::place::Place;

/// A place with a file in it that nobody may open.
struct Lair {
    place: Place,
    canary: PathBuf,
    watch: Inotify,
}

impl Lair {
    fn new() -> Self {
        let place = Place::new();
        let canary = place.path("canary");
        fs::write(&canary, vec![b'!'; 1 << 20]).unwrap();
        let watch = Inotify::init(InitFlags::IN_NONBLOCK).unwrap();
        watch
            .add_watch(&canary, AddWatchFlags::IN_OPEN | AddWatchFlags::IN_ACCESS)
            .unwrap();
        Self { place, canary, watch }
    }

    fn opened(&self) -> bool {
        self.watch.read_events().is_ok_and(|events| !events.is_empty())
    }

    /// An empty disk of 64 MiB in that format, named as the format is.
    fn made(&self, format: &str, options: &[&str]) -> PathBuf {
        let path = self.place.path(&format!("given.{format}"));
        let create = [
            &["create", "-q", "-f", format],
            options,
            &[path.to_str().unwrap(), "64M"],
        ];
        Place::qemu_img(&create.concat());
        self.opened();
        path
    }

    /// A disk of 64 MiB with something in it that can't be compressed.
    fn filled(&self, format: &str, options: &[&str]) -> PathBuf {
        let (raw, path) = (
            self.place.path("filled.raw"),
            self.place.path(&format!("filled.{format}")),
        );
        let mut bytes = vec![0; 64 << 20];
        let mut random = 1_u64;
        for byte in &mut bytes[1 << 20..3 << 20] {
            // Knuth's MMIX: the upper bits are random enough for zlib.
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            *byte = (random >> 56) as u8;
        }
        fs::write(&raw, bytes).unwrap();
        let convert = [&["convert", "-f", "raw", "-O", format], options];
        let files = [raw.to_str().unwrap(), path.to_str().unwrap()];
        Place::qemu_img(&[&convert.concat()[..], &files].concat());
        path
    }

    #[track_caller]
    fn refused(&self, path: &Path, says: &str) {
        let (_, result) = self.place.import(path);
        let error = result.err().unwrap_or_else(|| panic!("not refused: {says}"));
        assert_eq!(error.code(), Code::InvalidImage, "{error}");
        assert!(error.to_string().contains(says), "{error}\ndoes not say {says:?}");
        assert!(!self.opened(), "the canary was opened: {error}");
        self.place.nothing_is_left();
        assert_eq!(self.place.storage.space().unwrap().reserved, 0);
    }

    #[track_caller]
    fn bytes_are_refused(&self, bytes: &[u8], says: &str) {
        let path = self.place.path("patched");
        fs::write(&path, bytes).unwrap();
        self.refused(&path, says);
    }
}

/// The bytes of a file with others at that place.
fn patched(path: &Path, at: usize, with: &[u8]) -> Vec<u8> {
    let mut bytes = fs::read(path).unwrap();
    bytes[at..at + with.len()].copy_from_slice(with);
    bytes
}

fn find(bytes: &[u8], what: &[u8]) -> usize {
    bytes.windows(what.len()).position(|found| found == what).unwrap()
}

/// Puts a text where another one was, with zeros after it.
fn replaced(bytes: &[u8], old: &str, new: &str) -> Vec<u8> {
    let at = find(bytes, old.as_bytes());
    let end = at + bytes[at..].iter().position(|byte| *byte == 0).unwrap();
    let after = [new.as_bytes(), &bytes[at + old.len()..end]].concat();
    let mut bytes = bytes.to_vec();
    bytes[at..at + after.len()].copy_from_slice(&after);
    bytes
}

#[test]
fn the_watch_would_tell() {
    let lair = Lair::new();
    assert!(!lair.opened());
    let canary = lair.canary.to_str().unwrap();
    Place::qemu_img(&["compare", "-q", "-U", "-f", "raw", "-F", "raw", canary, canary]);
    assert!(lair.opened());
}

#[test]
fn a_qcow2_that_leads_to_another_file() {
    let lair = Lair::new();
    let canary = lair.canary.to_str().unwrap();
    let json = format!(r#"json:{{"driver":"raw","file":{{"driver":"file","filename":"{canary}"}}}}"#);
    let names = [
        "/etc/passwd",
        "nbd:unix:/run/x.sock",
        "nbd://127.0.0.1/x",
        "a:b",
        "../canary",
        "../x",
        "canary",
    ];
    for name in names.into_iter().chain([canary, &json, &format!("file:{canary}")]) {
        lair.refused(&lair.made("qcow2", &["-u", "-b", name, "-F", "raw"]), "backing file");
    }
    // In the same order of bytes, but where our parser doesn't read.
    lair.bytes_are_refused(
        &patched(&lair.made("qcow2", &[]), 8, &(1_u64 << 40).to_be_bytes()),
        "backing file",
    );
    let data = lair.place.path("data.raw");
    let external = lair.made(
        "qcow2",
        &["-o", &format!("data_file={},data_file_raw=on", data.display())],
    );
    lair.refused(&external, "in another file");
    // Its name without the bit that says so.
    lair.bytes_are_refused(&patched(&external, 72, &[0; 8]), "in another file");
    let secret = [
        "--object",
        "secret,id=s,data=x",
        "-o",
        "encrypt.format=luks,encrypt.key-secret=s",
    ];
    lair.refused(&lair.made("qcow2", &secret), "encrypted");
}

#[test]
fn a_qcow2_with_numbers_that_no_honest_file_has() {
    let lair = Lair::new();
    let good = lair.filled("qcow2", &[]);
    let whole = fs::read(&good).unwrap();
    let each: [(usize, &[u8], &str); 15] = [
        (4, &1_u32.to_be_bytes(), "version 1"),
        (20, &40_u32.to_be_bytes(), "clusters have 2^40"),
        (24, &u64::MAX.to_be_bytes(), "a volume at most"),
        (24, &(5121_u64 << 30).to_be_bytes(), "a volume at most 5120 GiB"),
        (24, &0_u64.to_be_bytes(), "no bytes"),
        (36, &u32::MAX.to_be_bytes(), "first-level table"),
        (36, &0_u32.to_be_bytes(), "first-level table"),
        (40, &(1_u64 << 40).to_be_bytes(), "first-level table"),
        (48, &(1_u64 << 50).to_be_bytes(), "refcount table"),
        (56, &u32::MAX.to_be_bytes(), "refcount table"),
        (60, &u32::MAX.to_be_bytes(), "table of snapshots"),
        (72, &1_u64.to_be_bytes(), "not closed cleanly"),
        (72, &(1_u64 << 40).to_be_bytes(), "not known"),
        (96, &7_u32.to_be_bytes(), "refcount width"),
        (100, &8_u32.to_be_bytes(), "header says that it has 8 bytes"),
    ];
    for (at, with, says) in each {
        lair.bytes_are_refused(&patched(&good, at, with), says);
    }
    lair.bytes_are_refused(&patched(&good, 72, &2_u64.to_be_bytes()), "not closed cleanly");
    for length in [4, 40, 110] {
        lair.bytes_are_refused(&whole[..length], "cut off");
    }
    // The tables are whole and the data is not: only qemu-img can tell.
    lair.bytes_are_refused(&whole[..whole.len() - (1 << 20)], "qemu-img check says");
    lair.bytes_are_refused(&whole[..100_000], "can't be what");
}

#[test]
fn a_vmdk_that_is_made_of_other_files() {
    let lair = Lair::new();
    for kind in ["monolithicFlat", "twoGbMaxExtentSparse", "twoGbMaxExtentFlat"] {
        let path = lair.made("vmdk", &["-o", &format!("subformat={kind}")]);
        lair.refused(&path, "a VMDK descriptor");
    }
    lair.refused(&lair.place.path("given-s001.vmdk"), "without a descriptor");
    let base = lair.place.path("base.vmdk");
    fs::rename(lair.made("vmdk", &[]), &base).unwrap();
    let child = lair.made("vmdk", &["-b", base.to_str().unwrap(), "-F", "vmdk"]);
    lair.refused(&child, "names a parent");
}

#[test]
fn a_vmdk_with_a_descriptor_that_leads_elsewhere() {
    let lair = Lair::new();
    let canary = lair.canary.to_str().unwrap();
    let good = fs::read(lair.made("vmdk", &[])).unwrap();
    let own = r#"SPARSE "given.vmdk""#;
    lair.bytes_are_refused(&replaced(&good, own, &format!(r#"FLAT "{canary}" 0"#)), "not this file");
    lair.bytes_are_refused(&replaced(&good, own, &format!(r#"SPARSE "{canary}""#)), "not this file");
    lair.bytes_are_refused(&replaced(&good, own, r#"SPARSE "../x""#), "not this file");
    lair.bytes_are_refused(&replaced(&good, own, r#"SPARSE "nbd:x""#), "not this file");
    lair.bytes_are_refused(
        &replaced(&good, own, "SPARSE \"a\"\nRW 1 FLAT \"b\" 0"),
        "not this file",
    );
    lair.bytes_are_refused(&replaced(&good, "RW 131072", "RW 131073"), "not this file");
    lair.bytes_are_refused(&replaced(&good, "monolithicSparse", "fullDevice"), "fullDevice");
    lair.bytes_are_refused(
        &replaced(&good, "parentCID=ffffffff", "parentCID=00000001"),
        "names a parent",
    );
    let hint = format!("x\nparentFileNameHint=\"{canary}\"");
    lair.bytes_are_refused(&replaced(&good, "# The Disk Data Base", &hint), "names a parent");

    // QEMU takes a header without sectors for a descriptor's envelope.
    let mut empty = replaced(&good, own, &format!(r#"FLAT "{canary}" 0"#));
    empty[12..20].fill(0);
    lair.bytes_are_refused(&empty, "in other files");
    // It looks for a parent in the second sector, wherever the header says that the descriptor is.
    let mut moved = replaced(&good, "# The Disk Data Base", &hint);
    let descriptor = good[512..512 + 20 * 512].to_vec();
    let end = (moved.len() / 512) as u64;
    moved[28..36].copy_from_slice(&end.to_le_bytes());
    moved.extend(descriptor);
    lair.bytes_are_refused(&moved, "names a parent");
}

#[test]
fn a_vmdk_that_is_cut_off_or_absurd() {
    let lair = Lair::new();
    let stream = fs::read(lair.filled("vmdk", &["-o", "subformat=streamOptimized"])).unwrap();
    lair.bytes_are_refused(&stream[..stream.len() - (32 << 10)], "qemu-img");
    // As VMware writes it: the place of the tables is in a footer, between two markers.
    let mut vmware = stream.clone();
    vmware[56..64].fill(0xff);
    let mut marker = [0; 512];
    marker[12] = 3;
    vmware.extend([marker, stream[..512].try_into().unwrap(), [0; 512]].concat());
    let good = lair.place.path("vmware.vmdk");
    fs::write(&good, &vmware).unwrap();
    let (id, facts) = lair.place.import(&good);
    assert_eq!(facts.unwrap().virtual_size, 64 << 20);
    lair.place.storage.delete_image(id).unwrap();
    lair.bytes_are_refused(&vmware[..vmware.len() - 512], "footer");
    // The footer says another size than the header, and QEMU believes the footer.
    let footer = stream.len() + 512;
    lair.bytes_are_refused(&patched(&good, footer + 12, &[1]), "footer");
    let sparse = lair.filled("vmdk", &[]);
    let whole = fs::read(&sparse).unwrap();
    lair.bytes_are_refused(&whole[..whole.len() - (1 << 20)], "qemu-img check says");
    lair.bytes_are_refused(&whole[..400], "cut off");
    lair.bytes_are_refused(
        &patched(&sparse, 12, &(u64::MAX / 2).to_le_bytes()),
        "directory of grains",
    );
    lair.bytes_are_refused(&patched(&sparse, 20, &3_u64.to_le_bytes()), "grains and tables");
    lair.bytes_are_refused(&patched(&sparse, 44, &0_u32.to_le_bytes()), "grains and tables");
    lair.bytes_are_refused(&patched(&sparse, 36, &u64::MAX.to_le_bytes()), "without a descriptor");
    lair.bytes_are_refused(&patched(&sparse, 28, &u64::MAX.to_le_bytes()), "absurd");
    lair.bytes_are_refused(&patched(&sparse, 4, &9_u32.to_le_bytes()), "version 9");
}

#[test]
fn a_vdi_with_a_parent_or_absurd() {
    let lair = Lair::new();
    let good = lair.filled("vdi", &[]);
    let whole = fs::read(&good).unwrap();
    let each: [(usize, &[u8], &str); 10] = [
        (68, &2_u32.to_le_bytes(), "version"),
        (76, &3_u32.to_le_bytes(), "only what differs"),
        (76, &4_u32.to_le_bytes(), "only what differs"),
        (76, &9_u32.to_le_bytes(), "kind 9"),
        (424, &[1], "names a parent"),
        (440, &[1], "names a parent"),
        (340, &u32::MAX.to_le_bytes(), "table of blocks"),
        (368, &(6000_u64 << 30).to_le_bytes(), "table of blocks"),
        (376, &512_u32.to_le_bytes(), "its blocks 512"),
        (388, &64_u32.to_le_bytes(), "cut off"),
    ];
    for (at, with, says) in each {
        lair.bytes_are_refused(&patched(&good, at, with), says);
    }
    lair.bytes_are_refused(&whole[..whole.len() - 512], "cut off");
}

/// Sets the checksum of a VHD's footer or header, at `sum` in it, to what it is.
fn sum_up(part: &mut [u8], sum: usize) {
    part[sum..sum + 4].fill(0);
    let total = part.iter().fold(0_u32, |total, byte| total + u32::from(*byte));
    part[sum..sum + 4].copy_from_slice(&(!total).to_be_bytes());
}

#[test]
fn a_vhd_with_a_parent_or_absurd() {
    let lair = Lair::new();
    let whole = fs::read(lair.filled("vpc", &[])).unwrap();
    let end = whole.len() - 512;
    let with_footers = |at: usize, with: &[u8]| {
        let mut bytes = whole.clone();
        for footer in [0, end] {
            bytes[footer + at..footer + at + with.len()].copy_from_slice(with);
            sum_up(&mut bytes[footer..footer + 512], 64);
        }
        bytes
    };
    lair.bytes_are_refused(&with_footers(60, &4_u32.to_be_bytes()), "only what differs");
    lair.bytes_are_refused(&with_footers(60, &2_u32.to_be_bytes()), "kind 2");
    lair.bytes_are_refused(&with_footers(48, &(6000_u64 << 30).to_be_bytes()), "table of blocks");
    lair.bytes_are_refused(&with_footers(16, &u64::MAX.to_be_bytes()), "cut off");
    lair.bytes_are_refused(&whole[..end], "cut off");
    let mut broken = whole.clone();
    broken[end + 100] ^= 1;
    broken[100] ^= 1;
    lair.bytes_are_refused(&broken, "checksum");
    let mut parent = whole.clone();
    parent[512 + 40] = 1;
    sum_up(&mut parent[512..1536], 36);
    lair.bytes_are_refused(&parent, "names a parent");

    let fixed = fs::read(lair.filled("vpc", &["-o", "subformat=fixed"])).unwrap();
    lair.bytes_are_refused(&fixed[512..], "and holds");
    // A footer at the beginning, written by a guest, that QEMU would believe.
    lair.bytes_are_refused(&[&whole[..512], &fixed[512..]].concat(), "not what its beginning says");
}

#[test]
fn a_vhdx_with_a_parent_or_a_log() {
    let lair = Lair::new();
    let good = lair.filled("vhdx", &[]);
    let whole = fs::read(&good).unwrap();
    for header in [64 << 10, 128 << 10] {
        lair.bytes_are_refused(&patched(&good, header, b"xxxx")[..70 << 10], "cut off");
    }
    let mut dirty = whole.clone();
    for header in [64 << 10, 128 << 10] {
        dirty[header + 48] = 1;
    }
    lair.bytes_are_refused(&dirty, "not closed cleanly");
    lair.bytes_are_refused(&patched(&good, 192 << 10, b"xxxx"), "region tables");
    let metadata = find(&whole, b"metadata\0\0");
    // The first 8-byte items of QEMU's metadata: block size with flags, then the disk's size.
    let parameters = metadata + (64 << 10);
    lair.bytes_are_refused(
        &patched(&good, parameters + 4, &2_u32.to_le_bytes()),
        "only what differs",
    );
    lair.bytes_are_refused(
        &patched(&good, parameters + 8, &u64::MAX.to_le_bytes()),
        "no whole sectors",
    );
    lair.bytes_are_refused(
        &patched(&good, parameters + 8, &(6000_u64 << 30).to_le_bytes()),
        "a volume at most",
    );
    lair.bytes_are_refused(
        &patched(&good, metadata + 32 + 16, &u32::MAX.to_le_bytes()),
        "metadata can't be",
    );
    lair.bytes_are_refused(&whole[..whole.len() - (1 << 20)], "says:");
}

#[test]
fn what_is_no_disk() {
    let lair = Lair::new();
    lair.refused(&lair.made("qed", &[]), "QED");
    lair.refused(&lair.made("parallels", &[]), "Parallels");
    lair.bytes_are_refused(b"COWD and more", "COWD");
    lair.bytes_are_refused(b"hello", "no whole sectors");
    lair.bytes_are_refused(b"", "no bytes");
}
