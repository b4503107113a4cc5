//! The API: HTTP/1.1 and JSON over the daemon's unix socket.
//!
//! One module a resource: its routes, each documented where it is written; the OpenAPI document is made from the same
//! router, so that no route can be missing from it. Nothing is decided here: a request is parsed into types, handed to
//! the engine, and what comes back is shown.
//!
//! ```text
//!   request ─▶ extract (body, query, who asks) ─▶ Engine ─▶ views ─▶ JSON
//!                     └────────── problem+json ◀──┘
//! ```

mod audit;
mod auth;
mod catalog;
mod check;
mod document;
mod door;
mod dry_run;
mod etag;
mod event;
mod extract;
mod extract_list;
mod fields;
mod gzip;
mod health;
mod history;
mod host;
mod image;
mod instance;
mod instance_type;
mod keypair;
mod label;
mod lifecycle;
mod linger;
mod metadata;
mod metrics;
mod once;
mod operation;
mod parameters;
mod peer;
mod port;
mod problem;
mod project;
mod public_ip;
mod quota;
mod request_id;
mod resize;
mod security_group;
mod snapshot;
mod stats;
mod stream;
mod subnet;
mod token;
mod usage;
mod views;
mod volume;
mod vpc;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use berth_engine::Engine;
use utoipa::openapi::OpenApi as Document;

use crate::auth::Auth;
pub use audit::{Audit, AuditSettings};
pub use auth::AuthSettings;
pub use auth::oidc::{Oidc, OidcError, OidcSettings};
pub use door::{Certificates, Door, serve};
pub use metadata::{metadata_router, serve_guests, serve_metadata};
pub use peer::{Peer, Source};
pub use problem::ApiError;

/// The largest JSON body in bytes; images come as streams and have no such bound.
const BODY_MAX: usize = 4 << 20;

/// What every route is given.
#[derive(Clone)]
struct App {
    engine: Engine,
    about: Arc<About>,
    auth: Arc<Auth>,
    audit: Audit,
    metrics: metrics::Metrics,
    parameters: Arc<parameters::Parameters>,
}

/// What the daemon knows of itself and the engine doesn't.
#[derive(Debug, Clone)]
pub struct About {
    /// libvirt's URI.
    pub libvirt_uri: String,
    /// Where the daemon keeps its state.
    pub state_dir: String,
}

/// The OpenAPI document of all routes.
pub fn openapi() -> Document {
    document::described().into_openapi()
}

/// The router that serves the API.
pub fn router(engine: Engine, about: About, auth: AuthSettings, audit: Audit) -> Router {
    let (router, document) = document::described().split_for_parts();
    let known = Arc::new(fields::Fields::of(&document));
    let app = App {
        engine,
        about: Arc::new(about),
        auth: Arc::new(Auth::new(auth)),
        audit,
        metrics: metrics::Metrics::default(),
        parameters: Arc::new(parameters::Parameters::of(&document)),
    };
    let served = router
        .route(
            "/v1/openapi.json",
            axum::routing::get(async move || axum::Json(document)),
        )
        .with_state(app.clone());
    let guard = || from_fn_with_state(app.clone(), auth::guard);
    let etags = etag::Etags::new(served.clone().layer(guard()));
    served
        .fallback(async |uri: axum::http::Uri| ApiError::no_route(uri.path()))
        .layer(from_fn_with_state(app.clone(), dry_run::try_out))
        .layer(from_fn_with_state(etags, etag::etag))
        .layer(from_fn_with_state(app.clone(), once::once))
        .layer(from_fn_with_state(app.clone(), parameters::known))
        .layer(from_fn_with_state(known, fields::choose))
        .layer(guard())
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .layer(from_fn(gzip::plain))
        .layer(from_fn_with_state(linger::PATIENCE, linger::linger))
        .layer(gzip::layer())
        .layer(map_response(gzip::named))
        .layer(from_fn(request_id::give))
        .layer(from_fn_with_state(app, metrics::timed))
}
