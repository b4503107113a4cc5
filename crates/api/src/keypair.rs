//! `/v1/keypairs`.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use berth_api_types::{CreateKeyPair, CreatedKeyPair, KeyPairView, Page, PageQuery, Problem};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::{Caller, Scope};
use crate::extract::{Body, Query, page, paged};
use crate::problem::ApiError;
use crate::{App, views};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show, delete))
}

/// Lists key pairs, oldest first.
#[utoipa::path(get, path = "/v1/keypairs", params(PageQuery), responses((status = 200, body = Page<KeyPairView>)))]
async fn list(
    State(app): State<App>,
    scope: Scope,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<KeyPairView>>, ApiError> {
    let page = page(&query)?;
    let limit = page.limit;
    let keys = app.engine.list_keypairs(&scope.project, page).await?;
    let items = keys.iter().map(views::keypair).collect();
    Ok(Json(paged(items, limit, |key: &KeyPairView| key.id.to_string())))
}

/// Imports a public key, or makes a pair and shows its private half this once.
#[utoipa::path(post, path = "/v1/keypairs", request_body = CreateKeyPair,
    responses((status = 201, body = CreatedKeyPair), (status = "4XX", body = Problem)))]
async fn create(
    State(app): State<App>,
    scope: Scope,
    caller: Caller,
    Body(body): Body<CreateKeyPair>,
) -> Result<(StatusCode, Json<CreatedKeyPair>), ApiError> {
    let made = app
        .engine
        .create_keypair(&scope.project, body.name, body.public_key.as_deref(), &caller.user)
        .await?;
    let created = CreatedKeyPair {
        key_pair: views::keypair(&made.record),
        private_key: made.private_key,
    };
    Ok((StatusCode::CREATED, Json(created)))
}

/// Shows a key pair's public half.
#[utoipa::path(get, path = "/v1/keypairs/{keypair}", params(("keypair" = String, description = "name or id")),
    responses((status = 200, body = KeyPairView), (status = "4XX", body = Problem)))]
async fn show(
    State(app): State<App>,
    scope: Scope,
    Path(reference): Path<String>,
) -> Result<Json<KeyPairView>, ApiError> {
    Ok(Json(views::keypair(
        &app.engine.find_keypair(&scope.project, &reference).await?,
    )))
}

/// Forgets a key pair. Instances that have it keep it.
#[utoipa::path(delete, path = "/v1/keypairs/{keypair}", params(("keypair" = String, description = "name or id")),
    responses((status = 204), (status = "4XX", body = Problem)))]
async fn delete(
    State(app): State<App>,
    scope: Scope,
    caller: Caller,
    Path(reference): Path<String>,
) -> Result<StatusCode, ApiError> {
    let key = app.engine.find_keypair(&scope.project, &reference).await?;
    app.engine.delete_keypair(key.id, &caller.user).await?;
    Ok(StatusCode::NO_CONTENT)
}
