//! The service as guests reach it, over sockets: the well-behaved, the strangers and the hostile.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use berth_model::metadata::{GuestFacts, GuestKey};
use berth_model::{ImageId, InstanceId};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::oneshot;

use super::metadata_router;
use super::serve::{Limits, serve_within};

const LIMITS: Limits = Limits {
    connections: 64,
    of_one: 8,
    headers: Duration::from_millis(300),
    lifetime: Duration::from_secs(2),
    requests: 4,
};

fn facts() -> GuestFacts {
    GuestFacts {
        id: InstanceId::new(),
        name: "web".to_owned(),
        hostname: "web".to_owned(),
        project: "default".to_owned(),
        instance_type: "t1.nano".to_owned(),
        image: ImageId::new(),
        keys: vec![GuestKey {
            name: "laptop".to_owned(),
            public_key: "ssh-ed25519 AAAA".to_owned(),
        }],
        user_data: Some(vec![0xff; 16 * 1024]),
        nics: Vec::new(),
    }
}

/// A guest, by its number; the service knows those from 1 to 99.
fn guest(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 7, number)
}

const KNOWN: u8 = 1;
const STRANGER: u8 = 100;

/// A service, until it is dropped.
struct Service {
    address: SocketAddr,
    cancel: Option<oneshot::Sender<()>>,
    served: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Service {
    fn start(limits: Limits) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (cancel, cancelled) = oneshot::channel::<()>();
        let router = metadata_router(async |asker| match asker {
            IpAddr::V4(asker) if asker.octets()[3] < STRANGER => Some(facts()),
            _ => None,
        });
        let served = tokio::spawn(serve_within(limits, listener, router, async {
            let _ = cancelled.await;
        }));
        Self {
            address,
            cancel: Some(cancel),
            served,
        }
    }

    async fn connect(&self, number: u8) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((guest(number), 0).into()).unwrap();
        socket.connect(self.address).await.unwrap()
    }

    /// Sends these bytes and reads until the other end closes.
    async fn say(&self, number: u8, bytes: &str) -> String {
        let mut stream = self.connect(number).await;
        stream.write_all(bytes.as_bytes()).await.unwrap();
        until_closed(&mut stream).await
    }

    async fn ask(&self, number: u8, line: &str, headers: &str) -> String {
        let request = format!("{line} HTTP/1.1\r\nHost: 169.254.169.254\r\nConnection: close\r\n{headers}\r\n");
        self.say(number, &request).await
    }
}

/// All that comes, also if it ends with a reset.
async fn until_closed(stream: &mut TcpStream) -> String {
    let mut heard = Vec::new();
    let _ = stream.read_to_end(&mut heard).await;
    String::from_utf8_lossy(&heard).into_owned()
}

/// An answer without the time at which it was given.
fn timeless(answer: &str) -> String {
    answer.lines().filter(|line| !line.starts_with("date:")).collect()
}

