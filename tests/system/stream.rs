//! The event stream as a program reads it: resumed without a gap, quiet but alive, and never in anybody's way.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use berth_testkit::{Caller, Daemon, Host, Libvirt, Options, program};
use serde_json::{Value, json};

/// Who reads the stream by hand, as server-sent events are written.
struct Reader {
    lines: BufReader<UnixStream>,
}

/// What a stream says.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Event {
        id: i64,
        kind: String,
        data: Value,
    },
    /// A comment: nothing happens, and somebody is there.
    Heartbeat,
    /// The end of the stream.
    End,
}

impl Reader {
    /// Asks for the stream, with this in the query, from after the event of that number on. None if nobody answers.
    fn open(socket: &Path, query: &str, last: Option<i64>) -> Option<Self> {
        let mut stream = UnixStream::connect(socket).ok()?;
        let last = last.map(|id| format!("last-event-id: {id}\r\n")).unwrap_or_default();
        // The old protocol has no chunks: what comes is what was written.
        write!(stream, "GET /v1/events{query} HTTP/1.0\r\nhost: berth\r\n{last}\r\n").ok()?;
        let mut lines = BufReader::new(stream);
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            if lines.read_line(&mut line).ok()? == 0 {
                return None;
            }
        }
        Some(Self { lines })
    }

    fn next(&mut self) -> Said {
        let (mut id, mut kind, mut data) = (0, String::new(), String::new());
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).unwrap_or(0) == 0 {
                return Said::End;
            }
            match line.trim_end().split_once(':') {
                Some(("", _)) => return Said::Heartbeat,
                Some(("id", text)) => id = text.trim().parse().unwrap(),
                Some(("event", text)) => text.trim().clone_into(&mut kind),
                Some(("data", text)) => text.trim().clone_into(&mut data),
                _ if id > 0 => {
                    let data = serde_json::from_str(&data).unwrap();
                    return Said::Event { id, kind, data };
                }
                _ => {}
            }
        }
    }

    /// The next that happens.
    fn event(&mut self) -> (i64, String, Value) {
        loop {
            match self.next() {
                Said::Event { id, kind, data } => return (id, kind, data),
                Said::Heartbeat => {}
                Said::End => panic!("the stream has ended"),
            }
        }
    }
}

const PUBLIC_KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILWUZFbfOo4usQbeWQNRV33C6cyTrYAtRC9lRNLjjrRh";

/// A daemon without guests: volumes and key pairs have events too.
fn daemon(host: &Host) -> Daemon<'_> {
    Daemon::start_with(host, Options::default())
}

fn keypair(caller: &Caller, name: &str) {
    let key = json!({ "name": name, "public_key": PUBLIC_KEY });
    caller.post("/v1/keypairs", &key).ok();
}

/// Makes volumes and deletes them until it is told to stop, whether the daemon answers or not.
fn work(socket: PathBuf, stop: &AtomicBool) {
    let berth = |args: &[&str]| {
        let mut command = Command::new(program("berth"));
        let output = command.arg("--socket").arg(&socket).args(args).output();
        output.unwrap().status.success()
    };
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        number += 1;
        let name = format!("v{number}");
        if berth(&["volume", "create", &name, "--size", "1"]) && number % 2 == 0 {
            berth(&["volume", "delete", &name]);
        }
    }
}

/// Reads on after the last event it has, as often as the stream ends, until that key pair is made.
fn follow(socket: &Path, until: &str) -> Vec<(i64, String, Value)> {
    let mut seen: Vec<(i64, String, Value)> = Vec::new();
    loop {
        let last = seen.last().map_or(0, |(id, ..)| *id);
        let Some(mut reader) = Reader::open(socket, "", Some(last)) else {
            std::thread::sleep(Duration::from_millis(20));
            continue;
        };
        loop {
            match reader.next() {
                Said::Event { id, kind, data } => {
                    let done = kind == "keypair.created" && data["name"] == until;
                    seen.push((id, kind, data));
                    if done {
                        return seen;
                    }
                }
                Said::Heartbeat => {}
                Said::End => break,
            }
        }
    }
}

