//! `/v1/projects/{project}/quota`.

use axum::Json;
use axum::extract::{Path, State};
use berth_api_types::{ChangeQuota, Problem, QuotaView, ResourceQuota};
use berth_engine::QuotaRecord;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::App;
use crate::extract::Body;
use crate::problem::ApiError;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(show, change))
}

fn view(project: String, quotas: &[QuotaRecord]) -> QuotaView {
    let quota = |record: &QuotaRecord| ResourceQuota {
        resource: record.resource,
        used: record.used,
        limit: record.limit,
        set: record.set,
    };
    QuotaView {
        project,
        quotas: quotas.iter().map(quota).collect(),
    }
}

/// Shows the quotas of a project: what it may have, and how much of it it has.
#[utoipa::path(get, path = "/v1/projects/{project}/quota", params(("project" = String, description = "name")),
    responses((status = 200, body = QuotaView), (status = "4XX", body = Problem)))]
async fn show(State(app): State<App>, Path(project): Path<String>) -> Result<Json<QuotaView>, ApiError> {
    let quotas = app.engine.quotas(&project).await?;
    Ok(Json(view(project, &quotas)))
}

/// Changes limits of a project. One may be set below what is used: then nothing new is given, and nothing is taken away.
#[utoipa::path(patch, path = "/v1/projects/{project}/quota", params(("project" = String, description = "name")),
    request_body = ChangeQuota, responses((status = 200, body = QuotaView), (status = "4XX", body = Problem)))]
async fn change(
    State(app): State<App>,
    Path(project): Path<String>,
    Body(body): Body<ChangeQuota>,
) -> Result<Json<QuotaView>, ApiError> {
    let quotas = app.engine.set_quotas(&project, &body.limits).await?;
    Ok(Json(view(project, &quotas)))
}