#[tokio::test]
async fn a_guest_is_answered_by_both_ways_of_asking() {
    let service = Service::start(LIMITS);
    let hostname = service.ask(KNOWN, "GET /latest/meta-data/local-hostname", "").await;
    assert!(
        hostname.starts_with("HTTP/1.1 200") && hostname.ends_with("\r\n\r\nweb"),
        "{hostname}"
    );
    assert!(hostname.contains("content-type: text/plain\r\n"), "{hostname}");
    let document = service.ask(KNOWN, "GET /openstack/latest/meta_data.json?x=1", "").await;
    assert!(document.contains("content-type: application/json\r\n") && document.contains(r#""name":"web""#));
    let head = service.ask(KNOWN, "HEAD /latest/user-data", "").await;
    assert!(
        head.contains("content-length: 16384\r\n") && head.ends_with("\r\n\r\n"),
        "{head}"
    );
}

#[tokio::test]
async fn a_stranger_hears_what_a_wrong_path_hears() {
    let service = Service::start(LIMITS);
    let wrong = service.ask(KNOWN, "GET /latest/meta-data/nothing", "").await;
    assert!(wrong.starts_with("HTTP/1.1 404"), "{wrong}");
    let lines = [
        "GET /latest/meta-data/instance-id",
        "GET /",
        "GET /openstack/latest/user_data",
        "PUT /latest/api/token",
    ];
    for line in lines {
        let heard = service.ask(STRANGER, line, "").await;
        assert_eq!(timeless(&heard), timeless(&wrong), "{line}");
    }
}

#[tokio::test]
async fn what_changes_things_or_comes_from_outside_is_refused() {
    let service = Service::start(LIMITS);
    for asker in [KNOWN, STRANGER] {
        for line in ["POST /latest/", "DELETE /openstack", "PUT /latest/user-data", "BREW /"] {
            let heard = service.ask(asker, line, "").await;
            assert!(heard.starts_with("HTTP/1.1 405"), "{line}: {heard}");
        }
        for line in ["GET /latest/user-data", "PUT /latest/api/token"] {
            let heard = service.ask(asker, line, "x-Forwarded-For: 192.0.2.1\r\n").await;
            assert!(heard.starts_with("HTTP/1.1 403"), "{line}: {heard}");
        }
    }
}

#[tokio::test]
async fn a_token_is_given_and_taken() {
    let service = Service::start(LIMITS);
    let put = "PUT /latest/api/token";
    let given = service
        .ask(KNOWN, put, "X-aws-ec2-metadata-token-ttl-seconds: 21600\r\n")
        .await;
    assert!(given.starts_with("HTTP/1.1 200"), "{given}");
    assert!(
        given.contains("x-aws-ec2-metadata-token-ttl-seconds: 21600\r\n"),
        "{given}"
    );
    let token = given.split("\r\n\r\n").nth(1).unwrap();
    let header = format!("X-aws-ec2-metadata-token: {token}\r\n");
    let heard = service.ask(KNOWN, "GET /latest/meta-data/hostname", &header).await;
    assert!(heard.ends_with("web"), "{heard}");
    for ttl in ["", "0", "21601", "-1", "long"] {
        let header = format!("X-aws-ec2-metadata-token-ttl-seconds: {ttl}\r\n");
        assert!(
            service.ask(KNOWN, put, &header).await.starts_with("HTTP/1.1 400"),
            "{ttl}"
        );
    }
}

#[tokio::test]
async fn who_sends_slowly_or_nothing_is_cut_off() {
    let service = Service::start(LIMITS);
    let silent = service.connect(KNOWN);
    let began = Instant::now();
    assert_eq!(until_closed(&mut silent.await).await, "");
    let mut slow = service.connect(KNOWN).await;
    let mut sent = 0;
    while slow
        .write_all(b"GET / HTTP/1.1\r\n".get(sent..=sent).unwrap_or(b"x"))
        .await
        .is_ok()
    {
        sent += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_connection_that_is_kept_ends_soon() {
    let service = Service::start(LIMITS);
    let request = "GET /latest/ HTTP/1.1\r\nHost: x\r\n\r\n";
    let heard = service.say(KNOWN, &request.repeat(10)).await;
    assert_eq!(heard.matches("HTTP/1.1 200").count(), LIMITS.requests, "{heard}");
    // Also one that is left idle after its answer.
    let began = Instant::now();
    let heard = service.say(KNOWN, request).await;
    assert!(heard.starts_with("HTTP/1.1 200"), "{heard}");
    assert!(began.elapsed() < Duration::from_millis(1500), "{:?}", began.elapsed());
}

#[tokio::test]
async fn who_never_reads_is_cut_off() {
    let limits = Limits {
        requests: 10_000,
        lifetime: Duration::from_millis(500),
        ..LIMITS
    };
    let service = Service::start(limits);
    let mut stream = service.connect(KNOWN).await;
    let requests = "GET /latest/user-data HTTP/1.1\r\nHost: x\r\n\r\n".repeat(1000);
    let began = Instant::now();
    while stream.write_all(requests.as_bytes()).await.is_ok() {}
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[tokio::test]
async fn bodies_are_not_read_and_heads_are_small() {
    let service = Service::start(LIMITS);
    let body = "Content-Length: 1000000000\r\n";
    let request = format!("GET /latest/ HTTP/1.1\r\nHost: x\r\n{body}\r\n");
    let began = Instant::now();
    let heard = service.say(KNOWN, &request).await;
    assert!(
        heard.starts_with("HTTP/1.1 200") && heard.contains("connection: close"),
        "{heard}"
    );
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    let long = format!("X-Long: {}\r\n", "x".repeat(16 << 10));
    let heard = service.ask(KNOWN, "GET /latest/", &long).await;
    assert!(!heard.contains("200 OK"), "{heard}");
    let heard = service.ask(KNOWN, "GET /latest/", &"X-More: x\r\n".repeat(64)).await;
    assert!(heard.starts_with("HTTP/1.1 431"), "{heard}");
}

#[tokio::test]
async fn no_guest_keeps_the_others_out_and_all_together_are_bounded() {
    let limits = Limits {
        headers: Duration::from_secs(2),
        ..LIMITS
    };
    let service = Service::start(limits);
    let mut held = Vec::new();
    for number in 1..=8 {
        for _ in 0..limits.of_one {
            held.push(service.connect(number).await);
        }
        // One more of the same guest is closed at once, while its others wait.
        if number == 1 {
            let mut more = service.connect(number).await;
            assert_eq!(until_closed(&mut more).await, "");
            assert!(service.ask(9, "GET /", "").await.starts_with("HTTP/1.1 200"));
        }
    }
    // The next waits in the queue, and is served once there is room.
    let waiting = service.ask(9, "GET /", "");
    tokio::pin!(waiting);
    let early = tokio::time::timeout(Duration::from_millis(300), &mut waiting).await;
    assert!(early.is_err(), "more than {} at once: {early:?}", limits.connections);
    drop(held.pop());
    let heard = tokio::time::timeout(Duration::from_secs(1), waiting).await.unwrap();
    assert!(heard.starts_with("HTTP/1.1 200"), "{heard}");
}

#[tokio::test]
async fn once_it_is_cancelled_nothing_is_left() {
    let mut service = Service::start(LIMITS);
    let mut open = service.connect(KNOWN).await;
    assert!(service.ask(KNOWN, "GET /", "").await.starts_with("HTTP/1.1 200"));
    service.cancel.take().unwrap().send(()).unwrap();
    (&mut service.served).await.unwrap().unwrap();
    assert_eq!(until_closed(&mut open).await, "");
    assert!(TcpStream::connect(service.address).await.is_err(), "it still listens");
}
