//! The metadata service: what a guest asks at 169.254.169.254 about itself.
//!
//! It is the one server that guests reach, so it knows little and says less: who asks is told by the connection's
//! address alone, which the rules against spoofing make true; a stranger hears what a wrong path hears; nothing that is
//! sent is read but a path and a few headers.
//!
//! A program in the guest may be tricked into asking for someone outside (SSRF). Amazon's answer is a token that has to
//! be fetched by PUT, which such programs mostly can't be tricked into; the token is given, for clients that insist on
//! it, and whatever comes through a proxy is refused, as Amazon refuses its PUTs.

mod serve;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use berth_engine::{Engine, GuestListener};
use berth_model::metadata::{GuestFacts, answer};

pub use serve::serve_metadata;

/// Where a token is fetched.
const TOKEN_PATH: &str = "/latest/api/token";

/// No answer depends on a token. So all get the same, and there is none to keep or to steal.
const TOKEN: &str = "QmVydGggYW5zd2VycyB3aXRoIG9yIHdpdGhvdXQgdGhpcyB0b2tlbg==";

/// How many seconds a token is to last.
const TOKEN_TTL: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token-ttl-seconds");

/// The longest that may be: six hours.
const TOKEN_TTL_MAX: u32 = 21_600;

/// What a proxy adds.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The router that answers guests; `lookup` knows whose an address is, in the one VPC that the router is served in.
pub fn metadata_router<F, A>(lookup: F) -> Router
where
    F: Fn(IpAddr) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Option<GuestFacts>> + Send + 'static,
{
    Router::new().fallback(
        async move |ConnectInfo(peer): ConnectInfo<SocketAddr>, method: Method, uri: Uri, headers: HeaderMap| {
            if let Some(refusal) = refusal(&method, uri.path(), &headers) {
                return refusal;
            }
            match lookup(peer.ip()).await {
                Some(_) if method == Method::PUT => token(&headers),
                Some(facts) => found(&facts, uri.path()),
                None => nothing(),
            }
        },
    )
}

/// Serves the guests of every VPC whose listener comes, each until it is closed.
pub async fn serve_guests(engine: Engine) {
    let Some(mut listeners) = engine.guest_listeners() else {
        return;
    };
    while let Some(GuestListener { vpc, listener, closed }) = listeners.recv().await {
        let engine = engine.clone();
        let router = metadata_router(move |address| {
            let engine = engine.clone();
            async move {
                let facts = engine.guest_facts(vpc, address).await;
                facts.unwrap_or_else(|error| {
                    tracing::warn!(%vpc, %address, %error, "a guest is told nothing about itself");
                    None
                })
            }
        });
        tokio::spawn(async move {
            let closed = async { drop(closed.await) };
            if let Err(error) = serve_metadata(listener, router, closed).await {
                tracing::warn!(%vpc, %error, "guests have no metadata service");
            }
        });
    }
}

/// Why nobody is answered that.
fn refusal(method: &Method, path: &str, headers: &HeaderMap) -> Option<Response> {
    if headers.contains_key(FORWARDED_FOR) {
        return Some(StatusCode::FORBIDDEN.into_response());
    }
    let known = matches!(*method, Method::GET | Method::HEAD) || (method == Method::PUT && path == TOKEN_PATH);
    (!known).then(|| (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET, HEAD")]).into_response())
}

fn found(facts: &GuestFacts, path: &str) -> Response {
    match answer(facts, path) {
        Some(answer) => ([(header::CONTENT_TYPE, answer.content_type)], answer.body).into_response(),
        None => nothing(),
    }
}

fn nothing() -> Response {
    StatusCode::NOT_FOUND.into_response()
}

/// A token, or what is wrong with the request for one.
fn token(headers: &HeaderMap) -> Response {
    let seconds = headers
        .get(TOKEN_TTL)
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .filter(|seconds| (1..=TOKEN_TTL_MAX).contains(seconds));
    match seconds {
        Some(seconds) => ([(TOKEN_TTL, seconds.to_string())], TOKEN).into_response(),
        None => StatusCode::BAD_REQUEST.into_response(),
    }
}
