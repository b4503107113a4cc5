//! gzip (RFC 9110, 8.4): answers in text are packed for who takes that; requests are taken as they are and no other way.
//!
//! Not packed are files of images, streams, and what is so short that it would become no shorter. The tag of what is
//! packed says so, for its bytes are others (RFC 9110, 8.8.3.3).

use axum::extract::Request;
use axum::http::{Extensions, HeaderMap, HeaderValue, StatusCode, Version, header};
use axum::middleware::Next;
use axum::response::Response;
use berth_model::Code;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{Predicate, SizeAbove};

use crate::problem::ApiError;

/// What the tag of a packed answer ends with.
pub(crate) const PACKED: &str = "-gzip";

/// From how many bytes on an answer is packed.
const WORTH_IT: u16 = 1024;

/// What is text, by how its media type begins; streams are not among it.
const TEXT: [&str; 3] = ["application/json", "application/problem+json", "text/plain"];

/// Packs what is worth it. The quickest way: what is saved is time.
pub(crate) fn layer() -> CompressionLayer<impl Predicate> {
    CompressionLayer::new()
        .quality(CompressionLevel::Fastest)
        .compress_when(SizeAbove::new(WORTH_IT).and(is_text))
}

fn is_text(_: StatusCode, _: Version, headers: &HeaderMap, _: &Extensions) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| TEXT.iter().any(|text| kind.starts_with(text)))
}

/// Refuses a request that is packed, and names the tag of an answer that is.
pub(crate) async fn plain(request: Request, next: Next) -> Result<Response, ApiError> {
    let packed = request.headers().get(header::CONTENT_ENCODING);
    if packed.is_some_and(|how| !how.as_bytes().eq_ignore_ascii_case(b"identity")) {
        let detail = "Content-Encoding: requests are taken as they are, not packed";
        let error = ApiError::new(Code::UnsupportedMediaType, detail, Some("Content-Encoding"));
        return Err(error.with(header::ACCEPT_ENCODING, HeaderValue::from_static("identity")));
    }
    Ok(next.run(request).await)
}

/// Names the tag of an answer that is packed.
pub(crate) async fn named(mut response: Response) -> Response {
    if response.headers().contains_key(header::CONTENT_ENCODING)
        && let Some(tag) = response.headers().get(header::ETAG).and_then(|tag| tag.to_str().ok())
        && let Ok(tag) = HeaderValue::try_from(format!("{}{PACKED}\"", tag.trim_end_matches('"')))
    {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}
