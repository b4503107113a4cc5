//! `/healthz` and `/readyz`: for whoever restarts the daemon, and for whoever sends requests to it.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use berth_api_types::{CheckView, HealthView};
use berth_engine::Check;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::App;
use crate::problem::ApiError;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(healthz)).routes(routes!(readyz))
}

/// Tells whether the daemon lives: its tasks and libvirt's event loop run, its database answers. If it doesn't, it has
/// to be started again.
#[utoipa::path(get, path = "/healthz", responses((status = 200, body = HealthView),
    (status = 503, body = HealthView, content_type = "application/problem+json")))]
async fn healthz(State(app): State<App>) -> Response {
    answer(&app.engine.healthy().await)
}

/// Tells whether the daemon can do what it is for: the database can be written, libvirt answers, the disk has room, and
/// the host has been compared with the records since the start. At most a second old.
#[utoipa::path(get, path = "/readyz", responses((status = 200, body = HealthView),
    (status = 503, body = HealthView, content_type = "application/problem+json")))]
async fn readyz(State(app): State<App>) -> Result<Response, ApiError> {
    Ok(answer(&app.engine.ready().await?))
}

fn answer(checks: &[Check]) -> Response {
    let failing: Vec<_> = checks
        .iter()
        .filter_map(|check| Some(format!("{}: {}", check.name, check.failure.as_ref()?)))
        .collect();
    let (status, title, kind) = if failing.is_empty() {
        (StatusCode::OK, "ok", "application/json")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ok", "application/problem+json")
    };
    let view = |check: &Check| CheckView {
        name: check.name.to_owned(),
        ok: check.failure.is_none(),
        reason: check.failure.clone(),
    };
    let health = HealthView {
        status: status.as_u16(),
        title: title.to_owned(),
        detail: (!failing.is_empty()).then(|| failing.join("; ")),
        checks: checks.iter().map(view).collect(),
    };
    (status, [(header::CONTENT_TYPE, kind)], Json(health)).into_response()
}
