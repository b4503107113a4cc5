//! Conditional requests (RFC 9110, 13): what is read has an `ETag`; who has it already is told so (`If-None-Match`), and
//! who changes only what they have seen is refused once it is another (`If-Match`).
//!
//! ```text
//!   GET ─▶ the route ─▶ JSON, with its tag ──the client has that──▶ 304
//!
//!   change with If-Match ─▶ its gate, alone ─▶ GET of what it is about ──another tag──▶ 412
//!                                                     └─ that tag ─▶ the route ─▶ the gate is left
//!   change without ───────▶ its gate, with others like it ─▶ the route
//! ```
//!
//! The tag is a digest of what is shown, but for [readings](READINGS) of the moment. What is changed is asked for as its
//! caller would, through the guard: what they may not see stays unseen. Behind `once`, so that a request that is sent
//! again is not refused for what it has changed itself.

mod condition;
mod gate;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tower::ServiceExt as _;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{OpenApi, Ref, RefOr, Required, ResponseBuilder};

use crate::Peer;
use crate::auth::{self, Scope};
use crate::document::operations;
use crate::problem::ApiError;
use crate::request_id::RequestId;
use condition::{CONDITION_MAX, Condition};
use gate::Gates;

/// By collection, the fields that are readings of the moment: they change while nothing does.
const READINGS: [(&str, &[&str]); 6] = [
    ("instances", &["as_of"]),
    ("ports", &["counters"]),
    ("tokens", &["last_used_at"]),
    ("usage", &["as_of"]),
    ("stats", &["at"]),
    ("host", &["disk_free_bytes", "disk_reserved_bytes"]),
];

/// How much of a digest is a tag, in bytes.
const TAG_BYTES: usize = 16;

/// What is needed to judge conditions.
#[derive(Clone)]
pub(crate) struct Etags {
    /// The routes behind their guard.
    guarded: Router,
    gates: Gates,
}

impl Etags {
    pub(crate) fn new(guarded: Router) -> Self {
        Self {
            guarded,
            gates: Gates::default(),
        }
    }

