//! `/metrics`: everything that is counted and measured, in Prometheus' text format; and how long requests take.
//!
//! ```text
//!   every request ─▶ timed (by route, method, class of status) ┐
//!   store, hypervisor, engine: counted as it happens           ├─▶ one registry a scrape ─▶ text
//!   engine: read at that moment                                ┘
//! ```
//!
//! No label takes what a request makes up: a path that is no route, or a method that HTTP hasn't got, is one series.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use berth_model::Code;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::prometheus_text::{CONTENT_TYPE, encode};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::App;
use crate::problem::ApiError;

/// From a record that is read to a request that waits for an operation; in seconds.
const BUCKETS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 60.0];

/// A request, as far as it is of interest.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    method: &'static str,
    route: String,
    status: &'static str,
}

/// How long requests took; clones count together.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    requests: Family<Asked, Histogram, fn() -> Histogram>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            requests: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
        }
    }
}

impl Metrics {
    fn register(&self, registry: &mut Registry) {
        let help = "Time from a request to the head of its answer; streams go on after it";
        registry.register_with_unit(
            "berth_http_request_duration",
            help,
            Unit::Seconds,
            self.requests.clone(),
        );
    }
}

/// Times a request.
pub(crate) async fn timed(State(app): State<App>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let method = method(request.method());
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or_else(|| "unmatched".to_owned(), |path| path.as_str().to_owned());
    let response = next.run(request).await;
    let asked = Asked {
        method,
        route,
        status: class(response.status()),
    };
    let requests = &app.metrics.requests;
    requests.get_or_create(&asked).observe(begun.elapsed().as_secs_f64());
    response
}

fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}

fn class(status: StatusCode) -> &'static str {
    match status.as_u16() {
        100..200 => "1xx",
        200..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        _ => "5xx",
    }
}

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(metrics))
}

/// Tells all that is counted and measured, of all projects, in Prometheus' text format (version 0.0.4).
#[utoipa::path(get, path = "/metrics", responses((status = 200, body = String, content_type = "text/plain")))]
async fn metrics(State(app): State<App>) -> Result<Response, ApiError> {
    let mut registry = Registry::default();
    let about = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
    registry.register("berth_build", "The daemon", about);
    app.metrics.register(&mut registry);
    app.engine.register_metrics(&mut registry).await;
    let mut text = String::new();
    encode(&mut text, &registry).map_err(|error| ApiError::new(Code::Internal, error, None))?;
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response())
}
