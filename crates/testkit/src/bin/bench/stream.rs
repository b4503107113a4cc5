//! How long it takes until what happened to a guest is on the stream, next to what `virsh event` takes.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use berth_testkit::Daemon;

/// The medians of both, from the moment virsh is told to suspend or resume the guest.
pub(crate) fn event_to_stream(daemon: &Daemon<'_>, name: &str, runs: usize) -> (Duration, Duration) {
    let shown = daemon.json(["instance", "show", name]);
    let id = shown["id"].as_str().unwrap().to_owned();
    let (mut berth, stream) = lines(&mut daemon.berth(["-o", "json", "event", "watch"]));
    let mut virsh = daemon.host().command("stdbuf");
    virsh.args([
        "-oL",
        "virsh",
        "-c",
        "qemu:///system",
        "event",
        "--all",
        "--loop",
        "--domain",
        &id,
    ]);
    let (mut virsh, floor) = lines(&mut virsh);
    std::thread::sleep(Duration::from_secs(1));
    let mut times = (Vec::new(), Vec::new());
    for run in 0..runs * 2 {
        let (verb, said) = if run % 2 == 0 {
            ("suspend", "guest.paused")
        } else {
            ("resume", "guest.resumed")
        };
        let begun = Instant::now();
        daemon.host().virsh([verb, &id]);
        times.0.push(when(&stream, said) - begun);
        times.1.push(when(&floor, "lifecycle") - begun);
        std::thread::sleep(Duration::from_millis(200));
        // What else came of it is not what is measured.
        while floor.try_recv().is_ok() || stream.try_recv().is_ok() {}
    }
    for child in [&mut berth, &mut virsh] {
        let _ = child.kill();
        let _ = child.wait();
    }
    times.0.sort_unstable();
    times.1.sort_unstable();
    (times.0[runs], times.1[runs])
}

/// A command, and its lines with the moment each came.
pub(crate) fn lines(command: &mut Command) -> (Child, Receiver<(Instant, String)>) {
    let mut child = command.stdout(Stdio::piped()).spawn().expect("a command");
    let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in stdout.lines().map_while(Result::ok) {
            if sender.send((Instant::now(), line)).is_err() {
                return;
            }
        }
    });
    (child, receiver)
}

pub(crate) fn when(lines: &Receiver<(Instant, String)>, text: &str) -> Instant {
    loop {
        let (at, line) = lines.recv_timeout(Duration::from_secs(20)).expect("the event");
        if line.contains(text) {
            return at;
        }
    }
}
