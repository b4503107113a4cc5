//! What the network costs, next to what the kernel's own tools take for the least that has to be done.
//!
//! Run by `scripts/bench network`, on a host of its own. Berth and its floor take turns, so that what the machine does
//! meanwhile is in both. Numbers are printed as ratios; nothing is asserted but that what is measured happened.

#![allow(
    clippy::expect_used,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and without its host has nothing to go on with"
)]

mod bare;
mod fleet;
mod groups;
#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../../tests/network/guest.rs"]
mod guest;
#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../../tests/network/lab.rs"]
mod lab;
mod ports;
mod public;
#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../../tests/network/tcp.rs"]
mod tcp;
mod throughput;

use std::time::{Duration, Instant};

use crate::fleet::Fleet;

/// How often each thing is measured; the median is shown.
const RUNS: usize = 7;

fn main() {
    assert!(nix::unistd::geteuid().is_root(), "namespaces take root");
    println!(
        "{:<36} {:>13} {:>13} {:>8}  floor",
        "medians", "berth", "floor", "ratio"
    );
    lab::lab(throughput::measure);
    // The largest last: the kernel is busy for a while with what is left of it.
    for size in [10, 100, 1000] {
        lab::lab(|lab| {
            let fleet = Fleet::new(lab, size);
            groups::measure(&fleet);
            if size != 100 {
                ports::measure(&fleet);
                public::measure(&fleet);
            }
        });
    }
}

fn timed(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

/// The medians of what each round measures.
fn medians<const N: usize, T: Copy + PartialOrd>(runs: usize, mut round: impl FnMut() -> [T; N]) -> [T; N] {
    let rounds: Vec<_> = (0..runs).map(|_| round()).collect();
    std::array::from_fn(|which| {
        let mut values: Vec<_> = rounds.iter().map(|values| values[which]).collect();
        values.sort_by(|one, other| one.partial_cmp(other).expect("a number"));
        values[runs / 2]
    })
}

fn row(what: &str, berth: Duration, floor: Duration, beside: &str) {
    let shown = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1000.0);
    let ratio = berth.as_secs_f64() / floor.as_secs_f64();
    print_row(what, &shown(berth), &shown(floor), ratio, beside);
}

fn print_row(what: &str, berth: &str, floor: &str, ratio: f64, beside: &str) {
    println!("{what:<36} {berth:>13} {floor:>13} {ratio:>7.2}×  {beside}");
}
