//! `/v1/types`.

use axum::Json;
use axum::extract::{Path, State};
use berth_api_types::Problem;
use berth_api_types::schema::InstanceType as InstanceTypeSchema;
use berth_model::InstanceType;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::App;
use crate::problem::ApiError;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show))
}

/// Lists the catalog of instance types.
#[utoipa::path(get, path = "/v1/types", responses((status = 200, body = Vec<InstanceTypeSchema>)))]
async fn list(State(app): State<App>) -> Json<Vec<InstanceType>> {
    Json(app.engine.settings().types.clone())
}

/// Shows an instance type.
#[utoipa::path(get, path = "/v1/types/{type}", params(("type" = String, description = "name")),
    responses((status = 200, body = InstanceTypeSchema), (status = "4XX", body = Problem)))]
async fn show(State(app): State<App>, Path(name): Path<String>) -> Result<Json<InstanceType>, ApiError> {
    Ok(Json(app.engine.find_type(&name)?))
}
