//! The event stream, watched while libvirt is asked what it thinks.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Stdio};

use berth_testkit::Daemon;
use serde_json::Value;

/// A live event stream.
pub(crate) struct Watch<'a> {
    daemon: &'a Daemon<'a>,
    berth: Child,
    events: BufReader<ChildStdout>,
}

/// One state as it was passed, and what libvirt said of the domain when the event came.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) state: String,
    pub(crate) domain: String,
}

impl<'a> Watch<'a> {
    /// Watches everything from the very first event on.
    pub(crate) fn all(daemon: &'a Daemon<'_>) -> Self {
        Self::after(daemon, 0)
    }

    /// Watches what comes after that event.
    pub(crate) fn after(daemon: &'a Daemon<'_>, seq: i64) -> Self {
        let mut berth = daemon
            .berth(["-o", "json", "event", "watch", "--after", &seq.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .expect("berth event watch");
        let events = BufReader::new(berth.stdout.take().expect("a pipe"));
        Self { daemon, berth, events }
    }

    /// The next event.
    pub(crate) fn next(&mut self) -> Value {
        let mut line = String::new();
        self.events.read_line(&mut line).expect("an event");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("not an event: {line:?}: {error}"))
    }

    /// The states that an instance passes through until it reaches that one, each with what libvirt says then.
    pub(crate) fn until(&mut self, id: &str, last: &str) -> Vec<Seen> {
        let mut seen = Vec::new();
        loop {
            let event = self.next();
            if event["kind"] != "instance.state" || event["resource"] != id {
                continue;
            }
            let state = event["state"].as_str().expect("a state").to_owned();
            let domain = self.daemon.host().virsh(["domstate", id]);
            let done = state == last;
            seen.push(Seen { state, domain });
            if done {
                return seen;
            }
        }
    }

    /// The states that a volume passes through until it reaches that one.
    pub(crate) fn volume_until(&mut self, id: &str, last: &str) -> Vec<String> {
        let mut seen = Vec::new();
        while seen.last().map(String::as_str) != Some(last) {
            let event = self.next();
            if event["kind"] == "volume.state" && event["resource"] == id {
                seen.push(event["state"].as_str().expect("a state").to_owned());
            }
        }
        seen
    }

    /// Reads on until an event of that kind about that resource.
    pub(crate) fn until_kind(&mut self, id: &str, kind: &str) -> Value {
        loop {
            let event = self.next();
            if event["kind"] == kind && event["resource"] == id {
                return event;
            }
        }
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let _ = self.berth.kill();
        let _ = self.berth.wait();
    }
}

/// Compares the states with the documented order, and each with what libvirt may say in it.
pub(crate) fn assert_passed(seen: &[Seen], documented: &[&str]) {
    let states: Vec<_> = seen.iter().map(|seen| seen.state.as_str()).collect();
    assert_eq!(states, documented);
    for Seen { state, domain } in seen {
        // libvirt may be one step ahead by the time it is asked: the event is sent when the step before was committed.
        let possible: &[&str] = match state.as_str() {
            "Building" | "Scheduling" | "Block_device_mapping" | "Networking" | "Spawning" => {
                &["", "shut off", "paused", "running"]
            }
            "Starting" | "Powering-on" | "Resize_migrated" | "Resize_finished" | "Resized" | "Resize_confirm" => {
                &["shut off", "paused", "running"]
            }
            "Active" => &["running"],
            "Stopped" => &["shut off"],
            "Powering-off" | "Resize_prep" | "Resize_migrating" => &["running", "in shutdown", "shut off"],
            "Rebooting" | "Reboot_started" => &["running", "in shutdown", "paused"],
            "Rebooting_hard" | "Rebooting_started_hard" => &["running", "shut off", "paused"],
            "Deleting" => &["running", "shut off", ""],
            "Resize_revert" => &["running", "in shutdown", "shut off", "paused"],
            "Shelving" => &["running", "in shutdown", "shut off", ""],
            "Shelved_offloaded" => &[""],
            "Unshelving" => &["", "shut off", "paused", "running"],
            other => panic!("{other} is not expected here"),
        };
        assert!(
            possible.contains(&domain.as_str()),
            "{state} while libvirt says {domain:?}"
        );
    }
}
