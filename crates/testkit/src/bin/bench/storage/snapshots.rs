//! A snapshot of a running guest's volume: how long it takes, and how long the guest is held up by it.

use std::process::Command;
use std::time::Duration;

use berth_testkit::Daemon;

use super::twin::Twin;
use super::{KEY, QUICK, medians, row, shown};
use crate::stream::lines;
use crate::timed;

/// Writes a line to the root volume again and again for five seconds, each written out before the next begins, and says
/// the longest time from one to the next in units of `/proc/uptime`: 10 ms. Nothing but the shell itself is run.
const WRITE: &str = "mount -o remount,sync /; exec 3>/root/gap; echo begun; \
    read a _ </proc/uptime; a=${a%.*}${a#*.}; end=$((a+500)); most=0; \
    while [ $a -lt $end ]; do echo x >&3; read b _ </proc/uptime; b=${b%.*}${b#*.}; \
    [ $((b-a)) -gt $most ] && most=$((b-a)); a=$b; done; echo $most";

/// How long after the writing has begun the snapshot is taken.
const AFTER: Duration = Duration::from_secs(1);

pub(super) fn measure(daemon: &Daemon<'_>) {
    let (mut twin, mut taken) = (Twin::of(daemon, "twin"), 0);
    let mut berth = || {
        taken += 1;
        daemon.ok(["snapshot", "create", &format!("s{taken}"), "--volume", "web"]);
    };
    let [time, frozen, plain] = medians(QUICK, || {
        [
            timed(&mut berth),
            timed(|| twin.snapshot(true)),
            timed(|| twin.snapshot(false)),
        ]
    });
    let consistency = daemon.json(["snapshot", "show", "s1"])["consistency"].clone();
    row(
        &format!("snapshot create ({})", consistency.as_str().unwrap()),
        time,
        frozen,
        "virsh snapshot-create-as --quiesce",
    );
    row("  beside one not frozen", time, plain, "virsh snapshot-create-as");
    let [none, held, frozen, plain] = medians(3, || {
        [
            gap(daemon, "web", || ()),
            gap(daemon, "web", &mut berth),
            gap(daemon, "twin", || twin.snapshot(true)),
            gap(daemon, "twin", || twin.snapshot(false)),
        ]
    });
    row("  pause the guest sees", held, frozen, "with virsh … --quiesce");
    row("  beside one not frozen", held, plain, "with virsh");
    println!("  the longest gap without any snapshot: {}", shown(none));
}

/// The longest time between two writes that a guest sees while that is done.
fn gap(daemon: &Daemon<'_>, name: &str, meanwhile: impl FnOnce()) -> Duration {
    let (mut ssh, said) = lines(&mut ssh(daemon, name));
    let next = || {
        said.recv_timeout(Duration::from_mins(1))
            .expect("a line of the guest")
            .1
    };
    assert_eq!(next(), "begun");
    std::thread::sleep(AFTER);
    meanwhile();
    let longest: u64 = next().parse().expect("a number");
    assert!(ssh.wait().unwrap().success(), "ssh to {name} failed");
    Duration::from_millis(longest * 10)
}

fn ssh(daemon: &Daemon<'_>, name: &str) -> Command {
    let key = daemon.host().dir().join(KEY);
    let mut command = daemon.berth(["instance", "ssh", name, "-i"]);
    command.arg(key).args(["--", WRITE]);
    command
}
