//! Images: imported from a file, and made into volumes.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use berth_testkit::{Daemon, Host};

use super::data::{GIB, MIB, raw_disk, text};
use super::{QUICK, SLOW, medians, row, settle};
use crate::timed;

/// A raw image of 1 GiB through `berth image import`.
pub(super) fn import(daemon: &Daemon<'_>) {
    let host = daemon.host();
    let from = raw_disk(host.dir().join("import.raw"), GIB, GIB);
    let [berth, floor, written] = medians(SLOW, || {
        settle(daemon);
        let berth = timed(|| import_as(daemon, &from, "raw"));
        daemon.ok(["image", "delete", "raw"]);
        settle(daemon);
        let mut written = Duration::ZERO;
        let floor = convert(host, &["-f", "raw"], &from, |made| written = write_out(host, made));
        [berth, floor, floor + written]
    });
    row("image import, raw, 1 GiB", berth, floor, "qemu-img convert");
    row("  written out", berth, written, "the same, then sync");
    fs::remove_file(from).unwrap();
}

/// A volume of a small image and one of a large one.
pub(super) fn volume_from(daemon: &Daemon<'_>) {
    let kinds = [
        ("of100mb", 100 * MIB, 100 * MIB, "volume from image of 100 MB"),
        ("of4gb", 4 * GIB, 3 * GIB / 2, "volume from image of 4 GB"),
    ];
    for (name, size, data, _) in kinds {
        let from = raw_disk(daemon.host().dir().join(name), size, data);
        import_as(daemon, &from, name);
        fs::remove_file(from).unwrap();
    }
    settle(daemon);
    let [small, small_floor, large, large_floor] = medians(QUICK, || {
        let [small, large] = kinds.map(|(name, size, ..)| [volume(daemon, name), overlay(daemon, name, size)]);
        [small[0], small[1], large[0], large[1]]
    });
    row(kinds[0].3, small, small_floor, "qemu-img create -b");
    row(kinds[1].3, large, large_floor, "qemu-img create -b");
    row("volume: 4 GB beside 100 MB", large, small, "berth's own");
    for (name, ..) in kinds {
        daemon.ok(["image", "delete", name]);
    }
}

/// Makes a qcow2 file of a disk with qemu-img, has something done with it, and removes it; how long making it took.
pub(super) fn convert(host: &Host, options: &[&str], from: &Path, then: impl FnOnce(&Path)) -> Duration {
    let to = host.dir().join("floor-convert.qcow2");
    let mut command = host.command("qemu-img");
    command.args(["convert", "-q", "-O", "qcow2"]);
    command.args(options).arg(from).arg(&to);
    let time = timed(|| ok(&mut command));
    then(&to);
    fs::remove_file(to).unwrap();
    time
}

/// How long it takes until a file is on the disk, as all files of Berth are.
pub(super) fn write_out(host: &Host, file: &Path) -> Duration {
    timed(|| drop(host.run("sync", [text(file)])))
}

fn ok(command: &mut Command) {
    assert!(command.status().unwrap().success(), "{command:?} failed");
}

fn import_as(daemon: &Daemon<'_>, from: &Path, name: &str) {
    daemon.ok(["image", "import", text(from), "--name", name]);
}

fn volume(daemon: &Daemon<'_>, image: &str) -> Duration {
    let time = timed(|| drop(daemon.ok(["volume", "create", "made", "--image", image])));
    daemon.ok(["volume", "delete", "made"]);
    time
}

fn overlay(daemon: &Daemon<'_>, image: &str, size: u64) -> Duration {
    let id = daemon.json(["image", "show", image])["id"].as_str().unwrap().to_owned();
    let below = daemon.state_dir().join("images").join(format!("{id}.qcow2"));
    let made = daemon.host().dir().join("floor-overlay.qcow2");
    let size = size.max(GIB).to_string();
    let create = ["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b"];
    let mut command = daemon.host().command("qemu-img");
    command.args(create).arg(below).arg(&made).arg(size);
    let time = timed(|| ok(&mut command));
    fs::remove_file(made).unwrap();
    time
}
