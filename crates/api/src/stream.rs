//! Connections that turn into raw streams of bytes: the console, and TCP into a VPC.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use berth_api_types::STREAM_PROTOCOL;
use berth_engine::EngineError;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};

use crate::auth::Right;
use crate::problem::ApiError;

/// Answers with 101 once the other end is open, and copies both ways until either side closes, or who asked may no
/// longer.
pub(crate) async fn upgrade<S>(
    mut request: Request,
    right: Right,
    open: impl Future<Output = Result<S, EngineError>>,
) -> Result<Response, ApiError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    if !asks_for_stream(request.headers()) {
        let detail = format!("this answers only to 'Connection: Upgrade' with 'Upgrade: {STREAM_PROTOCOL}'");
        return Err(ApiError::invalid("Upgrade", detail));
    }
    let mut other = open.await?;
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        match upgraded.await {
            Ok(client) => {
                let mut client = TokioIo::new(client);
                tokio::select! {
                    // Either side may go away at any time; that is how a stream ends.
                    _ = copy_bidirectional(&mut client, &mut other) => {}
                    () = right.lost() => tracing::debug!("who had the stream may no longer"),
                }
            }
            Err(error) => tracing::debug!(%error, "the client went away before the stream began"),
        }
    });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, header::HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, header::HeaderValue::from_static(STREAM_PROTOCOL));
    Ok(response)
}

fn asks_for_stream(headers: &HeaderMap) -> bool {
    headers
        .get(header::UPGRADE)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(STREAM_PROTOCOL.as_bytes()))
}
