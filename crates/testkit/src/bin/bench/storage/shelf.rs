//! Shelve and unshelve of a stopped instance, whose root volume of 10 GiB has 1 GiB of data in it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use berth_testkit::Daemon;

use super::data::{GIB, raw_disk, text};
use super::images::{convert, write_out};
use super::{SLOW, medians, row, settle};
use crate::timed;

/// How the shelf is compressed.
const ZSTD: [&str; 6] = ["-c", "-o", "compression_type=zstd", "-m", "16", "-W"];

pub(super) fn measure(daemon: &Daemon<'_>) {
    let data = raw_disk(daemon.host().dir().join("shelve.raw"), GIB, GIB);
    create(daemon, "big");
    stop(daemon, "big");
    let [shelve, zstd, compared, plain, unshelve, made] = medians(SLOW, || round(daemon, &data));
    row("shelve, 1 GiB in 10 GiB", shelve, zstd, "qemu-img convert -c, zstd");
    row(
        "  written out and compared",
        shelve,
        zstd + compared,
        "the same, then sync, qemu-img compare",
    );
    row("  beside a plain copy", shelve, plain, "qemu-img convert");
    row("unshelve → Active", unshelve, made, "berth instance create → Active");
    daemon.ok(["instance", "delete", "big"]);
    fs::remove_file(data).unwrap();
}

/// Once with data that is new to the volume, so that the shelf of the round before is beneath it and not in its way.
fn round(daemon: &Daemon<'_>, data: &Path) -> [Duration; 6] {
    let (host, layer) = (daemon.host(), daemon.disk_file("big"));
    let write = format!("write -q -s {} 1G 1G", text(data));
    host.run("qemu-io", ["-f", "qcow2", "-c", &write, text(&layer)]);
    settle(daemon);
    let mut compared = Duration::ZERO;
    let zstd = convert(host, &ZSTD, &layer, |made| compared = compare(daemon, &layer, made));
    settle(daemon);
    let plain = convert(host, &[], &layer, |_| ());
    settle(daemon);
    let shelve = timed(|| drop(daemon.ok(["instance", "shelve", "big"])));
    settle(daemon);
    let unshelve = timed(|| drop(daemon.ok(["instance", "unshelve", "big"])));
    stop(daemon, "big");
    let made = timed(|| create(daemon, "plain"));
    daemon.ok(["instance", "delete", "plain"]);
    [shelve, zstd, compared, plain, unshelve, made]
}

/// Writes the copy out, and compares the two to the last byte.
fn compare(daemon: &Daemon<'_>, layer: &Path, made: &Path) -> Duration {
    let compare = ["compare", "-q", "-f", "qcow2", "-F", "qcow2", text(layer), text(made)];
    let written = write_out(daemon.host(), made);
    written + timed(|| drop(daemon.host().run("qemu-img", compare)))
}

fn create(daemon: &Daemon<'_>, name: &str) {
    daemon.ok([
        "instance",
        "create",
        name,
        "--image",
        "tiny",
        "--type",
        "t1.nano",
        "--root-size",
        "10",
    ]);
}

/// Before its guest has come far enough to use the volume.
fn stop(daemon: &Daemon<'_>, name: &str) {
    daemon.ok(["instance", "stop", name, "--force"]);
}
