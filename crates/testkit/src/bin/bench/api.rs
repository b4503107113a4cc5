//! What the API takes with 10,000 instances in the store, or as many as are asked for, next to what the same takes without
//! Berth.
//!
//! ```text
//!   seed   instances at rest, written by the store's own claims
//!   load   requests over the unix socket: one after the other for latency, on 1, 8 and 64 connections for throughput
//!   floor  an axum that says hello over a unix socket; SQLite asked and told the same by itself, on the same disk
//! ```

mod floor;
mod load;
mod seed;

use std::time::Duration;

use berth_testkit::{Daemon, Host, Libvirt, Options};
use serde_json::json;

use self::floor::{Hello, Raw};
use self::load::{Latency, Request};
use crate::timed;

/// How many requests a latency is measured by.
const REQUESTS: usize = 2000;

/// How many of those that write.
const WRITES: usize = 500;

/// How long each throughput is measured.
const FOR: Duration = Duration::from_secs(3);

pub(crate) use floor::hello;

/// Measures with so many instances.
pub(crate) fn run(instances: usize) {
    let host = Host::new(Libvirt::Absent);
    let mut daemon = Daemon::start_with(&host, options());
    let seeded = timed(|| seed::fill(&mut daemon, instances));
    println!("{instances} instances, seeded in {:.0} s", seeded.as_secs_f64());
    println!("memory of the daemon: {} MiB", daemon.resident_kib() >> 10);
    let size = std::fs::metadata(daemon.state_dir().join("berth.db")).unwrap().len();
    println!("database: {} MiB", size >> 20);

    let hello = Hello::start(host.dir());
    let half = instances / 2;
    let asked = Asked {
        id: daemon.id(&format!("n{half}")),
        half,
        cursor: seed::cursor(&daemon, half / 100),
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let raw = Raw::open(&daemon.state_dir().join("berth.db"), host.dir()).await;
        latencies(&daemon, &hello, &raw, &asked).await;
        throughput(&daemon, &hello, &asked).await;
        durable(&daemon, &raw).await;
    });
    println!("memory of the daemon afterwards: {} MiB", daemon.resident_kib() >> 10);
    daemon.kill();
    let restarted = timed(|| daemon.start_again());
    println!("restart, until it answers: {}", millis(restarted));
}

/// What is asked for.
struct Asked {
    /// The instance in the middle.
    id: String,
    /// How many there are before it.
    half: usize,
    /// Where the page in the middle begins.
    cursor: String,
}

impl Asked {
    fn one(&self) -> Request {
        Request::get(&format!("/v1/instances/{}", self.id))
    }
}

fn options() -> Options {
    Options {
        config: "libvirt_uri = \"test:///default\"\nsubnet = \"10.0.0.0/16\"\n".to_owned(),
        tiny: true,
        ..Options::default()
    }
}

async fn latencies(daemon: &Daemon<'_>, hello: &Hello, raw: &Raw, asked: &Asked) {
    println!("{:<34} {:>10} {:>10}", "latency", "p50", "p99");
    let socket = daemon.socket();
    let page = Request::get("/v1/instances?limit=100");
    let middle = Request::get(&format!("/v1/instances?limit=100&after={}", asked.cursor));
    show("GET one instance", load::latency(&socket, &asked.one(), REQUESTS).await);
    show("  its row, SQLite alone", raw.one(&asked.id, REQUESTS).await);
    show(
        "  hello, axum alone",
        load::latency(hello.socket(), &Request::get("/"), REQUESTS).await,
    );
    show(
        "GET a page of 100, the first",
        load::latency(&socket, &page, REQUESTS / 4).await,
    );
    show(
        "GET a page of 100, the middle one",
        load::latency(&socket, &middle, REQUESTS / 4).await,
    );
    show("  100 rows, SQLite alone", raw.page(asked.half, REQUESTS / 4).await);
    show("POST a key pair", load::latency(&socket, &keypair(), WRITES).await);
    show("  one commit, SQLite alone", raw.commits(WRITES).await);
}

async fn throughput(daemon: &Daemon<'_>, hello: &Hello, asked: &Asked) {
    println!(
        "{:<34} {:>10} {:>10} {:>10}",
        "requests a second, connections", "1", "8", "64"
    );
    for (what, socket, request) in [
        ("GET one instance", daemon.socket(), asked.one()),
        ("  hello, axum alone", hello.socket().to_owned(), Request::get("/")),
    ] {
        let mut line = format!("{what:<34}");
        for connections in [1, 8, 64] {
            let rate = load::rate(&socket, &request, connections, FOR).await;
            line.push_str(&format!(" {rate:>10.0}"));
        }
        println!("{line}");
    }
}

/// Writes that are answered once they are on the disk, beside SQLite's own commits.
async fn durable(daemon: &Daemon<'_>, raw: &Raw) {
    let floor = raw.commit_rate(FOR).await;
    for connections in [1, 8] {
        let rate = load::rate(&daemon.socket(), &keypair(), connections, FOR).await;
        let ratio = rate / floor;
        println!(
            "durable writes a second on {connections} connections: {rate:.0}, SQLite's commits {floor:.0}, {ratio:.2}×"
        );
    }
}

/// The smallest write there is: a public key, imported under a name of its own each time.
fn keypair() -> Request {
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILWUZFbfOo4usQbeWQNRV33C6cyTrYAtRC9lRNLjjrRh";
    Request::post(
        "/v1/keypairs",
        move |number| json!({ "name": format!("k{number}"), "public_key": key }),
    )
}

fn show(what: &str, latency: Latency) {
    println!("{what:<34} {:>10} {:>10}", millis(latency.p50), millis(latency.p99));
}

fn millis(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}
