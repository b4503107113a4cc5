//! Every request has an id, which its answer tells (`x-request-id`) and the audit log has: who complains of an answer
//! can say which one it was.

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use uuid::Uuid;

/// The header of an answer that names its request.
const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The id of a request, among its extensions. A client's own is not taken: the log would say what a client likes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestId(pub(crate) Uuid);

/// Gives a request its id, and its answer the header.
pub(crate) async fn give(mut request: Request, next: Next) -> Response {
    let id = Uuid::now_v7();
    request.extensions_mut().insert(RequestId(id));
    let mut response = next.run(request).await;
    if let Ok(value) = HeaderValue::try_from(id.to_string()) {
        response.headers_mut().insert(HEADER, value);
    }
    response
}
