//! Requests over a unix socket on connections that stay.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;

/// What makes the body of the request of that number.
type Body = Arc<dyn Fn(usize) -> Value + Send + Sync>;

/// What is asked again and again.
#[derive(Clone)]
pub(super) struct Request {
    path: String,
    body: Option<Body>,
}

/// What requests took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Latency {
    pub(super) p50: Duration,
    pub(super) p99: Duration,
}

/// Each body is one that was never sent before.
static NUMBER: AtomicUsize = AtomicUsize::new(0);

impl Request {
    pub(super) fn get(path: &str) -> Self {
        Self {
            path: path.to_owned(),
            body: None,
        }
    }

    pub(super) fn post(path: &str, body: impl Fn(usize) -> Value + Send + Sync + 'static) -> Self {
        Self {
            path: path.to_owned(),
            body: Some(Arc::new(body)),
        }
    }
}

impl Latency {
    pub(super) fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self {
            p50: times[times.len() / 2],
            p99: times[times.len() * 99 / 100],
        }
    }
}

/// What one request after the other takes, on one connection.
pub(super) async fn latency(socket: &Path, request: &Request, count: usize) -> Latency {
    let mut connection = connect(socket).await;
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let begun = Instant::now();
        send(&mut connection, request).await;
        times.push(begun.elapsed());
    }
    Latency::of(times)
}

/// How many are answered a second on so many connections.
pub(super) async fn rate(socket: &Path, request: &Request, connections: usize, within: Duration) -> f64 {
    let begun = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..connections {
        let (mut connection, request) = (connect(socket).await, request.clone());
        tasks.push(tokio::spawn(async move {
            let mut answered = 0_u32;
            while begun.elapsed() < within {
                send(&mut connection, &request).await;
                answered += 1;
            }
            answered
        }));
    }
    let mut answered = 0;
    for task in tasks {
        answered += task.await.unwrap();
    }
    f64::from(answered) / begun.elapsed().as_secs_f64()
}

async fn connect(socket: &Path) -> SendRequest<Full<Bytes>> {
    let stream = UnixStream::connect(socket).await.unwrap();
    let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

async fn send(connection: &mut SendRequest<Full<Bytes>>, request: &Request) {
    let builder = hyper::Request::builder().uri(&request.path).header("host", "berth");
    let asked = match &request.body {
        None => builder.body(Full::default()),
        Some(body) => {
            let body = body(NUMBER.fetch_add(1, Ordering::Relaxed)).to_string();
            let json = builder.method("POST").header("content-type", "application/json");
            json.body(Full::new(Bytes::from(body)))
        }
    };
    connection.ready().await.unwrap();
    let answer = connection.send_request(asked.unwrap()).await.unwrap();
    let status = answer.status();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    assert!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&body));
}
