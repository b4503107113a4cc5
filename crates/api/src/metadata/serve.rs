//! Serving guests, of whom any may be hostile: connections are few, short and small, whatever is sent or left unsent.
//!
//! ```text
//!   accept ─▶ how many of its address? ─▶ headers within 5 s, 8 KiB ─▶ a few requests ─▶ cut off after 10 s at the latest
//!     └─ only while fewer than 64 are open: the others wait in the kernel's queue
//! ```

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderValue, header};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{Id, JoinSet};

/// What connections are held to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// How many are open at once, of all guests of the VPC.
    pub(super) connections: usize,
    /// How many of them one address may have: a guest doesn't keep its neighbours out.
    pub(super) of_one: usize,
    /// How long a request's headers may take.
    pub(super) headers: Duration,
    /// How long all of a connection may take.
    pub(super) lifetime: Duration,
    /// How many requests are answered on one.
    pub(super) requests: usize,
}

/// cloud-init asks one thing after the other, and hardly forty in all.
const LIMITS: Limits = Limits {
    connections: 64,
    of_one: 8,
    headers: Duration::from_secs(5),
    lifetime: Duration::from_secs(10),
    requests: 16,
};

/// The most bytes of a request's first line and headers: the least that hyper takes.
const HEAD_MAX: usize = 8 << 10;

/// The most headers of a request.
const HEADERS_MAX: usize = 32;

/// How long to wait before accepting again when the process has no descriptors left.
const BREATH: Duration = Duration::from_millis(100);

/// Serves the guests of one VPC until `cancel` is done; connections that are open then are cut off.
pub async fn serve_metadata(
    listener: std::net::TcpListener,
    router: Router,
    cancel: impl Future<Output = ()>,
) -> std::io::Result<()> {
    serve_within(LIMITS, listener, router, cancel).await
}

pub(super) async fn serve_within(
    limits: Limits,
    listener: std::net::TcpListener,
    router: Router,
    cancel: impl Future<Output = ()>,
) -> std::io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let mut open = Open::default();
    let mut cancel = pin!(cancel);
    loop {
        tokio::select! {
            () = &mut cancel => return Ok(()),
            () = open.one_ends(), if !open.owners.is_empty() => {}
            accepted = listener.accept(), if open.owners.len() < limits.connections => match accepted {
                // One too many is closed without a word: who has so many isn't waiting for an answer.
                Ok((_, peer)) if open.of(peer.ip()) >= limits.of_one => {}
                Ok((stream, peer)) => open.add(peer.ip(), connection(limits, stream, peer, router.clone())),
                Err(error) => {
                    tracing::warn!(%error, "a guest's request for metadata was not accepted");
                    tokio::time::sleep(BREATH).await;
                }
            },
        }
    }
}

/// The connections that are open, and whose they are.
#[derive(Default)]
struct Open {
    tasks: JoinSet<()>,
    owners: HashMap<Id, IpAddr>,
}

impl Open {
    fn of(&self, owner: IpAddr) -> usize {
        self.owners.values().filter(|one| **one == owner).count()
    }

    fn add(&mut self, owner: IpAddr, connection: impl Future<Output = ()> + Send + 'static) {
        let task = self.tasks.spawn(connection);
        self.owners.insert(task.id(), owner);
    }

    /// Waits until one of them has ended, however it did.
    async fn one_ends(&mut self) {
        let ended = match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => id,
            Some(Err(error)) => error.id(),
            None => return,
        };
        self.owners.remove(&ended);
    }
}

async fn connection(limits: Limits, stream: TcpStream, peer: SocketAddr, router: Router) {
    let left = Arc::new(AtomicUsize::new(limits.requests));
    let router = router
        .layer(from_fn(move |request, next| in_measure(left.clone(), request, next)))
        .layer(Extension(ConnectInfo(peer)));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.headers)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_MAX);
    let served = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    // What goes wrong is the guest's doing, and it knows.
    let _ = tokio::time::timeout(limits.lifetime, served).await;
}

/// Answers a request, and says that the connection ends with it if enough have been answered, or if a body comes:
/// nobody reads that.
async fn in_measure(left: Arc<AtomicUsize>, request: Request<Body>, next: Next) -> Result<Response, Infallible> {
    let last = left.fetch_sub(1, Ordering::Relaxed) <= 1 || !request.body().is_end_stream();
    let mut response = next.run(request).await;
    if last {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    Ok(response)
}
