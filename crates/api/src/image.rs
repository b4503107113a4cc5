//! `/v1/images`.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use berth_api_types::{ImageListQuery, ImageSettings, ImageView, Page, PageQuery, Problem};
use berth_engine::{DEFAULT_PROJECT, NewImage};
use berth_model::ImageProperties;
use futures::TryStreamExt as _;
use tokio_util::io::{StreamReader, SyncIoBridge};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::extract::{Body, Query, page, paged};
use crate::problem::ApiError;
use crate::{App, views};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, import))
        .routes(routes!(show, change, delete))
}

/// Lists images, oldest first.
#[utoipa::path(get, path = "/v1/images", params(ImageListQuery), responses((status = 200, body = Page<ImageView>)))]
async fn list(State(app): State<App>, Query(query): Query<ImageListQuery>) -> Result<Json<Page<ImageView>>, ApiError> {
    let (limit, after) = (query.limit, query.after);
    let page = page(&PageQuery { limit, after })?;
    let limit = page.limit;
    let images = app.engine.list_images(DEFAULT_PROJECT, query.visibility, page).await?;
    let items = images.iter().map(views::image).collect();
    Ok(Json(paged(items, limit, |image: &ImageView| image.id.to_string())))
}

/// Imports an image: the body is the file, qcow2 or raw.
#[utoipa::path(post, path = "/v1/images", params(ImageSettings),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 201, body = ImageView), (status = "4XX", body = Problem)))]
async fn import(
    State(app): State<App>,
    Query(settings): Query<ImageSettings>,
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
    };
    settings.apply(&mut new.properties);
    let image = app
        .engine
        .import_image(DEFAULT_PROJECT, new, Box::new(reader), length)
        .await?;
    Ok((StatusCode::CREATED, Json(views::image(&image))))
}

/// Shows an image.
#[utoipa::path(get, path = "/v1/images/{image}", params(("image" = String, description = "name or id")),
    responses((status = 200, body = ImageView), (status = "4XX", body = Problem)))]
async fn show(State(app): State<App>, Path(reference): Path<String>) -> Result<Json<ImageView>, ApiError> {
    Ok(Json(views::image(
        &app.engine.find_image(DEFAULT_PROJECT, &reference).await?,
    )))
}

/// Changes the name, the visibility or properties of an image: only what is given. What shapes the domain reaches the
/// instances made of it when they are next switched on.
#[utoipa::path(patch, path = "/v1/images/{image}", params(("image" = String, description = "name or id")),
    request_body = ImageSettings,
    responses((status = 200, body = ImageView), (status = "4XX", body = Problem)))]
async fn change(
    State(app): State<App>,
    Path(reference): Path<String>,
    Body(settings): Body<ImageSettings>,
) -> Result<Json<ImageView>, ApiError> {
    let image = app.engine.find_image(DEFAULT_PROJECT, &reference).await?;
    let change = |image: &mut berth_engine::ImageRecord| {
        if let Some(name) = &settings.name {
            image.name = name.clone();
        }
        image.visibility = settings.visibility.unwrap_or(image.visibility);
        settings.apply(&mut image.properties);
    };
    let image = app.engine.change_image(image.id, change).await?;
    Ok(Json(views::image(&image)))
}

/// Deletes an image that no volume is built on.
#[utoipa::path(delete, path = "/v1/images/{image}", params(("image" = String, description = "name or id")),
    responses((status = 204), (status = "4XX", body = Problem)))]
async fn delete(State(app): State<App>, Path(reference): Path<String>) -> Result<StatusCode, ApiError> {
    let image = app.engine.find_image(DEFAULT_PROJECT, &reference).await?;
    app.engine.delete_image(image.id).await?;
    Ok(StatusCode::NO_CONTENT)
}
