//! `/v1/ports`.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use berth_api_types::{
    AttachPort, ChangePort, CountersView, CreatePort, GivePublicIp, Page, PortQuery, PortView, Problem, PublicIpView,
};
use berth_engine::{Counters, PortChange, PortDetail, PortFilter, PortRecord};
use berth_model::{PortState, Sort};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::Scope;
use crate::extract::{Body, MaybeBody, Query};
use crate::extract_list::{instance, list_by, page_of, vpc, word};
use crate::label::LabelsOf;
use crate::problem::ApiError;
use crate::{App, public_ip};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show, change, delete))
        .routes(routes!(attach))
        .routes(routes!(detach))
        .routes(routes!(give_public_ip))
}

fn view(detail: &PortDetail, labels: &LabelsOf) -> PortView {
    let port = &detail.port;
    PortView {
        id: port.id,
        name: port.name.clone(),
        state: port.state.to_string(),
        vpc: port.vpc,
        subnet: port.subnet,
        subnet_name: detail.subnet.clone(),
        mac: port.mac,
        address: port.address,
        hostname: detail.hostname.clone(),
        instance: port.instance,
        instance_name: detail.instance.clone(),
        primary: port.instance.is_some() && port.slot == 0,
        security_groups: detail.groups.clone(),
        address_pairs: port.pairs.clone(),
        public_ip: detail.public,
        delete_on_termination: port.delete_on_termination,
        counters: None,
        labels: labels.of(&port.id),
        created_at: port.created_at,
    }
}

pub(crate) fn counted(counters: Counters) -> CountersView {
    CountersView {
        rx_bytes: counters.rx_bytes,
        rx_packets: counters.rx_packets,
        rx_dropped: counters.rx_dropped,
        tx_bytes: counters.tx_bytes,
        tx_packets: counters.tx_packets,
        tx_dropped: counters.tx_dropped,
    }
}

async fn find(app: &App, scope: &Scope, reference: &str) -> Result<PortRecord, ApiError> {
    Ok(app.engine.find_port(&scope.project, reference).await?)
}

/// A port as it is now.
async fn now(app: &App, scope: &Scope, port: &PortRecord) -> Result<Json<PortView>, ApiError> {
    let port = find(app, scope, &port.id.to_string()).await?;
    let labels = LabelsOf::read(app, [port.id]).await?;
    Ok(Json(view(&app.engine.describe_port(port).await?, &labels)))
}

/// Lists ports, oldest first.
#[utoipa::path(get, path = "/v1/ports", params(PortQuery),
    responses((status = 200, body = Page<PortView>), (status = "4XX", body = Problem)))]
async fn list(
    State(app): State<App>,
    scope: Scope,
    Query(query): Query<PortQuery>,
) -> Result<Json<Page<PortView>>, ApiError> {
    let by = list_by(&query, Sort::OLDEST)?;
    let mut filter = PortFilter {
        state: word("state", query.state.as_deref(), PortState::ALL, PortState::as_str)?,
        instance: instance(&app, &scope, query.instance.as_deref()).await?,
        vpc: vpc(&app, &scope, query.vpc.as_deref()).await?,
        subnet: None,
    };
    if let Some(subnet) = &query.subnet {
        let found = app.engine.find_subnet(&scope.project, subnet, filter.vpc).await?;
        filter.subnet = Some(found.id);
    }
    let listed = app.engine.list_ports(&scope.project, filter, &by).await?;
    let labels = LabelsOf::read(&app, listed.items.iter().map(|detail| detail.port.id)).await?;
    Ok(Json(page_of(listed, |detail| view(detail, &labels))))
}

/// Makes a port that no instance has yet: its address and its MAC are kept for it.
#[utoipa::path(post, path = "/v1/ports", request_body = CreatePort,
    responses((status = 201, body = PortView), (status = "4XX", body = Problem)))]
async fn create(
    State(app): State<App>,
    scope: Scope,
    Body(body): Body<CreatePort>,
) -> Result<(StatusCode, Json<PortView>), ApiError> {
    let new = berth_engine::CreatePort {
        name: body.name,
        subnet: body.subnet,
        address: body.address,
        mac: body.mac,
        groups: body.security_groups,
        pairs: body.address_pairs,
        labels: body.labels,
    };
    let port = app.engine.create_port(&scope.project, new).await?;
    Ok((StatusCode::CREATED, now(&app, &scope, &port).await?))
}

