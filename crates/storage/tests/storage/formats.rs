//! Every format that is taken: the disk that comes out is the disk that went in, to the last byte.

use std::fs;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;

use berth_model::DiskFormat;
use berth_storage::ImageFacts;

use crate::place::Place;

/// Bytes of the disk: no multiple of a cluster, of a block, or of a cylinder.
const SIZE: u64 = (24 << 20) + 512;

/// A sparse disk with something in its first and last sector, and here and there.
fn disk(place: &Place) -> PathBuf {
    let path = place.path("disk.raw");
    let mut file = fs::File::create(&path).unwrap();
    for (at, length) in [(0, 3000), (65_530, 20), (5 << 20, 1 << 20), (SIZE - 512, 512)] {
        file.seek(SeekFrom::Start(at)).unwrap();
        let bytes: Vec<u8> = (at..at + length).map(|i| (i * i % 251) as u8).collect();
        file.write_all(&bytes).unwrap();
    }
    file.set_len(SIZE).unwrap();
    path
}

fn round_trip(format: DiskFormat, options: &[&str]) -> ImageFacts {
    let place = Place::new();
    let (disk, given) = (disk(&place), place.path("given"));
    let [from, to] = [&disk, &given].map(|path| path.to_str().unwrap());
    let driver = format.qemu_name();
    Place::qemu_img(&[&["convert", "-f", "raw", "-O", driver], options, &[from, to]].concat());
    let (id, facts) = place.import(&given);
    let facts = facts.unwrap_or_else(|error| panic!("{format} {options:?}: {error}"));
    assert_eq!(facts.format, format, "{options:?}");
    let image = place.storage.image_path(id);
    let image = image.to_str().unwrap();
    Place::qemu_img(&["compare", "-q", "-f", "raw", "-F", "qcow2", from, image]);
    Place::qemu_img(&["check", "-q", "-f", "qcow2", image]);
    facts
}

#[test]
fn every_format_comes_out_as_it_went_in() {
    let each: [(DiskFormat, &[&str]); 17] = [
        (DiskFormat::Raw, &[]),
        (DiskFormat::Qcow2, &[]),
        (DiskFormat::Qcow2, &["-c"]),
        (DiskFormat::Qcow2, &["-c", "-o", "compression_type=zstd"]),
        (DiskFormat::Qcow2, &["-o", "compat=0.10"]),
        (DiskFormat::Qcow2, &["-o", "extended_l2=on"]),
        (DiskFormat::Qcow2, &["-o", "cluster_size=512"]),
        (DiskFormat::Qcow2, &["-o", "cluster_size=2M"]),
        (DiskFormat::Qcow2, &["-o", "preallocation=metadata,lazy_refcounts=on"]),
        (DiskFormat::Qcow2, &["-o", "refcount_bits=64"]),
        (DiskFormat::Vmdk, &[]),
        (DiskFormat::Vmdk, &["-o", "subformat=streamOptimized"]),
        (DiskFormat::Vdi, &[]),
        (DiskFormat::Vdi, &["-o", "static=on"]),
        (DiskFormat::Vhdx, &[]),
        (DiskFormat::Vhdx, &["-o", "subformat=fixed"]),
        (DiskFormat::Vhdx, &["-o", "block_size=8M"]),
    ];
    for (format, options) in each {
        assert_eq!(round_trip(format, options).virtual_size, SIZE, "{format} {options:?}");
    }
}

#[test]
fn a_vhd_is_as_large_as_qemu_reads_it() {
    // Without force_size QEMU rounds up to whole cylinders.
    for options in ["subformat=dynamic", "subformat=fixed"] {
        let size = round_trip(DiskFormat::Vhd, &["-o", options]).virtual_size;
        assert!((SIZE..SIZE + (1 << 20)).contains(&size), "{size}");
        let forced = round_trip(DiskFormat::Vhd, &["-o", &format!("{options},force_size=on")]);
        assert_eq!(forced.virtual_size, SIZE);
    }
}

#[test]
fn internal_snapshots_are_left_behind() {
    let place = Place::new();
    let given = place.qcow2(&[]);
    Place::qemu_img(&["snapshot", "-c", "before", given.to_str().unwrap()]);
    let (id, facts) = place.import(&given);
    facts.unwrap();
    let info = std::process::Command::new("qemu-img")
        .args(["info", "-f", "qcow2"])
        .arg(place.storage.image_path(id))
        .output()
        .unwrap();
    assert!(!String::from_utf8(info.stdout).unwrap().contains("before"));
}