#[test]
fn resumed_over_kills_it_tells_each_change_once_and_in_order() {
    let host = Host::new(Libvirt::Absent);
    let mut daemon = daemon(&host);
    let (socket, stop) = (daemon.socket(), AtomicBool::new(false));
    let seen = std::thread::scope(|scope| {
        let reader = scope.spawn(|| follow(&socket, "last"));
        let worker = scope.spawn(|| work(socket.clone(), &stop));
        for round in 0..5 {
            std::thread::sleep(Duration::from_millis(700));
            if round % 2 == 0 {
                daemon.kill();
            } else {
                daemon.terminate();
            }
            daemon.start_again();
        }
        stop.store(true, Ordering::Relaxed);
        worker.join().unwrap();
        settle(&daemon);
        keypair(&daemon.caller(), "last");
        reader.join().unwrap()
    });
    let numbers: Vec<i64> = seen.iter().map(|(id, ..)| *id).collect();
    assert_eq!(numbers, (1..=i64::try_from(seen.len()).unwrap()).collect::<Vec<_>>());
    let mut volumes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (_, kind, data) in &seen {
        let text = |field: &str| data[field].as_str().unwrap_or_default().to_owned();
        match kind.as_str() {
            "volume.state" => volumes.entry(text("resource")).or_default().push(text("state")),
            "volume.deleted" => volumes.entry(text("resource")).or_default().push("gone".to_owned()),
            _ => {}
        }
    }
    for (id, states) in &volumes {
        let lives = [
            &["Creating", "Available"][..],
            &["Creating", "Available", "Deleting", "gone"][..],
        ];
        assert!(lives.iter().any(|life| states == life), "{id}: {states:?}");
    }
    println!("{} events of {} volumes over five restarts", seen.len(), volumes.len());
    assert!(volumes.len() > 5, "{volumes:?}");
}

/// Waits until no operation is under way.
fn settle(daemon: &Daemon<'_>) {
    let under_way = || {
        let operations = daemon.json(["operation", "list"]);
        operations
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one["outcome"] == "running" || one["outcome"] == "undoing")
    };
    while under_way() {
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn it_tells_what_is_asked_for_and_shows_that_it_lives() {
    let host = Host::new(Libvirt::Absent);
    let daemon = daemon(&host);
    daemon.ok(["volume", "create", "data", "--size", "1"]);
    for name in ["one", "two", "three"] {
        keypair(&daemon.caller(), name);
    }
    let socket = daemon.socket();
    // By the kind, by the kinds of a resource, by its name; and from a number on, which the query says before the header.
    let mut volumes = Reader::open(&socket, "?kind=volume&after=0", None).unwrap();
    assert_eq!(
        (volumes.event().2["state"].clone(), volumes.event().2["state"].clone()),
        (json!("Creating"), json!("Available"))
    );
    let mut two = Reader::open(&socket, "?resource=two&after=0", Some(1_000)).unwrap();
    let (number, kind, data) = two.event();
    assert_eq!((kind.as_str(), &data["name"]), ("keypair.created", &json!("two")));
    let mut rest = Reader::open(&socket, "?kind=keypair.created", Some(number)).unwrap();
    assert_eq!(rest.event().2["name"], "three");
    // Nothing happens: a comment says so. Then something does, and comes at once by each stream that asks for it.
    assert_eq!(rest.next(), Said::Heartbeat);
    keypair(&daemon.caller(), "four");
    daemon.ok(["volume", "delete", "data"]);
    assert_eq!(rest.event().2["name"], "four");
    loop {
        if volumes.event().1 == "volume.deleted" {
            break;
        }
    }
}

/// How many events there are: more than the daemon keeps for those who are slow (4,096) and a socket has room for.
const MANY: usize = 4800;

/// How many readers don't read.
const STUCK: usize = 4;

/// What such a reader may cost the daemon: a batch from the store and what is on its way into the socket.
const KIB_OF_ONE: u64 = 1024;

#[test]
fn who_does_not_read_holds_up_nobody_and_still_misses_nothing() {
    let host = Host::new(Libvirt::Absent);
    let daemon = daemon(&host);
    let socket = daemon.socket();
    let mut stuck: Vec<_> = (0..STUCK)
        .map(|_| Reader::open(&socket, "", Some(0)).unwrap())
        .collect();
    let mut live = Reader::open(&socket, "", Some(0)).unwrap();
    let (caller, before) = (daemon.caller(), daemon.resident_kib());
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let caller = caller.clone();
            scope.spawn(move || (0..MANY / 4).for_each(|number| keypair(&caller, &format!("k{worker}-{number}"))));
        }
        // Whoever reads hears of it meanwhile, as fast as it happens.
        for number in 1..=MANY {
            assert_eq!(live.event().0, i64::try_from(number).unwrap());
        }
    });
    let grown = daemon.resident_kib().saturating_sub(before);
    println!("{MANY} events, {STUCK} readers who don't read: the daemon has {grown} KiB more");
    assert!(grown < KIB_OF_ONE * STUCK as u64 + 64 * 1024, "{grown} KiB");
    // They find all of it once they read.
    for reader in &mut stuck {
        for number in 1..=MANY {
            assert_eq!(reader.event().0, i64::try_from(number).unwrap());
        }
    }
}
