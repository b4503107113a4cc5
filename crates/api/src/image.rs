//! `/v1/images`.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use berth_api_types::{GivenLabels, ImageListQuery, ImageSettings, ImageView, OperationView, Page, Problem, PullImage};
use berth_engine::{ImageFilter, ImageRecord, NewImage};
use berth_model::{Code, ImageProperties, Mirror, OsFamily, Sort, Visibility};
use futures::TryStreamExt as _;
use tokio_util::io::{ReaderStream, StreamReader, SyncIoBridge};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::{Caller, Scope};
use crate::extract::{Body, By, LabelledQuery, Query};
use crate::extract_list::{list_by, page_of, word};
use crate::instance::accepted;
use crate::label::LabelsOf;
use crate::problem::ApiError;
use crate::{App, views};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, import))
        .routes(routes!(pull))
        .routes(routes!(export))
        .routes(routes!(show, change, delete))
}

/// Lists images, oldest first.
#[utoipa::path(get, path = "/v1/images", params(ImageListQuery),
    responses((status = 200, body = Page<ImageView>), (status = "4XX", body = Problem)))]
async fn list(
    State(app): State<App>,
    scope: Scope,
    Query(query): Query<ImageListQuery>,
) -> Result<Json<Page<ImageView>>, ApiError> {
    let by = list_by(&query, Sort::OLDEST)?;
    let filter = ImageFilter {
        visibility: word(
            "visibility",
            query.visibility.as_deref(),
            Visibility::ALL,
            Visibility::as_str,
        )?,
        os: word("os", query.os.as_deref(), OsFamily::ALL, OsFamily::as_str)?,
    };
    let listed = app.engine.list_images(&scope.project, filter, &by).await?;
    let labels = LabelsOf::read(&app, listed.items.iter().map(|image| image.id)).await?;
    Ok(Json(page_of(listed, |image| views::image(image, &labels))))
}

async fn shown(app: &App, image: &ImageRecord) -> Result<Json<ImageView>, ApiError> {
    let labels = LabelsOf::read(app, [image.id]).await?;
    Ok(Json(views::image(image, &labels)))
}

/// Imports an image: the body is the file, qcow2, raw, vmdk, vdi, vhd or vhdx.
#[utoipa::path(post, path = "/v1/images", params(ImageSettings, GivenLabels),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 201, body = ImageView), (status = "4XX", body = Problem)))]
async fn import(
    State(app): State<App>,
    scope: Scope,
    caller: Caller,
    LabelledQuery(settings, labels): LabelledQuery<ImageSettings>,
    headers: HeaderMap,
    body: axum::body::Body,
) -> Result<(StatusCode, Json<ImageView>), ApiError> {
    let length = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    let bytes = body.into_data_stream().map_err(std::io::Error::other);
    let reader = SyncIoBridge::new(StreamReader::new(bytes));
    let name = settings.name.clone();
    let mut new = NewImage {
        name: name.ok_or_else(|| ApiError::invalid("name", "an image needs one"))?,
        visibility: settings.visibility.unwrap_or_default(),
        properties: ImageProperties::default(),
        labels,
    };
    settings.apply(&mut new.properties);
    may_make(&caller, new.visibility)?;
    let image = app
        .engine
        .import_image(&scope.project, new, Box::new(reader), length)
        .await?;
    Ok((StatusCode::CREATED, shown(&app, &image).await?))
}

/// Has the daemon fetch an image: from the catalog by name, or from an address. It goes on where it was left if the
/// connection, or the daemon, breaks off.
#[utoipa::path(post, path = "/v1/images/pull", request_body = PullImage,
    responses((status = 202, body = OperationView), (status = "4XX", body = Problem)))]
