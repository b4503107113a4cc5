//! What the disks cost: images, volumes, snapshots and the shelf, next to qemu-img and virsh doing the same.
//!
//! Berth and its floor take turns, so that what the machine does meanwhile is in both. Before each turn that writes much
//! the host writes out what it still has in memory. All files are in the private host's directory, and go with it.

mod data;
mod images;
mod plug;
mod shelf;
mod snapshots;
mod twin;

use std::time::Duration;

use berth_testkit::{Daemon, Host, Key, Libvirt};

/// How often what takes seconds is measured; the median is shown.
const SLOW: usize = 3;
/// How often everything else is.
const QUICK: usize = 5;

pub(crate) fn run() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    let key = Key::create(&daemon, KEY);
    println!(
        "{:<34} {:>10} {:>10} {:>8}  floor",
        "medians", "berth", "floor", "ratio"
    );
    images::import(&daemon);
    images::volume_from(&daemon);
    shelf::measure(&daemon);
    plug::guests(&daemon, &key);
    plug::measure(&daemon);
    snapshots::measure(&daemon);
}

/// The key pair of all guests; its private half is a file of that name in the host's directory.
const KEY: &str = "laptop";

/// The medians of what each round measures.
fn medians<const N: usize>(runs: usize, mut round: impl FnMut() -> [Duration; N]) -> [Duration; N] {
    let rounds: Vec<_> = (0..runs).map(|_| round()).collect();
    std::array::from_fn(|which| {
        let mut times: Vec<_> = rounds.iter().map(|times| times[which]).collect();
        times.sort_unstable();
        times[runs / 2]
    })
}

fn row(what: &str, berth: Duration, floor: Duration, beside: &str) {
    let ratio = berth.as_secs_f64() / floor.as_secs_f64();
    println!(
        "{what:<34} {:>10} {:>10} {ratio:>7.2}×  {beside}",
        shown(berth),
        shown(floor)
    );
}

fn shown(time: Duration) -> String {
    if time >= Duration::from_secs(1) {
        format!("{:.2} s", time.as_secs_f64())
    } else {
        format!("{:.1} ms", time.as_secs_f64() * 1000.0)
    }
}

/// Has the host write out all that it has in memory.
fn settle(daemon: &Daemon<'_>) {
    daemon.host().run("sync", []);
}
