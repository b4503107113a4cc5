//! `/v1/instances/{instance}`: resize, shelve, and their ways back.

use axum::extract::{Path, State};
use axum::response::Response;
use berth_api_types::{OperationView, Problem, ResizeInstance};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::App;
use crate::auth::Scope;
use crate::extract::{Body, By};
use crate::instance::{accepted, find};
use crate::problem::ApiError;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(resize))
        .routes(routes!(confirm))
        .routes(routes!(revert))
        .routes(routes!(shelve))
        .routes(routes!(unshelve))
}

/// Changes an instance's type.
#[utoipa::path(post, path = "/v1/instances/{instance}/actions/resize", params(("instance" = String, description = "name or id")),
    request_body = ResizeInstance, responses((status = 202, body = OperationView), (status = "4XX", body = Problem)))]
async fn resize(
    State(app): State<App>,
    scope: Scope,
    By(by): By,
    Path(reference): Path<String>,
    Body(body): Body<ResizeInstance>,
) -> Result<Response, ApiError> {
    let instance = find(&app, &scope, &reference).await?;
    let asked = app
        .engine
        .resize_instance(&instance, &body.instance_type, body.confirm, &by);
    Ok(accepted(&asked.await?))
}

/// Keeps the new type.
#[utoipa::path(post, path = "/v1/instances/{instance}/actions/confirm_resize",
    params(("instance" = String, description = "name or id")),
    responses((status = 202, body = OperationView), (status = "4XX", body = Problem)))]
async fn confirm(
    State(app): State<App>,
    scope: Scope,
    By(by): By,
    Path(reference): Path<String>,
) -> Result<Response, ApiError> {
    let instance = find(&app, &scope, &reference).await?;
    Ok(accepted(&app.engine.confirm_resize(instance.id, &by).await?))
}

/// Goes back to the old type.
#[utoipa::path(post, path = "/v1/instances/{instance}/actions/revert_resize",
    params(("instance" = String, description = "name or id")),
    responses((status = 202, body = OperationView), (status = "4XX", body = Problem)))]
async fn revert(
    State(app): State<App>,
    scope: Scope,
    By(by): By,
    Path(reference): Path<String>,
) -> Result<Response, ApiError> {
    let instance = find(&app, &scope, &reference).await?;
    Ok(accepted(&app.engine.revert_resize(instance.id, &by).await?))
}

/// Saves an instance as an image and gives back all that it holds of the host.
#[utoipa::path(post, path = "/v1/instances/{instance}/actions/shelve", params(("instance" = String, description = "name or id")),
    responses((status = 202, body = OperationView), (status = "4XX", body = Problem)))]
async fn shelve(
    State(app): State<App>,
    scope: Scope,
    By(by): By,
    Path(reference): Path<String>,
) -> Result<Response, ApiError> {
    let instance = find(&app, &scope, &reference).await?;
    Ok(accepted(&app.engine.shelve_instance(instance.id, &by).await?))
}

/// Makes a shelved instance anew and starts it.
#[utoipa::path(post, path = "/v1/instances/{instance}/actions/unshelve", params(("instance" = String, description = "name or id")),
    responses((status = 202, body = OperationView), (status = "4XX", body = Problem)))]
async fn unshelve(
    State(app): State<App>,
    scope: Scope,
    By(by): By,
    Path(reference): Path<String>,
) -> Result<Response, ApiError> {
    let instance = find(&app, &scope, &reference).await?;
    Ok(accepted(&app.engine.unshelve_instance(instance.id, &by).await?))
}
