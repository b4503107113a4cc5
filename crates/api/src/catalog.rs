//! `/v1/catalog`.

use axum::Json;
use axum::extract::{Path, State};
use berth_api_types::{CatalogEntryView, Problem};
use berth_model::Code;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::App;
use crate::problem::ApiError;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show))
}

/// Lists the images that are known by name, and where they come from.
#[utoipa::path(get, path = "/v1/catalog", responses((status = 200, body = Vec<CatalogEntryView>)))]
async fn list(State(app): State<App>) -> Json<Vec<CatalogEntryView>> {
    let settings = app.engine.settings();
    let view = |entry| CatalogEntryView::of(entry, settings.image_mirror.as_ref());
    Json(settings.catalog.entries().iter().map(view).collect())
}

/// Shows an image that is known by name.
#[utoipa::path(get, path = "/v1/catalog/{name}", params(("name" = String, description = "name")),
    responses((status = 200, body = CatalogEntryView), (status = "4XX", body = Problem)))]
async fn show(State(app): State<App>, Path(name): Path<String>) -> Result<Json<CatalogEntryView>, ApiError> {
    let settings = app.engine.settings();
    let found = settings.catalog.find(&name);
    let entry = found.map_err(|error| ApiError::new(Code::NotFound, error, None))?;
    Ok(Json(CatalogEntryView::of(entry, settings.image_mirror.as_ref())))
}
