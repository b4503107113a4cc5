//! `/v1/snapshots`.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use berth_api_types::{
    ChangeLabels, CreateSnapshot, OperationView, Page, Problem, SnapshotInstance, SnapshotQuery, SnapshotView,
};
use berth_engine::{Labelled, SnapshotFilter, SnapshotRecord};
use berth_model::Sort;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::Scope;
use crate::extract::{Body, By, Query};
use crate::extract_list::{list_by, page_of};
use crate::instance::accepted;
use crate::label::LabelsOf;
use crate::problem::ApiError;
use crate::{App, instance, label, views};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show, change, delete))
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
    let by = list_by(&query, Sort::OLDEST)?;
    let volume = match query.volume {
        // An id is taken as it is: the snapshots of a volume that is gone are still there.
        Some(reference) => match reference.parse() {
            Ok(id) => Some(id),
            Err(_) => Some(app.engine.find_volume(&scope.project, &reference).await?.id),
        },
        None => None,
    };
    let ready = query.ready;
    let filter = SnapshotFilter { volume, ready };
    let listed = app.engine.list_snapshots(&scope.project, filter, &by).await?;
    let labels = LabelsOf::read(&app, listed.items.iter().map(|snapshot| snapshot.id)).await?;
    Ok(Json(page_of(listed, |snapshot| views::snapshot(snapshot, &labels))))
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
    let new = (body.name, &body.labels);
    Ok(accepted(&app.engine.snapshot_volume(&volume, new, &by).await?))
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
    let new = (&body.name, &body.labels);
    Ok(accepted(&app.engine.snapshot_instance(&instance, new, &by).await?))
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
    shown(&app, &snapshot).await
}

/// Changes the labels of a snapshot.
#[utoipa::path(patch, path = "/v1/snapshots/{snapshot}", params(("snapshot" = String, description = "name or id")),
    request_body = ChangeLabels, responses((status = 200, body = SnapshotView), (status = "4XX", body = Problem)))]
async fn change(
    State(app): State<App>,
    scope: Scope,
    Path(reference): Path<String>,
    Body(body): Body<ChangeLabels>,
) -> Result<Json<SnapshotView>, ApiError> {
    let snapshot = app.engine.find_snapshot(&scope.project, &reference).await?;
    label::change(&app, Labelled::Snapshot(snapshot.id), &body.labels).await?;
    shown(&app, &snapshot).await
}

async fn shown(app: &App, snapshot: &SnapshotRecord) -> Result<Json<SnapshotView>, ApiError> {
    let labels = LabelsOf::read(app, [snapshot.id]).await?;
    Ok(Json(views::snapshot(snapshot, &labels)))
}

/// Deletes a snapshot. What was made from it, and the snapshots before and after it, stay whole.
#[utoipa::path(delete, path = "/v1/snapshots/{snapshot}", params(("snapshot" = String, description = "name or id")),
    responses((status = 204), (status = "4XX", body = Problem)))]
async fn delete(State(app): State<App>, scope: Scope, Path(reference): Path<String>) -> Result<StatusCode, ApiError> {
    let snapshot = app.engine.find_snapshot(&scope.project, &reference).await?;
    app.engine.delete_snapshot(&snapshot).await?;
    Ok(StatusCode::NO_CONTENT)
}
