//! A refusal is heard also by who is still sending.
//!
//! A body is read as it comes, and what answers with an error may leave much of it unread. If the connection were
//! closed then, a client that writes first and reads afterwards would hear of a broken pipe and not of the reason
//! (RFC 9112, 9.6). So what is left of the body is read away, for a while, before the refusal is sent.
//!
//! Who sends nothing more is let go after a while: what is begun and never ended would keep its place for ever.
//!
//! ```text
//!   client ══ body ══▶ [Lent] ══▶ the route
//!                        └─ dropped with bytes to come ─▶ [linger] reads them away ─▶ the refusal
//! ```

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use berth_model::Code;
use futures::{Stream, StreamExt as _};
use tokio::sync::oneshot;
use tokio::time::Sleep;

use crate::dry_run::Told;
use crate::problem::ApiError;

/// How long what is left of a body is read away: some GB over a socket of this host.
const LINGER: Duration = Duration::from_secs(30);

/// How long the next bytes of a body may take.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A body on loan to a route: what is left of it comes back when it is dropped.
struct Lent {
    body: Option<(BodyDataStream, oneshot::Sender<BodyDataStream>)>,
    /// How long its next bytes may take, the clock of that, and whether it has run out.
    patience: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
    late: Arc<AtomicBool>,
    /// Its first bytes are sent only once they are asked for (`Expect: 100-continue`, RFC 9110, 10.1.1): nobody is sending.
    held: bool,
}

impl Stream for Lent {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let lent = self.get_mut();
        lent.held = false;
        let Some((stream, _)) = &mut lent.body else {
            return Poll::Ready(None);
        };
        let Poll::Ready(next) = stream.poll_next_unpin(cx) else {
            let patience = lent.patience;
            let waiting = lent
                .waiting
                .get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
            std::task::ready!(waiting.as_mut().poll(cx));
            lent.late.store(true, Ordering::Relaxed);
            lent.body = None;
            return Poll::Ready(Some(Err(axum::Error::new(std::io::Error::from(
                std::io::ErrorKind::TimedOut,
            )))));
        };
        lent.waiting = None;
        if !matches!(next, Some(Ok(_))) {
            lent.body = None;
        }
        Poll::Ready(next)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some((stream, back)) = self.body.take().filter(|_| !self.held) {
            // Nobody waits for it if the answer isn't a refusal.
            let _ = back.send(stream);
        }
    }
}

/// Reads away what a request still sends that is refused, or only tried, and lets go of one that sends nothing more.
pub(crate) async fn linger(State(patience): State<Duration>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let (back, rest) = oneshot::channel();
    let late = Arc::new(AtomicBool::new(false));
    let lent = Lent {
        body: Some((body.into_data_stream(), back)),
        patience,
        waiting: None,
        late: Arc::clone(&late),
        held: parts.headers.contains_key(header::EXPECT),
    };
    let response = next.run(Request::from_parts(parts, Body::from_stream(lent))).await;
    if late.load(Ordering::Relaxed) {
        let detail = format!("no more of the request has come for {} s", patience.as_secs_f32());
        let error = ApiError::new(Code::RequestTimeout, detail, None);
        let close = HeaderValue::from_static("close");
        return error.with(header::CONNECTION, close).into_response();
    }
    let told = response.extensions().get::<Told>().is_some();
    if told || response.status().is_client_error() || response.status().is_server_error() {
        let away = async {
            if let Ok(mut rest) = rest.await {
                while let Some(Ok(_)) = rest.next().await {}
            }
        };
        if tokio::time::timeout(LINGER, away).await.is_err() {
            tracing::debug!("a refused request is still sending; its connection is closed");
        }
    }
    response
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::io::{Read as _, Write as _};
    use std::os::unix::net::UnixStream;
    use std::path::Path;

    use axum::http::StatusCode;
    use axum::routing::post;

    use super::*;

    /// Serves a route that refuses all, having read nothing or the first bytes.
    fn serve(socket: &Path, patience: Duration) {
        let first = async |body: Body| {
            body.into_data_stream().next().await.unwrap().unwrap();
            (StatusCode::INSUFFICIENT_STORAGE, "full")
        };
        let router = axum::Router::new()
            .route("/nothing", post(async || (StatusCode::INSUFFICIENT_STORAGE, "full")))
            .route("/first", post(first))
            .route("/all", post(async |body: Bytes| body.len().to_string()))
            .layer(axum::middleware::from_fn_with_state(patience, linger));
        let listener = tokio::net::UnixListener::bind(socket).unwrap();
        tokio::spawn(axum::serve(listener, router).into_future());
    }

    /// Sends all of a body, and only then reads the answer.
    fn ask(socket: &Path, path: &str, expect: &str, body: &[u8]) -> String {
        let mut stream = UnixStream::connect(socket).unwrap();
        let length = 32 << 20;
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nhost: berth\r\nconnection: close\r\n{expect}content-length: {length}\r\n\r\n"
        )
        .unwrap();
        stream.write_all(body).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_client_that_is_still_sending_hears_the_refusal() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("s");
        serve(&socket, PATIENCE);
        let asked = tokio::task::spawn_blocking(move || {
            let body = vec![0; 32 << 20];
            for path in ["/nothing", "/first"] {
                let answer = ask(&socket, path, "", &body);
                assert!(
                    answer.starts_with("HTTP/1.1 507") && answer.ends_with("full"),
                    "{answer}"
                );
            }
            // Who waits to be asked for the body is not waited for.
            let answer = ask(&socket, "/nothing", "expect: 100-continue\r\n", b"");
            assert!(answer.starts_with("HTTP/1.1 507"), "{answer}");
        });
        tokio::time::timeout(LINGER / 2, asked).await.unwrap().unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_stops_sending_is_let_go() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("s");
        serve(&socket, Duration::from_millis(50));
        let asked = tokio::task::spawn_blocking(move || ask(&socket, "/all", "", b"a beginning"));
        let answer = asked.await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
        assert!(
            answer.contains("request_timeout") && answer.contains("connection: close"),
            "{answer}"
        );
    }
}
