//! `/v1/subnets`.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use berth_api_types::{ChangeSubnet, CreateSubnet, Page, Problem, SubnetQuery, SubnetView};
use berth_engine::{SubnetDetail, SubnetRecord};
use berth_model::{Sort, SubnetId};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::App;
use crate::auth::Scope;
use crate::extract::{Body, Query};
use crate::extract_list::{list_by, page_of, vpc};
use crate::label::LabelsOf;
use crate::problem::ApiError;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show, change, delete))
}

/// A subnet as it is shown.
pub(crate) fn view(detail: &SubnetDetail, labels: &LabelsOf) -> SubnetView {
    let subnet = &detail.subnet;
    SubnetView {
        id: subnet.id,
        name: subnet.name.clone(),
        vpc: subnet.vpc,
        vpc_name: detail.vpc_name.clone(),
        cidr: subnet.cidr,
        gateway: subnet.gateway,
        nat: subnet.nat,
        dns: subnet.dns.clone(),
        ntp: subnet.ntp.clone(),
        addresses: detail.addresses,
        addresses_free: detail.addresses_free,
        labels: labels.of(&subnet.id),
        created_at: subnet.created_at,
    }
}

async fn find(app: &App, scope: &Scope, reference: &str) -> Result<SubnetRecord, ApiError> {
    Ok(app.engine.find_subnet(&scope.project, reference, None).await?)
}

/// Lists subnets, oldest first.
#[utoipa::path(get, path = "/v1/subnets", params(SubnetQuery),
    responses((status = 200, body = Page<SubnetView>), (status = "4XX", body = Problem)))]
async fn list(
    State(app): State<App>,
    scope: Scope,
    Query(query): Query<SubnetQuery>,
) -> Result<Json<Page<SubnetView>>, ApiError> {
    let by = list_by(&query, Sort::OLDEST)?;
    let vpc = vpc(&app, &scope, query.vpc.as_deref()).await?;
    let listed = app.engine.list_subnets(&scope.project, vpc, &by).await?;
    let labels = LabelsOf::read(&app, listed.items.iter().map(|detail| detail.subnet.id)).await?;
    Ok(Json(page_of(listed, |detail| view(detail, &labels))))
}

async fn shown(app: &App, id: SubnetId) -> Result<Json<SubnetView>, ApiError> {
    let labels = LabelsOf::read(app, [id]).await?;
    Ok(Json(view(&app.engine.describe_subnet(id).await?, &labels)))
}

/// Makes a subnet: a /16 to a /28 that overlaps no other one of its VPC. Its first address is its gateway's.
#[utoipa::path(post, path = "/v1/subnets", request_body = CreateSubnet,
    responses((status = 201, body = SubnetView), (status = "4XX", body = Problem)))]
async fn create(
    State(app): State<App>,
    scope: Scope,
    Body(body): Body<CreateSubnet>,
) -> Result<(StatusCode, Json<SubnetView>), ApiError> {
    let new = berth_engine::CreateSubnet {
        name: body.name,
        vpc: body.vpc,
        cidr: body.cidr,
        nat: body.nat.unwrap_or(true),
        dns: body.dns,
        ntp: body.ntp,
        labels: body.labels,
    };
    let subnet = app.engine.create_subnet(&scope.project, new).await?;
    Ok((StatusCode::CREATED, shown(&app, subnet.id).await?))
}

/// Shows a subnet.
#[utoipa::path(get, path = "/v1/subnets/{subnet}", params(("subnet" = String, description = "name, VPC/NAME or id")),
    responses((status = 200, body = SubnetView), (status = "4XX", body = Problem)))]
async fn show(
    State(app): State<App>,
    scope: Scope,
    Path(reference): Path<String>,
) -> Result<Json<SubnetView>, ApiError> {
    let subnet = find(&app, &scope, &reference).await?;
    shown(&app, subnet.id).await
}

/// Changes what is given of a subnet. Guests hear of other servers when they renew their leases.
#[utoipa::path(patch, path = "/v1/subnets/{subnet}", params(("subnet" = String, description = "name, VPC/NAME or id")),
    request_body = ChangeSubnet, responses((status = 200, body = SubnetView), (status = "4XX", body = Problem)))]
async fn change(
    State(app): State<App>,
    scope: Scope,
    Path(reference): Path<String>,
    Body(body): Body<ChangeSubnet>,
) -> Result<Json<SubnetView>, ApiError> {
    let subnet = find(&app, &scope, &reference).await?;
    let change = berth_engine::ChangeSubnet {
        name: body.name,
        dns: body.dns,
        ntp: body.ntp,
        nat: body.nat,
        labels: body.labels,
    };
    app.engine.change_subnet(subnet.id, change).await?;
    shown(&app, subnet.id).await
}

/// Deletes a subnet that no port is on.
#[utoipa::path(delete, path = "/v1/subnets/{subnet}", params(("subnet" = String, description = "name, VPC/NAME or id")),
    responses((status = 204), (status = "4XX", body = Problem)))]
async fn delete(State(app): State<App>, scope: Scope, Path(reference): Path<String>) -> Result<StatusCode, ApiError> {
    let subnet = find(&app, &scope, &reference).await?;
    app.engine.delete_subnet(&subnet).await?;
    Ok(StatusCode::NO_CONTENT)
}
