//! What an operation costs among many: the same measured at 10, 100, 1,000 and 2,000 instances.
//!
//! On libvirt's test driver, so that it is Berth's own cost that is seen: its records, its files, its network. Those
//! that are not measured are stopped: a Linux bridge has no more than 1,023 ports (`BR_MAX_PORTS`).

use std::time::{Duration, Instant};

use berth_testkit::{Daemon, Host, Libvirt, Options, ask};

use crate::stream::lines;
use crate::timed;

const SIZES: [usize; 4] = [10, 100, 1000, 2000];

/// How many are created at a time.
const BATCH: usize = 50;

/// How often the cheap things are measured; the median is shown.
const RUNS: usize = 5;

pub(crate) fn run() {
    println!(
        "{:>9} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10}",
        "instances", "create", "stop", "list all", "show one", "metrics", "event", "restart", "memory"
    );
    for size in SIZES {
        measure(size);
    }
}

fn measure(size: usize) {
    let host = Host::new(Libvirt::Absent);
    let mut daemon = Daemon::start_with(
        &host,
        Options {
            args: ["--libvirt-uri", "test:///default"].map(str::to_owned).to_vec(),
            tiny: true,
            ..Options::default()
        },
    );
    // The first create makes the VPC as well.
    create(&daemon, "first", 1);
    stop(&daemon, "first");
    let (mut made, mut last) = (1, (Duration::ZERO, Duration::ZERO));
    while made < size {
        let count = BATCH.min(size - made);
        let name = format!("n{made}");
        let created = timed(|| create(&daemon, &name, count));
        let stopped = timed(|| {
            for number in 1..=count {
                let one = if count == 1 {
                    name.clone()
                } else {
                    format!("{name}-{number}")
                };
                stop(&daemon, &one);
            }
        });
        let each = u32::try_from(count).unwrap();
        last = (created / each, stopped / each);
        made += count;
    }
    let listed = median(|| timed(|| drop(daemon.ok(["instance", "list", "-o", "json"]))));
    let shown = median(|| timed(|| drop(daemon.ok(["instance", "show", "first", "-o", "json"]))));
    let scraped = median(|| {
        // Older than what is answered once more.
        std::thread::sleep(Duration::from_millis(1100));
        timed(|| drop(ask(&daemon, "GET /metrics", &[])))
    });
    let event = median(|| start_to_stream(&daemon));
    let memory = daemon.resident_kib() >> 10;
    daemon.kill();
    let restarted = timed(|| daemon.start_again());
    println!(
        "{made:>9} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10} {memory:>6} MiB",
        millis(last.0),
        millis(last.1),
        millis(listed),
        millis(shown),
        millis(scraped),
        millis(event),
        millis(restarted)
    );
}

fn create(daemon: &Daemon<'_>, name: &str, count: usize) {
    daemon.ok([
        "instance",
        "create",
        name,
        "--image",
        "tiny",
        "--type",
        "t1.nano",
        "--count",
        &count.to_string(),
    ]);
}

fn stop(daemon: &Daemon<'_>, name: &str) {
    daemon.ok(["instance", "stop", name, "--force"]);
}

/// From the request for a start to its last state on the stream.
fn start_to_stream(daemon: &Daemon<'_>) -> Duration {
    let (mut watch, stream) = lines(&mut daemon.berth(["-o", "json", "event", "watch"]));
    std::thread::sleep(Duration::from_millis(300));
    let begun = Instant::now();
    daemon.ok(["instance", "start", "first", "--no-wait"]);
    let seen = crate::stream::when(&stream, "\"Active\"") - begun;
    let _ = watch.kill();
    let _ = watch.wait();
    daemon.ok(["instance", "stop", "first", "--force"]);
    seen
}

fn median(mut measure: impl FnMut() -> Duration) -> Duration {
    let mut times: Vec<_> = (0..RUNS).map(|_| measure()).collect();
    times.sort_unstable();
    times[RUNS / 2]
}

fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}
