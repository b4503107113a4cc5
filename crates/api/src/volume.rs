//! `/v1/volumes`, `/v1/volume-types`.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use berth_api_types::{
    AttachVolume, ChangeVolume, CreateVolume, DetachVolume, ExtendVolume, OperationView, Page, Problem, SaveVolume,
    VolumeQuery, VolumeTypeView, VolumeView,
};
use berth_engine::{VolumeFilter, VolumeFrom, VolumeRecord};
use berth_model::{Sort, VolumeState};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::Scope;
use crate::extract::{Body, By, MaybeBody, Query};
use crate::extract_list::{instance, known, list_by, page_of, word};
use crate::instance::accepted;
use crate::label::LabelsOf;
use crate::problem::ApiError;
use crate::{App, views};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show, change, delete))
        .routes(routes!(attach))
        .routes(routes!(detach))
        .routes(routes!(extend))
        .routes(routes!(save))
        .routes(routes!(types))
}

/// Lists volumes, oldest first; the root volumes of instances too.
#[utoipa::path(get, path = "/v1/volumes", params(VolumeQuery),
    responses((status = 200, body = Page<VolumeView>), (status = "4XX", body = Problem)))]
async fn list(
    State(app): State<App>,
    scope: Scope,
    Query(query): Query<VolumeQuery>,
) -> Result<Json<Page<VolumeView>>, ApiError> {
    let by = list_by(&query, Sort::OLDEST)?;
    let settings = app.engine.settings();
    let types: Vec<_> = settings.volume_types.iter().map(|known| known.name.as_str()).collect();
    let filter = VolumeFilter {
        state: word("state", query.state.as_deref(), VolumeState::ALL, VolumeState::as_str)?,
        volume_type: known("type", query.r#type, &types)?,
        instance: instance(&app, &scope, query.instance.as_deref()).await?,
    };
    let listed = app.engine.list_volumes(&scope.project, &filter, &by).await?;
    let labels = LabelsOf::read(&app, listed.items.iter().map(|volume| volume.id)).await?;
    Ok(Json(page_of(listed, |volume| views::volume(volume, &labels))))
}

/// Accepts a new volume: blank, or from an image, a snapshot or another volume.
#[utoipa::path(post, path = "/v1/volumes", request_body = CreateVolume,
    responses((status = 202, body = OperationView), (status = "4XX", body = Problem)))]
async fn create(
    State(app): State<App>,
    scope: Scope,
    By(by): By,
    Body(body): Body<CreateVolume>,
) -> Result<Response, ApiError> {
    let from = match (body.image, body.snapshot, body.volume) {
        (None, None, None) => VolumeFrom::Blank,
        (Some(image), None, None) => VolumeFrom::Image(image),
        (None, Some(snapshot), None) => VolumeFrom::Snapshot(snapshot),
        (None, None, Some(volume)) => VolumeFrom::Volume(volume),
        _ => {
            let message = "a volume is made from one of an image, a snapshot and a volume, or from nothing";
            return Err(ApiError::invalid("image", message));
        }
    };
    let request = berth_engine::CreateVolume {
        name: body.name.parse().map_err(|error| ApiError::invalid("name", error))?,
        size: body.size,
        from,
        volume_type: body.volume_type,
        labels: body.labels,
    };
    Ok(accepted(&app.engine.create_volume(&scope.project, request, &by).await?))
}

/// Shows a volume.
#[utoipa::path(get, path = "/v1/volumes/{volume}", params(("volume" = String, description = "name or id")),
    responses((status = 200, body = VolumeView), (status = "4XX", body = Problem)))]
async fn show(
    State(app): State<App>,
    scope: Scope,
    Path(reference): Path<String>,
) -> Result<Json<VolumeView>, ApiError> {
    shown(&app, &find(&app, &scope, &reference).await?).await
}

/// Changes what is given of a volume: its name, its labels, whether it goes with its instance.
#[utoipa::path(patch, path = "/v1/volumes/{volume}", params(("volume" = String, description = "name or id")),
    request_body = ChangeVolume, responses((status = 200, body = VolumeView), (status = "4XX", body = Problem)))]
async fn change(
    State(app): State<App>,
    scope: Scope,
    Path(reference): Path<String>,
    Body(body): Body<ChangeVolume>,
) -> Result<Json<VolumeView>, ApiError> {
    let volume = find(&app, &scope, &reference).await?;
    let change = berth_engine::ChangeVolume {
        name: body.name,
        delete_on_termination: body.delete_on_termination,
        labels: body.labels,
    };
    shown(&app, &app.engine.change_volume(volume.id, &change).await?).await
}

