//! `/v1/instances`.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use berth_api_types::{
    ChangeLabels, CreateInstances, Created, InstanceQuery, InstanceView, NicOfInstance, OperationView, Page, Problem,
    PublicIpOfInstance, RebootInstance, StopInstance, VolumeOfInstance,
};
use berth_engine::{
    InstanceFilter, InstanceRecord, Labelled, NewOrExisting, StopRequest, WantedNic, WantedPublicIp, WantedVolume,
};
use berth_model::{InstanceState, Kind, Need, Policy, Reach, Sort};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::audit::Begun;
use crate::auth::{Caller, Right, Scope};
use crate::extract::{Body, By, MaybeBody, Query};
use crate::extract_list::{known, list_by, page_of, word};
use crate::label::LabelsOf;
use crate::problem::ApiError;
use crate::{App, label, stream, views};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show, change, delete))
        .routes(routes!(start))
        .routes(routes!(stop))
        .routes(routes!(reboot))
        .routes(routes!(console))
        .routes(routes!(console_log))
        .routes(routes!(tcp))
}

/// Lists instances, oldest first.
#[utoipa::path(get, path = "/v1/instances", params(InstanceQuery),
    responses((status = 200, body = Page<InstanceView>), (status = "4XX", body = Problem)))]
async fn list(
    State(app): State<App>,
    scope: Scope,
    Query(query): Query<InstanceQuery>,
) -> Result<Json<Page<InstanceView>>, ApiError> {
    let by = list_by(&query, Sort::OLDEST)?;
    let state = word(
        "state",
        query.state.as_deref(),
        InstanceState::ALL,
        InstanceState::as_str,
    )?;
    let settings = app.engine.settings();
    let types: Vec<_> = settings.types.iter().map(|known| known.name.as_str()).collect();
    let instance_type = known("type", query.r#type, &types)?;
    let image = match &query.image {
        Some(image) => Some(app.engine.find_image(&scope.project, image).await?.id),
        None => None,
    };
    let filter = InstanceFilter {
        state,
        instance_type,
        image,
    };
    let listed = app.engine.list_instances(&scope.project, &filter, &by).await?;
    let labels = LabelsOf::read(&app, listed.items.iter().map(|detail| detail.instance.id)).await?;
    Ok(Json(page_of(listed, |detail| views::instance(detail, &labels))))
}

/// Accepts new instances: all of them or none.
#[utoipa::path(post, path = "/v1/instances", request_body = CreateInstances,
    responses((status = 202, body = Created), (status = "4XX", body = Problem)))]
async fn create(
    State(app): State<App>,
    scope: Scope,
    By(by): By,
    Body(body): Body<CreateInstances>,
) -> Result<Response, ApiError> {
    let user_data = match &body.user_data {
        Some(text) => Some(
            STANDARD
                .decode(text)
                .map_err(|error| ApiError::invalid("user_data", error))?,
        ),
        None => None,
    };
    if body.public_ip.is_some() {
        scope.must_manage(Kind::PublicIps)?;
    }
    let request = berth_engine::CreateInstances {
        name: body.name,
        image: body.image,
        instance_type: body.instance_type,
        count: body.count.unwrap_or(1),
        key: body.key,
        user_data,
        policy: Policy {
            on_crash: body.on_crash.unwrap_or_default(),
            on_boot: body.on_boot.unwrap_or_default(),
        },
        root_size: body.root_size,
        keep_root: body.keep_root,
        volumes: body.volumes.into_iter().map(wanted).collect::<Result<_, _>>()?,
        nics: body.nics.into_iter().map(wanted_nic).collect::<Result<_, _>>()?,
        groups: body.security_groups,
        public_ip: body.public_ip.map(wanted_public_ip).transpose()?,
        labels: body.labels,
    };
    let operations = app.engine.create_instances(&scope.project, request, &by).await?;
    let created = Created {
        operations: operations.iter().map(views::operation).collect(),
    };
    let ids: Vec<_> = operations.iter().map(|operation| operation.id).collect();
    Ok(Begun::note(&ids, (StatusCode::ACCEPTED, Json(created)).into_response()))
}

