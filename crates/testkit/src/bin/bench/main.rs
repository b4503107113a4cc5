//! Measures Berth next to its floor, in one run: what virsh and qemu-img take for the same on the same host.
//!
//! Numbers are printed as ratios. Nothing is asserted: machines are noisy, a ratio of two medians less so.

#![allow(clippy::print_stdout, reason = "a benchmark prints")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a benchmark without its host has nothing to go on with"
)]

mod api;
mod floor;
mod scale;
mod storage;
mod stream;

use std::time::{Duration, Instant};

use berth_testkit::{Daemon, Host, Libvirt};

use crate::floor::Floor;

/// How often each thing is measured; the median is shown.
const RUNS: usize = 7;

fn main() {
    match std::env::args().nth(1).as_deref() {
        None => beside_the_floor(),
        Some("api") => api::run(
            std::env::args()
                .nth(2)
                .map_or(10_000, |count| count.parse().expect("a number")),
        ),
        Some("hello") => api::hello(&std::env::args().nth(2).expect("a socket")),
        Some("scale") => scale::run(),
        Some("storage") => storage::run(),
        Some(other) => panic!("'{other}' is neither 'api', 'network', 'scale' nor 'storage'"),
    }
}

fn beside_the_floor() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    println!("{:<28} {:>10} {:>10} {:>7}", "median of 7", "berth", "floor", "ratio");

    // The first create makes the VPC as well.
    create(&daemon, "first");
    delete(&daemon, "first");
    let berth = median(|| timed(|| create(&daemon, "web")), || delete(&daemon, "web"));
    create(&daemon, "web");
    let floor = Floor::of(&daemon, "web");
    show(
        "create → Active",
        berth,
        median(|| timed(|| floor.create()), || floor.remove()),
    );

    floor.create_defined();
    let berth = median(|| timed(|| stop(&daemon)), || start(&daemon));
    show(
        "stop (plug)",
        berth,
        median(|| timed(|| floor.destroy()), || floor.start()),
    );
    stop(&daemon);
    floor.destroy();
    let berth = median(|| timed(|| start(&daemon)), || stop(&daemon));
    show("start", berth, median(|| timed(|| floor.start()), || floor.destroy()));
    start(&daemon);
    floor.start();
    let berth = median(
        || timed(|| daemon_ok(&daemon, ["instance", "reboot", "web", "--hard"])),
        || (),
    );
    let floor_time = timed_median(|| {
        floor.destroy();
        floor.start();
    });
    show("hard reboot", berth, floor_time);

    let (berth, virsh) = stream::event_to_stream(&daemon, "web", RUNS);
    show("libvirt's event → stream", berth, virsh);
}

fn daemon_ok<const N: usize>(daemon: &Daemon<'_>, args: [&str; N]) {
    daemon.ok(args);
}

fn create(daemon: &Daemon<'_>, name: &str) {
    daemon.ok(["instance", "create", name, "--image", "tiny", "--type", "t1.nano"]);
}

fn delete(daemon: &Daemon<'_>, name: &str) {
    daemon.ok(["instance", "delete", name]);
}

fn stop(daemon: &Daemon<'_>) {
    daemon.ok(["instance", "stop", "web", "--force"]);
}

fn start(daemon: &Daemon<'_>) {
    daemon.ok(["instance", "start", "web"]);
}

fn timed(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

fn timed_median(mut work: impl FnMut()) -> Duration {
    median(|| timed(&mut work), || ())
}

fn median(mut measure: impl FnMut() -> Duration, mut between: impl FnMut()) -> Duration {
    let mut times: Vec<_> = (0..RUNS)
        .map(|_| {
            let time = measure();
            between();
            time
        })
        .collect();
    times.sort_unstable();
    times[RUNS / 2]
}

fn show(what: &str, berth: Duration, floor: Duration) {
    let ratio = berth.as_secs_f64() / floor.as_secs_f64();
    let millis = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1000.0);
    println!("{what:<28} {:>10} {:>10} {ratio:>6.2}×", millis(berth), millis(floor));
}
