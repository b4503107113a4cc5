//! `/v1/public-ips`, `/v1/public-ip-pools`.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use berth_api_types::{
    AllocatePublicIp, AttachPublicIp, ChangeLabels, GivePublicIp, Page, Problem, PublicIpPoolView, PublicIpQuery,
    PublicIpView,
};
use berth_engine::{Labelled, PoolDetail, PortRecord, PublicIpDetail, PublicIpFilter, PublicIpRecord};
use berth_model::PublicIpKind;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::Scope;
use crate::extract::{Body, MaybeBody, Query};
use crate::extract_list::{known, nameless_by, page_of, word};
use crate::label::LabelsOf;
use crate::problem::ApiError;
use crate::{App, label};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, allocate))
        .routes(routes!(show, change, release))
        .routes(routes!(attach))
        .routes(routes!(detach))
        .routes(routes!(give_instance))
        .routes(routes!(pools))
}

fn view(detail: &PublicIpDetail, labels: &LabelsOf) -> PublicIpView {
    let public = &detail.public;
    PublicIpView {
        id: public.id,
        address: public.address,
        project: public.project.clone(),
        pool: public.pool.clone(),
        kind: public.kind,
        port: public.port,
        instance: detail.instance.as_ref().map(|(id, _)| *id),
        instance_name: detail.instance.as_ref().map(|(_, name)| name.clone()),
        private_address: detail.port.as_ref().map(|port| port.address),
        labels: labels.of(&public.id),
        created_at: public.created_at,
    }
}

fn pool_view(detail: &PoolDetail) -> PublicIpPoolView {
    PublicIpPoolView {
        name: detail.pool.name.clone(),
        interface: detail.pool.interface.clone(),
        ranges: detail.pool.ranges.iter().map(ToString::to_string).collect(),
        addresses: detail.addresses,
        free: detail.free,
    }
}

async fn find(app: &App, scope: &Scope, reference: &str) -> Result<PublicIpRecord, ApiError> {
    Ok(app.engine.find_public_ip(&scope.project, reference).await?)
}

async fn shown(app: &App, public: PublicIpRecord) -> Result<Json<PublicIpView>, ApiError> {
    let labels = LabelsOf::read(app, [public.id]).await?;
    Ok(Json(view(&app.engine.describe_public_ip(public).await?, &labels)))
}

/// Gives a port an ephemeral public IP.
pub(crate) async fn give(
    app: &App,
    port: &PortRecord,
    GivePublicIp { pool, labels }: GivePublicIp,
) -> Result<(StatusCode, Json<PublicIpView>), ApiError> {
    let public = app.engine.give_public_ip(port, pool.as_deref(), labels).await?;
    Ok((StatusCode::CREATED, shown(app, public).await?))
}

/// Lists public IPs, oldest first.
#[utoipa::path(get, path = "/v1/public-ips", params(PublicIpQuery),
    responses((status = 200, body = Page<PublicIpView>), (status = "4XX", body = Problem)))]
async fn list(
    State(app): State<App>,
    scope: Scope,
    Query(query): Query<PublicIpQuery>,
) -> Result<Json<Page<PublicIpView>>, ApiError> {
    let by = nameless_by(&query)?;
    let settings = app.engine.settings();
    let pools: Vec<_> = settings.pools.iter().map(|pool| pool.name.as_str()).collect();
    let filter = PublicIpFilter {
        kind: word("kind", query.kind.as_deref(), PublicIpKind::ALL, PublicIpKind::as_str)?,
        attached: query.attached,
        pool: known("pool", query.pool, &pools)?,
    };
    let listed = app.engine.list_public_ips(&scope.project, &filter, &by).await?;
    let labels = LabelsOf::read(&app, listed.items.iter().map(|detail| detail.public.id)).await?;
    Ok(Json(page_of(listed, |detail| view(detail, &labels))))
}

/// Allocates a static public IP, which the project has until it is released.
#[utoipa::path(post, path = "/v1/public-ips", request_body = AllocatePublicIp,
    responses((status = 201, body = PublicIpView), (status = "4XX", body = Problem)))]
async fn allocate(
    State(app): State<App>,
    scope: Scope,
    MaybeBody(body): MaybeBody<AllocatePublicIp>,
) -> Result<(StatusCode, Json<PublicIpView>), ApiError> {
    let public = app
        .engine
        .allocate_public_ip(&scope.project, body.pool.as_deref(), body.address, &body.labels)
        .await?;
    Ok((StatusCode::CREATED, shown(&app, public).await?))
}