fn wanted_nic(nic: NicOfInstance) -> Result<WantedNic, ApiError> {
    match (nic.port, nic.subnet, nic.address) {
        (Some(port), None, None) => Ok(WantedNic::Port(port)),
        (None, subnet, address) => Ok(WantedNic::New { subnet, address }),
        (Some(_), _, _) => {
            let message = "a port that is there has its subnet and address: give it alone";
            Err(ApiError::invalid("nics", message))
        }
    }
}

fn wanted_public_ip(wanted: PublicIpOfInstance) -> Result<WantedPublicIp, ApiError> {
    let PublicIpOfInstance { address, pool } = wanted;
    if address.is_some() && pool.is_some() {
        let message = "a static one is given by its address alone, an ephemeral one by its pool or by nothing";
        return Err(ApiError::invalid("public_ip", message));
    }
    Ok(WantedPublicIp { address, pool })
}

/// Shows an instance.
#[utoipa::path(get, path = "/v1/instances/{instance}", params(("instance" = String, description = "name or id")),
    responses((status = 200, body = InstanceView), (status = "4XX", body = Problem)))]
async fn show(
    State(app): State<App>,
    scope: Scope,
    Path(reference): Path<String>,
) -> Result<Json<InstanceView>, ApiError> {
    shown(&app, find(&app, &scope, &reference).await?).await
}

/// Changes the labels of an instance; all else that is changed of it is an action.
#[utoipa::path(patch, path = "/v1/instances/{instance}", params(("instance" = String, description = "name or id")),
    request_body = ChangeLabels, responses((status = 200, body = InstanceView), (status = "4XX", body = Problem)))]
async fn change(
    State(app): State<App>,
    scope: Scope,
    Path(reference): Path<String>,
    Body(body): Body<ChangeLabels>,
) -> Result<Json<InstanceView>, ApiError> {
    let instance = find(&app, &scope, &reference).await?;
    label::change(&app, Labelled::Instance(instance.id), &body.labels).await?;
    shown(&app, instance).await
}

async fn shown(app: &App, instance: InstanceRecord) -> Result<Json<InstanceView>, ApiError> {
    let labels = LabelsOf::read(app, [instance.id]).await?;
    let detail = app.engine.describe_instance(instance).await?;
    Ok(Json(views::instance(&detail, &labels)))
}

/// Deletes an instance, from any state; cancels the operation in flight.
#[utoipa::path(delete, path = "/v1/instances/{instance}", params(("instance" = String, description = "name or id")),
    responses((status = 202, body = OperationView), (status = "4XX", body = Problem)))]
async fn delete(
    State(app): State<App>,
    scope: Scope,
    By(by): By,
    Path(reference): Path<String>,
) -> Result<Response, ApiError> {
    let instance = find(&app, &scope, &reference).await?;
    Ok(accepted(&app.engine.delete_instance(instance.id, &by).await?))
}

/// Switches an instance on.
#[utoipa::path(post, path = "/v1/instances/{instance}/actions/start", params(("instance" = String, description = "name or id")),
    responses((status = 202, body = OperationView), (status = "4XX", body = Problem)))]
async fn start(
    State(app): State<App>,
    scope: Scope,
    By(by): By,
    Path(reference): Path<String>,
) -> Result<Response, ApiError> {
    let instance = find(&app, &scope, &reference).await?;
    Ok(accepted(&app.engine.start_instance(instance.id, &by).await?))
}

/// Shuts an instance down: the power button, then the plug.
#[utoipa::path(post, path = "/v1/instances/{instance}/actions/stop", params(("instance" = String, description = "name or id")),
    request_body = StopInstance, responses((status = 202, body = OperationView), (status = "4XX", body = Problem)))]
async fn stop(
    State(app): State<App>,
    scope: Scope,
    By(by): By,
    Path(reference): Path<String>,
    MaybeBody(body): MaybeBody<StopInstance>,
) -> Result<Response, ApiError> {
    let instance = find(&app, &scope, &reference).await?;
    let grace_seconds = if body.force { Some(0) } else { body.timeout_seconds };
    Ok(accepted(
        &app.engine
            .stop_instance(instance.id, StopRequest { grace_seconds }, &by)
            .await?,
    ))
}