    /// What is shown to who asks so.
    async fn look(&self, asked: Request) -> Response {
        match self.guarded.clone().oneshot(asked).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

/// A request by the same caller to be shown what is at another path.
fn look_at(request: &Request, path: &str) -> Result<Request, ApiError> {
    let uri: Uri = path.parse().map_err(ApiError::internal)?;
    let mut asked = Request::new(Body::empty());
    *asked.uri_mut() = uri;
    *asked.headers_mut() = request.headers().clone();
    // No more of the extensions: the others are of the route that the request has come to.
    let (known, extensions) = (request.extensions(), asked.extensions_mut());
    if let Some(peer) = known.get::<ConnectInfo<Peer>>() {
        extensions.insert(peer.clone());
    }
    if let Some(id) = known.get::<RequestId>() {
        extensions.insert(*id);
    }
    Ok(asked)
}

/// Tags what is read, and lets through the changes whose condition holds.
pub(crate) async fn etag(State(etags): State<Etags>, request: Request, next: Next) -> Result<Response, ApiError> {
    let Some(path) = request.extensions().get::<MatchedPath>().cloned() else {
        return Ok(next.run(request).await);
    };
    let collection = collection(path.as_str());
    match *request.method() {
        Method::GET | Method::HEAD => read(collection, request, next).await,
        _ => change(&etags, path.as_str(), request, next).await,
    }
}

async fn read(collection: &str, mut request: Request, next: Next) -> Result<Response, ApiError> {
    // What can't be read is the tag of nothing, and the answer is the whole.
    let has = Condition::of(request.headers(), &header::IF_NONE_MATCH).unwrap_or_default();
    let wants = Condition::of(request.headers(), &header::IF_MATCH)?;
    // The tag of a HEAD is that of the whole, whose body the router takes away.
    *request.method_mut() = Method::GET;
    let (mut response, tag) = tagged(collection, next.run(request).await).await?;
    let Some(tag) = tag else { return Ok(response) };
    if wants.is_some_and(|wants| !wants.is(&tag)) {
        return Err(ApiError::another(&tag));
    }
    response.headers_mut().insert(header::ETAG, quoted(&tag)?);
    if has.is_some_and(|has| has.is_like(&tag)) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = Body::empty();
        response.headers_mut().remove(header::CONTENT_TYPE);
        response.headers_mut().remove(header::CONTENT_LENGTH);
    }
    Ok(response)
}

async fn change(etags: &Etags, route: &str, request: Request, next: Next) -> Result<Response, ApiError> {
    let wants = Condition::of(request.headers(), &header::IF_MATCH)?;
    if request.headers().contains_key(header::IF_NONE_MATCH) {
        return Err(ApiError::invalid("If-None-Match", "only what is read takes it"));
    }
    let Some(depth) = shown_at(route) else {
        // It must not be passed over: who sends it counts on it.
        return match wants {
            Some(_) => Err(ApiError::invalid(
                "If-Match",
                "what is asked here changes nothing that has an ETag",
            )),
            None => Ok(next.run(request).await),
        };
    };
    let scope = request.extensions().get::<Scope>();
    let project = scope.map_or("", |scope| scope.project.as_str());
    let gate = etags.gates.of(project, collection(route));
    let Some(wants) = wants else {
        let _with_others = gate.read_owned().await;
        return Ok(next.run(request).await);
    };
    let _alone = gate.write_owned().await;
    let asked = look_at(&request, up_to(request.uri().path(), depth))?;
    let shown = etags.look(asked).await;
    if shown.status() != StatusCode::OK {
        return Ok(shown);
    }
    match tagged(collection(route), shown).await? {
        (_, Some(tag)) if !wants.is(&tag) => Err(ApiError::another(&tag)),
        _ => Ok(next.run(request).await),
    }
}

/// What a route is about: the segment after the version.
fn collection(route: &str) -> &str {
    route.split('/').nth(2).unwrap_or_default()
}

/// Where what a change is about is shown: at the nearest path above it that can be read, as a number of segments. None
/// if it is about nothing yet, as what makes something.
fn shown_at(route: &str) -> Option<usize> {
    let segments: Vec<_> = route.split('/').collect();
    let readable = |depth: &usize| auth::has_route(&Method::GET, up_to(route, *depth));
    // The first one is empty, then come the version, the collection, and what names one of it.
    segments.get(3).filter(|named| named.starts_with('{'))?;
    (4..=segments.len()).rev().find(readable)
}

/// The first so many segments of a path.
fn up_to(path: &str, depth: usize) -> &str {
    let end = path.match_indices('/').nth(depth - 1).map_or(path.len(), |(at, _)| at);
    &path[..end]
}

/// An answer, and its tag if it shows something in JSON.
async fn tagged(collection: &str, response: Response) -> Result<(Response, Option<String>), ApiError> {
    let json = response.headers().get(header::CONTENT_TYPE);
    let json = json.is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    if response.status() != StatusCode::OK || !json {
        return Ok((response, None));
    }
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.map_err(ApiError::internal)?;
    let digest = match READINGS.iter().find(|(of, _)| *of == collection) {
        Some((_, readings)) => Sha256::digest(without(&body, readings).as_deref().unwrap_or(&body)),
        None => Sha256::digest(&body),
    };
    let tag = URL_SAFE_NO_PAD.encode(&digest[..TAG_BYTES]);
    Ok((Response::from_parts(parts, Body::from(body)), Some(tag)))
}

/// What is shown without those fields, of itself or of each entry of a list.
fn without(body: &[u8], fields: &[&str]) -> Option<Vec<u8>> {
    let mut shown: Value = serde_json::from_slice(body).ok()?;
    let strip = |one: &mut Value| {
        if let Some(object) = one.as_object_mut() {
            object.retain(|name, _| !fields.contains(&name.as_str()));
        }
    };
    match shown.get_mut("items").and_then(Value::as_array_mut) {
        Some(items) => items.iter_mut().for_each(strip),
        None => strip(&mut shown),
    }
    serde_json::to_vec(&shown).ok()
}

fn quoted(tag: &str) -> Result<HeaderValue, ApiError> {
    HeaderValue::try_from(format!("\"{tag}\"")).map_err(ApiError::internal)
}

impl ApiError {
    /// What is to be changed isn't what its caller has seen.
    fn another(tag: &str) -> Self {
        let detail = format!("it has changed since it was read: its ETag is \"{tag}\" now. Read it again");
        let error = Self::new(berth_model::Code::PreconditionFailed, detail, Some("If-Match"));
        match quoted(tag) {
            Ok(value) => error.with(header::ETAG, value),
            Err(error) => error,
        }
    }
}

const HAS: &str = "The `ETag` of what who asks has already: if it is still that, the answer is 304 without a body.";
const WANTS: &str = "The `ETag` of what was read: if it is another by now, nothing is changed and the answer is 412. It is \
                     that of the nearest path above this one that can be read; `*` for whatever is there.";
/// One or several tags, or `*`.
const PATTERN: &str = r#"^(\*|(W/)?"[!#-~]*"(, ?(W/)?"[!#-~]*")*)$"#;

/// Says in the document which requests take conditions, and which answers have tags: the same that [`etag`] looks at.
pub(crate) fn describe(document: &mut OpenApi) {
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            if method == Method::GET {
                describe_read(operation);
            } else if shown_at(path).is_some() {
                let one_or_several = text()
                    .pattern(Some(PATTERN))
                    .min_length(Some(1))
                    .max_length(Some(CONDITION_MAX));
                takes(operation, "If-Match", WANTS, one_or_several);
            }
        }
    }
}

fn describe_read(operation: &mut Operation) {
    let Some(RefOr::T(shown)) = operation.responses.responses.get_mut("200") else {
        return;
    };
    if !shown.content.contains_key("application/json") {
        return;
    }
    let header = || RefOr::Ref(Ref::new("#/components/headers/ETag"));
    shown.headers.insert("ETag".to_owned(), header());
    let mut same = ResponseBuilder::new()
        .description("It is as who asks has it already.")
        .build();
    same.headers.insert("ETag".to_owned(), header());
    operation.responses.responses.insert("304".to_owned(), RefOr::T(same));
    takes(operation, "If-None-Match", HAS, text());
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn takes(operation: &mut Operation, name: &str, about: &str, schema: ObjectBuilder) {
    let parameter: Parameter = ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(about))
        .schema(Some(schema))
        .build();
    operation.parameters.get_or_insert_default().push(RefOr::T(parameter));
}

#[cfg(test)]
mod tests;
