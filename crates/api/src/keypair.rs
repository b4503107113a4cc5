//! `/v1/keypairs`.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use berth_api_types::{ChangeLabels, CreateKeyPair, CreatedKeyPair, KeyPairView, NamedQuery, Page, Problem};
use berth_engine::{KeyPairRecord, Labelled};
use berth_model::Sort;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::{Caller, Scope};
use crate::extract::{Body, Query};
use crate::extract_list::{list_by, page_of};
use crate::label::LabelsOf;
use crate::problem::ApiError;
use crate::{App, label, views};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show, change, delete))
}

/// Lists key pairs, oldest first.
#[utoipa::path(get, path = "/v1/keypairs", params(NamedQuery),
    responses((status = 200, body = Page<KeyPairView>), (status = "4XX", body = Problem)))]
async fn list(
    State(app): State<App>,
    scope: Scope,
    Query(query): Query<NamedQuery>,
) -> Result<Json<Page<KeyPairView>>, ApiError> {
    let by = list_by(&query, Sort::OLDEST)?;
    let listed = app.engine.list_keypairs(&scope.project, &by).await?;
    let labels = LabelsOf::read(&app, listed.items.iter().map(|key| key.id)).await?;
    Ok(Json(page_of(listed, |key| views::keypair(key, &labels))))
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
        .create_keypair(
            &scope.project,
            body.name,
            body.public_key.as_deref(),
            (&caller.user, &body.labels),
        )
        .await?;
    let labels = LabelsOf::read(&app, [made.record.id]).await?;
    let created = CreatedKeyPair {
        key_pair: views::keypair(&made.record, &labels),
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
    shown(&app, &app.engine.find_keypair(&scope.project, &reference).await?).await
}

/// Changes the labels of a key pair.
#[utoipa::path(patch, path = "/v1/keypairs/{keypair}", params(("keypair" = String, description = "name or id")),
    request_body = ChangeLabels, responses((status = 200, body = KeyPairView), (status = "4XX", body = Problem)))]
async fn change(
    State(app): State<App>,
    scope: Scope,
    Path(reference): Path<String>,
    Body(body): Body<ChangeLabels>,
) -> Result<Json<KeyPairView>, ApiError> {
    let key = app.engine.find_keypair(&scope.project, &reference).await?;
    label::change(&app, Labelled::KeyPair(key.id), &body.labels).await?;
    shown(&app, &key).await
}

async fn shown(app: &App, key: &KeyPairRecord) -> Result<Json<KeyPairView>, ApiError> {
    let labels = LabelsOf::read(app, [key.id]).await?;
    Ok(Json(views::keypair(key, &labels)))
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