/// Shows a port, with what its guest has sent and received.
#[utoipa::path(get, path = "/v1/ports/{port}", params(("port" = String, description = "name or id")),
    responses((status = 200, body = PortView), (status = "4XX", body = Problem)))]
async fn show(State(app): State<App>, scope: Scope, Path(reference): Path<String>) -> Result<Json<PortView>, ApiError> {
    let port = find(&app, &scope, &reference).await?;
    let counters = app.engine.port_counters(&port).await?;
    let labels = LabelsOf::read(&app, [port.id]).await?;
    let mut shown = view(&app.engine.describe_port(port).await?, &labels);
    shown.counters = counters.map(counted);
    Ok(Json(shown))
}

/// Changes what is given of a port. It is in force when this is answered.
#[utoipa::path(patch, path = "/v1/ports/{port}", params(("port" = String, description = "name or id")),
    request_body = ChangePort, responses((status = 200, body = PortView), (status = "4XX", body = Problem)))]
async fn change(
    State(app): State<App>,
    scope: Scope,
    Path(reference): Path<String>,
    Body(body): Body<ChangePort>,
) -> Result<Json<PortView>, ApiError> {
    let port = find(&app, &scope, &reference).await?;
    let change = PortChange {
        name: body.name,
        groups: body.security_groups,
        pairs: body.address_pairs,
        delete_on_termination: body.delete_on_termination,
        labels: body.labels,
    };
    app.engine.change_port(&port, change).await?;
    now(&app, &scope, &port).await
}

/// Deletes a port that no instance has. A static public IP of it is free.
#[utoipa::path(delete, path = "/v1/ports/{port}", params(("port" = String, description = "name or id")),
    responses((status = 204), (status = "4XX", body = Problem)))]
async fn delete(State(app): State<App>, scope: Scope, Path(reference): Path<String>) -> Result<StatusCode, ApiError> {
    let port = find(&app, &scope, &reference).await?;
    app.engine.delete_port(port.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Attaches a port to an instance that is Active, whose guest sees the NIC come, or Stopped. Answered once it is done.
#[utoipa::path(post, path = "/v1/ports/{port}/actions/attach", params(("port" = String, description = "name or id")),
    request_body = AttachPort, responses((status = 200, body = PortView), (status = "4XX", body = Problem)))]
async fn attach(
    State(app): State<App>,
    scope: Scope,
    Path(reference): Path<String>,
    Body(body): Body<AttachPort>,
) -> Result<Json<PortView>, ApiError> {
    let port = find(&app, &scope, &reference).await?;
    let instance = app.engine.find_instance(&scope.project, &body.instance).await?;
    app.engine
        .attach_port(&port, &instance, body.delete_on_termination)
        .await?;
    now(&app, &scope, &port).await
}

/// Nothing is said of how.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// Detaches a port once the guest lets go of the NIC; not the primary one. Answered once it is done.
#[utoipa::path(post, path = "/v1/ports/{port}/actions/detach", params(("port" = String, description = "name or id")),
    responses((status = 200, body = PortView), (status = "4XX", body = Problem)))]
async fn detach(
    State(app): State<App>,
    scope: Scope,
    Path(reference): Path<String>,
    MaybeBody(Nothing {}): MaybeBody<Nothing>,
) -> Result<Json<PortView>, ApiError> {
    let port = find(&app, &scope, &reference).await?;
    app.engine.detach_port(port.id).await?;
    now(&app, &scope, &port).await
}

/// Gives a port an ephemeral public IP. It goes back to its pool when the instance is stopped, shelved or deleted.
#[utoipa::path(post, path = "/v1/ports/{port}/public-ip", params(("port" = String, description = "name or id")),
    request_body = GivePublicIp, responses((status = 201, body = PublicIpView), (status = "4XX", body = Problem)))]
async fn give_public_ip(
    State(app): State<App>,
    scope: Scope,
    Path(reference): Path<String>,
    MaybeBody(body): MaybeBody<GivePublicIp>,
) -> Result<(StatusCode, Json<PublicIpView>), ApiError> {
    let port = find(&app, &scope, &reference).await?;
    public_ip::give(&app, &port, body).await
}