/// Shows a public IP.
#[utoipa::path(get, path = "/v1/public-ips/{address}", params(("address" = String, description = "address or id")),
    responses((status = 200, body = PublicIpView), (status = "4XX", body = Problem)))]
async fn show(
    State(app): State<App>,
    scope: Scope,
    Path(reference): Path<String>,
) -> Result<Json<PublicIpView>, ApiError> {
    shown(&app, find(&app, &scope, &reference).await?).await
}

/// Changes the labels of a public IP.
#[utoipa::path(patch, path = "/v1/public-ips/{address}", params(("address" = String, description = "address or id")),
    request_body = ChangeLabels, responses((status = 200, body = PublicIpView), (status = "4XX", body = Problem)))]
async fn change(
    State(app): State<App>,
    scope: Scope,
    Path(reference): Path<String>,
    Body(body): Body<ChangeLabels>,
) -> Result<Json<PublicIpView>, ApiError> {
    let public = find(&app, &scope, &reference).await?;
    label::change(&app, Labelled::PublicIp(public.id), &body.labels).await?;
    shown(&app, public).await
}

/// Gives a static public IP that no port has back to its pool.
#[utoipa::path(delete, path = "/v1/public-ips/{address}", params(("address" = String, description = "address or id")),
    responses((status = 204), (status = "4XX", body = Problem)))]
async fn release(State(app): State<App>, scope: Scope, Path(reference): Path<String>) -> Result<StatusCode, ApiError> {
    let public = find(&app, &scope, &reference).await?;
    app.engine.release_public_ip(public.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Attaches a static public IP to a port, or to the primary port of an instance. In force when this is answered.
#[utoipa::path(post, path = "/v1/public-ips/{address}/actions/attach",
    params(("address" = String, description = "address or id")), request_body = AttachPublicIp,
    responses((status = 200, body = PublicIpView), (status = "4XX", body = Problem)))]
async fn attach(
    State(app): State<App>,
    scope: Scope,
    Path(reference): Path<String>,
    Body(body): Body<AttachPublicIp>,
) -> Result<Json<PublicIpView>, ApiError> {
    let public = find(&app, &scope, &reference).await?;
    let port = match (&body.instance, &body.port) {
        (Some(instance), None) => {
            let instance = app.engine.find_instance(&scope.project, instance).await?;
            app.engine.primary_port(&instance).await?
        }
        (None, Some(port)) => app.engine.find_port(&scope.project, port).await?,
        (Some(_), Some(_)) | (None, None) => {
            let message = "it is attached to either an instance or a port";
            return Err(ApiError::invalid("instance", message));
        }
    };
    let public = app.engine.attach_public_ip(public.id, &port, body.take).await?;
    shown(&app, public).await
}

/// Takes a public IP from its port; an ephemeral one is back in its pool. Out of force when this is answered.
#[utoipa::path(post, path = "/v1/public-ips/{address}/actions/detach",
    params(("address" = String, description = "address or id")),
    responses((status = 200, body = PublicIpView), (status = "4XX", body = Problem)))]
async fn detach(
    State(app): State<App>,
    scope: Scope,
    Path(reference): Path<String>,
) -> Result<Json<PublicIpView>, ApiError> {
    let public = find(&app, &scope, &reference).await?;
    let mut detached = app.engine.detach_public_ip(&public).await?;
    detached.port = None;
    shown(&app, detached).await
}

/// Gives the primary port of an instance an ephemeral public IP.
#[utoipa::path(post, path = "/v1/instances/{instance}/public-ip",
    params(("instance" = String, description = "name or id")), request_body = GivePublicIp,
    responses((status = 201, body = PublicIpView), (status = "4XX", body = Problem)))]
async fn give_instance(
    State(app): State<App>,
    scope: Scope,
    Path(reference): Path<String>,
    MaybeBody(body): MaybeBody<GivePublicIp>,
) -> Result<(StatusCode, Json<PublicIpView>), ApiError> {
    let instance = app.engine.find_instance(&scope.project, &reference).await?;
    let port = app.engine.primary_port(&instance).await?;
    give(&app, &port, body).await
}

/// Lists the pools of public IPs, with how much of each is free.
#[utoipa::path(get, path = "/v1/public-ip-pools", responses((status = 200, body = Vec<PublicIpPoolView>)))]
async fn pools(State(app): State<App>) -> Result<Json<Vec<PublicIpPoolView>>, ApiError> {
    let pools = app.engine.public_ip_pools().await?;
    Ok(Json(pools.iter().map(pool_view).collect()))
}
