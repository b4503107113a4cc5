//! `/v1/snapshots`.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use berth_api_types::{
    CreateSnapshot, OperationView, Page, PageQuery, Problem, SnapshotInstance, SnapshotQuery, SnapshotView,
};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::Scope;
use crate::extract::{Body, By, Query, page, paged};
use crate::instance::accepted;
use crate::problem::ApiError;
use crate::{App, instance, views};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show, delete))
        .routes(routes!(create_of_instance))
}

/// Lists snapshots, oldest first.
#[utoipa::path(get, path = "/v1/snapshots", params(SnapshotQuery),
    responses((status = 200, body = Page<SnapshotView>), (status = "4XX", body = Problem)))]
async fn list(
    State(app): State<App>,
    scope: Scope,
    Query(query): Query<SnapshotQuery>,
) -> Result<Json<Page<SnapshotView>>, ApiError> {
    let page = page(&PageQuery {
        limit: query.limit,
        after: query.after,
    })?;
    let limit = page.limit;
    let volume = match query.volume {
        // An id is taken as it is: the snapshots of a volume that is gone are still there.
        Some(reference) => match reference.parse() {
            Ok(id) => Some(id),
            Err(_) => Some(app.engine.find_volume(&scope.project, &reference).await?.id),
        },
        None => None,
    };
    let snapshots = app.engine.list_snapshots(&scope.project, volume, page).await?;
    let items = snapshots.iter().map(views::snapshot).collect();
    Ok(Json(paged(items, limit, |snapshot: &SnapshotView| {
        snapshot.id.to_string()
    })))
}

/// Takes a snapshot of a volume, attached or not.
#[utoipa::path(post, path = "/v1/snapshots", request_body = CreateSnapshot,
    responses((status = 202, body = OperationView), (status = "4XX", body = Problem)))]
async fn create(
    State(app): State<App>,
    scope: Scope,
    By(by): By,
    Body(body): Body<CreateSnapshot>,
) -> Result<Response, ApiError> {
    let volume = app.engine.find_volume(&scope.project, &body.volume).await?;
    Ok(accepted(&app.engine.snapshot_volume(&volume, body.name, &by).await?))
}

/// Takes snapshots of all volumes of an instance at one instant.
#[utoipa::path(post, path = "/v1/instances/{instance}/snapshots",
    params(("instance" = String, description = "name or id")), request_body = SnapshotInstance,
    responses((status = 202, body = OperationView), (status = "4XX", body = Problem)))]
async fn create_of_instance(
    State(app): State<App>,
    scope: Scope,
    By(by): By,
    Path(reference): Path<String>,
    Body(body): Body<SnapshotInstance>,
) -> Result<Response, ApiError> {
    let instance = instance::find(&app, &scope, &reference).await?;
    Ok(accepted(
        &app.engine.snapshot_instance(&instance, &body.name, &by).await?,
    ))
}

/// Shows a snapshot.
#[utoipa::path(get, path = "/v1/snapshots/{snapshot}", params(("snapshot" = String, description = "name or id")),
    responses((status = 200, body = SnapshotView), (status = "4XX", body = Problem)))]
async fn show(
    State(app): State<App>,
    scope: Scope,
    Path(reference): Path<String>,
) -> Result<Json<SnapshotView>, ApiError> {
    let snapshot = app.engine.find_snapshot(&scope.project, &reference).await?;
    Ok(Json(views::snapshot(&snapshot)))
}

/// Deletes a snapshot. What was made from it, and the snapshots before and after it, stay whole.
#[utoipa::path(delete, path = "/v1/snapshots/{snapshot}", params(("snapshot" = String, description = "name or id")),
    responses((status = 204), (status = "4XX", body = Problem)))]
async fn delete(State(app): State<App>, scope: Scope, Path(reference): Path<String>) -> Result<StatusCode, ApiError> {
    let snapshot = app.engine.find_snapshot(&scope.project, &reference).await?;
    app.engine.delete_snapshot(&snapshot).await?;
    Ok(StatusCode::NO_CONTENT)
}