/// Reboots an instance.
#[utoipa::path(post, path = "/v1/instances/{instance}/actions/reboot", params(("instance" = String, description = "name or id")),
    request_body = RebootInstance, responses((status = 202, body = OperationView), (status = "4XX", body = Problem)))]
async fn reboot(
    State(app): State<App>,
    scope: Scope,
    By(by): By,
    Path(reference): Path<String>,
    MaybeBody(body): MaybeBody<RebootInstance>,
) -> Result<Response, ApiError> {
    let instance = find(&app, &scope, &reference).await?;
    Ok(accepted(
        &app.engine.reboot_instance(instance.id, body.hard, &by).await?,
    ))
}

/// Turns the connection into the guest's serial console.
#[utoipa::path(get, path = "/v1/instances/{instance}/console", params(("instance" = String, description = "name or id")),
    responses((status = 101, description = "raw bytes from here on"), (status = "4XX", body = Problem)))]
async fn console(
    State(app): State<App>,
    scope: Scope,
    caller: Caller,
    Path(reference): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let instance = find(&app, &scope, &reference).await?;
    stream::upgrade(request, right(&app, caller, &scope), app.engine.console(&instance)).await
}

/// How many lines of the console log are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Lines {
    /// The last so many lines; all that are kept if not given.
    #[param(maximum = 4_294_967_295_u32)]
    lines: Option<u32>,
}

/// What the guest wrote to its serial console.
#[utoipa::path(get, path = "/v1/instances/{instance}/console/log",
    params(("instance" = String, description = "name or id"), Lines),
    responses((status = 200, body = String, content_type = "text/plain"), (status = "4XX", body = Problem)))]
async fn console_log(
    State(app): State<App>,
    scope: Scope,
    Path(reference): Path<String>,
    Query(query): Query<Lines>,
) -> Result<Response, ApiError> {
    let instance = find(&app, &scope, &reference).await?;
    let text = app
        .engine
        .console_log(&instance, query.lines.map_or(usize::MAX, |lines| lines as usize))
        .await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}

/// Turns the connection into a TCP connection to a port of the guest, made from within its VPC.
#[utoipa::path(get, path = "/v1/instances/{instance}/tcp/{port}",
    params(("instance" = String, description = "name or id"), ("port" = u16, description = "1 to 65535")),
    responses((status = 101, description = "raw bytes from here on"), (status = "4XX", body = Problem)))]
async fn tcp(
    State(app): State<App>,
    scope: Scope,
    caller: Caller,
    Path((reference, port)): Path<(String, String)>,
    request: Request,
) -> Result<Response, ApiError> {
    let wrong = || ApiError::invalid("port", format!("'{port}' is not a port between 1 and 65535"));
    let port = port.parse().ok().filter(|port| *port > 0).ok_or_else(wrong)?;
    let instance = find(&app, &scope, &reference).await?;
    stream::upgrade(
        request,
        right(&app, caller, &scope),
        app.engine.connect(&instance, port),
    )
    .await
}

/// For what the connections of a guest's console and ports are let through.
fn right(app: &App, caller: Caller, scope: &Scope) -> Right {
    Right::new(app, caller, scope, Need::Project(Kind::Instances, Reach::Manage))
}

fn wanted(volume: VolumeOfInstance) -> Result<WantedVolume, ApiError> {
    Ok(WantedVolume {
        volume: match (volume.size, volume.volume) {
            (Some(size), None) => NewOrExisting::New(size),
            (None, Some(reference)) => NewOrExisting::Existing(reference),
            (Some(_), Some(_)) | (None, None) => {
                let message = "each volume has either a size, for a new one, or the name or id of one that is there";
                return Err(ApiError::invalid("volumes", message));
            }
        },
        delete_on_termination: volume.delete_on_termination,
    })
}

pub(crate) async fn find(app: &App, scope: &Scope, reference: &str) -> Result<InstanceRecord, ApiError> {
    Ok(app.engine.find_instance(&scope.project, reference).await?)
}

pub(crate) fn accepted(operation: &berth_engine::OperationRecord) -> Response {
    let response = (StatusCode::ACCEPTED, Json(views::operation(operation))).into_response();
    Begun::note(&[operation.id], response)
}
