//! The doors by which requests come in: the socket of this host, and TCP with TLS where the operator has asked for it.
//!
//! ```text
//!   accept ─▶ whose is it, how many have they? ─▶ a task: handshake (TLS) ─▶ headers ─▶ requests, each with its [`Peer`]
//!     └─ only while there is room: the others wait in the kernel's queue
//! ```
//!
//! Accepting waits for nobody: a handshake that is never finished costs one place for ten seconds, and one source has
//! only so many places. What a request does once its headers are there is the routes' own business.

mod crowd;
mod tls;

use std::io;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;

use crate::Peer;
use crowd::{Crowd, Place};
pub use tls::Certificates;

/// Where connections come from.
#[derive(Debug)]
pub enum Door {
    /// Processes of this host.
    Unix(UnixListener),
    /// Programs anywhere, with these certificates.
    Tls(TcpListener, Certificates),
}

/// What connections are held to.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// How many are open at once, handshakes under way among them.
    connections: usize,
    /// How many of them one source may have: nobody keeps the others out.
    of_one: usize,
    /// How long the headers of a request may take, and how long a connection may have nothing to ask.
    headers: Duration,
    /// How long a handshake may take.
    handshake: Duration,
}

impl Door {
    const fn limits(&self) -> Limits {
        let (connections, of_one) = match self {
            Self::Unix(_) => (1024, 512),
            Self::Tls(..) => (512, 128),
        };
        Limits {
            connections,
            of_one,
            headers: Duration::from_secs(30),
            handshake: Duration::from_secs(10),
        }
    }

    async fn accept(&self) -> io::Result<(Accepted, Peer)> {
        match self {
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                let peer = Peer::of_unix(&stream)?;
                Ok((Accepted::Unix(stream), peer))
            }
            Self::Tls(listener, certificates) => {
                let (stream, address) = listener.accept().await?;
                tls::prepare(&stream);
                let peer = Peer::Tls {
                    address,
                    certificate: None,
                };
                Ok((Accepted::Tcp(stream, certificates.acceptor()), peer))
            }
        }
    }
}

/// A connection of which nothing is known but where it comes from.
enum Accepted {
    Unix(tokio::net::UnixStream),
    Tcp(tokio::net::TcpStream, tokio_rustls::TlsAcceptor),
}

/// Told when the door is closed; the door waits until nobody has one any more.
type Down = watch::Receiver<()>;

/// The most bytes of a request's first line and headers.
const HEAD_MAX: usize = 64 << 10;

/// How long to wait before accepting again when the process has no descriptors left.
const BREATH: Duration = Duration::from_millis(100);

/// Serves a door until `down` is done, and returns once the requests under way then are answered.
pub async fn serve(door: Door, router: Router, down: impl Future<Output = ()>) {
    let limits = door.limits();
    serve_within(limits, door, router, down).await;
}

async fn serve_within(limits: Limits, door: Door, router: Router, down: impl Future<Output = ()>) {
    let crowd = Crowd::new(limits.connections, limits.of_one);
    let (going_down, _) = watch::channel(());
    let mut down = pin!(down);
    loop {
        let accepted = async {
            let room = crowd.room().await;
            (room, door.accept().await)
        };
        let (room, accepted) = tokio::select! {
            () = &mut down => break,
            accepted = accepted => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                // One too many is closed without a word: who has so many isn't waiting for an answer.
                let Some(place) = crowd.enter(room, peer.source()) else {
                    tracing::debug!(%peer, "a connection too many");
                    continue;
                };
                let task = connection(limits, stream, peer, router.clone(), going_down.subscribe());
                tokio::spawn(kept(place, task));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(BREATH).await;
            }
        }
    }
    drop(door);
    going_down.send_replace(());
    going_down.closed().await;
}

/// A connection has its place until it ends, however it does.
async fn kept(place: Place, connection: impl Future<Output = ()>) {
    connection.await;
    drop(place);
}

async fn connection(limits: Limits, stream: Accepted, peer: Peer, router: Router, down: Down) {
    match stream {
        Accepted::Unix(stream) => requests(limits, stream, peer, router, down).await,
        Accepted::Tcp(stream, acceptor) => {
            match tokio::time::timeout(limits.handshake, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => {
                    let peer = tls::known(peer, &stream);
                    requests(limits, stream, peer, router, down).await;
                }
                Ok(Err(error)) => tracing::debug!(%peer, %error, "a handshake failed"),
                Err(_) => tracing::debug!(%peer, "a handshake took too long"),
            }
        }
    }
}

async fn requests<S>(limits: Limits, stream: S, peer: Peer, router: Router, mut down: Down)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let router = TowerToHyperService::new(router);
    let known = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let mut request: Request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer.clone()));
        router.call(request)
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.headers)
        .max_buf_size(HEAD_MAX);
    let mut served = pin!(http.serve_connection(TokioIo::new(stream), known).with_upgrades());
    let ended = tokio::select! {
        ended = &mut served => ended,
        _ = down.changed() => {
            // The request under way is answered, and no other taken.
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::trace!(%error, "a connection ended");
    }
}

#[cfg(test)]
mod tests;