async fn shown(app: &App, volume: &VolumeRecord) -> Result<Json<VolumeView>, ApiError> {
    let labels = LabelsOf::read(app, [volume.id]).await?;
    Ok(Json(views::volume(volume, &labels)))
}

/// Deletes a volume that is attached to nothing and has no snapshots.
#[utoipa::path(delete, path = "/v1/volumes/{volume}", params(("volume" = String, description = "name or id")),
    responses((status = 202, body = OperationView), (status = "4XX", body = Problem)))]
async fn delete(
    State(app): State<App>,
    scope: Scope,
    By(by): By,
    Path(reference): Path<String>,
) -> Result<Response, ApiError> {
    let volume = find(&app, &scope, &reference).await?;
    Ok(accepted(&app.engine.delete_volume(&volume, &by).await?))
}

/// Attaches a volume to an instance that is Active, whose guest sees it come, or Stopped.
#[utoipa::path(post, path = "/v1/volumes/{volume}/actions/attach", params(("volume" = String, description = "name or id")),
    request_body = AttachVolume, responses((status = 202, body = OperationView), (status = "4XX", body = Problem)))]
async fn attach(
    State(app): State<App>,
    scope: Scope,
    By(by): By,
    Path(reference): Path<String>,
    Body(body): Body<AttachVolume>,
) -> Result<Response, ApiError> {
    let volume = find(&app, &scope, &reference).await?;
    let instance = app.engine.find_instance(&scope.project, &body.instance).await?;
    let asked = app
        .engine
        .attach_volume(&volume, &instance, body.delete_on_termination, &by);
    Ok(accepted(&asked.await?))
}

/// Detaches a volume once the guest lets go of it. One that doesn't in time keeps it.
#[utoipa::path(post, path = "/v1/volumes/{volume}/actions/detach", params(("volume" = String, description = "name or id")),
    request_body = DetachVolume, responses((status = 202, body = OperationView), (status = "4XX", body = Problem)))]
async fn detach(
    State(app): State<App>,
    scope: Scope,
    By(by): By,
    Path(reference): Path<String>,
    MaybeBody(body): MaybeBody<DetachVolume>,
) -> Result<Response, ApiError> {
    let volume = find(&app, &scope, &reference).await?;
    let asked = app.engine.detach_volume(&volume, body.timeout_seconds, &by);
    Ok(accepted(&asked.await?))
}

/// Makes a volume larger, also while a guest has it, which sees the new size.
#[utoipa::path(post, path = "/v1/volumes/{volume}/actions/extend", params(("volume" = String, description = "name or id")),
    request_body = ExtendVolume, responses((status = 202, body = OperationView), (status = "4XX", body = Problem)))]
async fn extend(
    State(app): State<App>,
    scope: Scope,
    By(by): By,
    Path(reference): Path<String>,
    Body(body): Body<ExtendVolume>,
) -> Result<Response, ApiError> {
    let volume = find(&app, &scope, &reference).await?;
    Ok(accepted(&app.engine.extend_volume(&volume, body.size, &by).await?))
}

/// Saves a volume as an image, as it is at that instant; whoever has it goes on.
#[utoipa::path(post, path = "/v1/volumes/{volume}/actions/save_as_image", params(("volume" = String, description = "name or id")),
    request_body = SaveVolume, responses((status = 202, body = OperationView), (status = "4XX", body = Problem)))]
async fn save(
    State(app): State<App>,
    scope: Scope,
    By(by): By,
    Path(reference): Path<String>,
    Body(body): Body<SaveVolume>,
) -> Result<Response, ApiError> {
    let volume = find(&app, &scope, &reference).await?;
    let new = (body.name, body.labels);
    Ok(accepted(&app.engine.save_volume(&volume, new, &by).await?))
}

/// Lists the catalog of volume types.
#[utoipa::path(get, path = "/v1/volume-types", responses((status = 200, body = Vec<VolumeTypeView>)))]
async fn types(State(app): State<App>) -> Json<Vec<VolumeTypeView>> {
    let view = |known: &berth_model::VolumeType| VolumeTypeView {
        name: known.name.clone(),
        iops: known.iops,
        mib_per_second: known.mib_per_second,
    };
    Json(app.engine.settings().volume_types.iter().map(view).collect())
}

async fn find(app: &App, scope: &Scope, reference: &str) -> Result<VolumeRecord, ApiError> {
    Ok(app.engine.find_volume(&scope.project, reference).await?)
}