async fn pull(
    State(app): State<App>,
    scope: Scope,
    caller: Caller,
    By(by): By,
    Body(body): Body<PullImage>,
) -> Result<Response, ApiError> {
    let (pull, mut properties, name) = match (&body.catalog, body.url) {
        (Some(entry), None) => {
            let given = body.mirror.as_deref().map(str::parse).transpose();
            let given: Option<Mirror> = given.map_err(|error| ApiError::invalid("mirror", error))?;
            let settings = app.engine.settings();
            let mirror = given.as_ref().or(settings.image_mirror.as_ref());
            let found = settings.catalog.pull(entry, mirror);
            let found = found.map_err(|error| ApiError::new(Code::NotFound, error, Some("catalog")))?;
            let pull = berth_engine::PullImage {
                url: found.image.to_string(),
                checksums: body
                    .checksum
                    .is_none()
                    .then(|| (found.checksums.to_string(), found.file)),
                checksum: body.checksum,
            };
            (pull, found.properties, Some(entry.clone()))
        }
        (None, Some(url)) => {
            let pull = berth_engine::PullImage {
                url,
                checksum: body.checksum,
                checksums: None,
            };
            (pull, ImageProperties::default(), None)
        }
        (Some(_), Some(_)) | (None, None) => {
            let message = "an image is fetched from either an address or the catalog";
            return Err(ApiError::invalid("url", message));
        }
    };
    let name = match (body.settings.name.clone(), name) {
        (Some(name), _) => name,
        (None, Some(name)) => name.parse().map_err(|error| ApiError::invalid("name", error))?,
        (None, None) => return Err(ApiError::invalid("name", "an image needs one")),
    };
    let visibility = body.settings.visibility.unwrap_or_default();
    may_make(&caller, visibility)?;
    body.settings.apply(&mut properties);
    let new = NewImage {
        name,
        visibility,
        properties,
        labels: body.labels,
    };
    Ok(accepted(&app.engine.pull_image(&scope.project, new, pull, &by).await?))
}

/// The file of an image: qcow2, with all that it needs in itself.
#[utoipa::path(get, path = "/v1/images/{image}/file", params(("image" = String, description = "name or id")),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"), (status = "4XX", body = Problem)))]
async fn export(State(app): State<App>, scope: Scope, Path(reference): Path<String>) -> Result<Response, ApiError> {
    let image = app.engine.find_image(&scope.project, &reference).await?;
    let file = tokio::fs::File::from_std(app.engine.export_image(image.id).await?);
    let body = axum::body::Body::from_stream(ReaderStream::with_capacity(file, EXPORTED_AT_ONCE));
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, image.file_size.to_string()),
    ];
    Ok((headers, body).into_response())
}

/// How much of a file is read at a time, in bytes.
const EXPORTED_AT_ONCE: usize = 1 << 20;

/// Shows an image.
#[utoipa::path(get, path = "/v1/images/{image}", params(("image" = String, description = "name or id")),
    responses((status = 200, body = ImageView), (status = "4XX", body = Problem)))]
async fn show(
    State(app): State<App>,
    scope: Scope,
    Path(reference): Path<String>,
) -> Result<Json<ImageView>, ApiError> {
    shown(&app, &app.engine.find_image(&scope.project, &reference).await?).await
}

/// Changes the name, the visibility, properties or labels of an image: only what is given. What shapes the domain reaches the
/// instances made of it when they are next switched on.
#[utoipa::path(patch, path = "/v1/images/{image}", params(("image" = String, description = "name or id")),
    request_body = ImageSettings,
    responses((status = 200, body = ImageView), (status = "4XX", body = Problem)))]
async fn change(
    State(app): State<App>,
    scope: Scope,
    caller: Caller,
    Path(reference): Path<String>,
    Body(settings): Body<ImageSettings>,
) -> Result<Json<ImageView>, ApiError> {
    let image = app.engine.find_image(&scope.project, &reference).await?;
    may_change(&caller, &scope, &image)?;
    may_make(&caller, settings.visibility.unwrap_or_default())?;
    let labels = settings.labels.clone();
    let change = |image: &mut ImageRecord| {
        if let Some(name) = &settings.name {
            image.name = name.clone();
        }
        image.visibility = settings.visibility.unwrap_or(image.visibility);
        settings.apply(&mut image.properties);
    };
    let image = app.engine.change_image(image.id, change, &labels).await?;
    shown(&app, &image).await
}

/// Deletes an image that no volume is built on.
#[utoipa::path(delete, path = "/v1/images/{image}", params(("image" = String, description = "name or id")),
    responses((status = 204), (status = "4XX", body = Problem)))]
async fn delete(
    State(app): State<App>,
    scope: Scope,
    caller: Caller,
    Path(reference): Path<String>,
) -> Result<StatusCode, ApiError> {
    let image = app.engine.find_image(&scope.project, &reference).await?;
    may_change(&caller, &scope, &image)?;
    app.engine.delete_image(image.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Refuses a default image from anybody but the operator: it is every project's.
fn may_make(caller: &Caller, visibility: Visibility) -> Result<(), ApiError> {
    match visibility {
        Visibility::Default => caller.must_be_operator("make an image a default one"),
        Visibility::Private => Ok(()),
    }
}

/// Refuses what is done to an image that isn't the project's own: default images are the operator's.
fn may_change(caller: &Caller, scope: &Scope, image: &ImageRecord) -> Result<(), ApiError> {
    if image.visibility == Visibility::Default || image.project != scope.project {
        return caller.must_be_operator("change or delete a default image");
    }
    Ok(())
}
