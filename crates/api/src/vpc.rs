//! `/v1/vpcs`.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use berth_api_types::{ChangeVpc, CreateVpc, NamedQuery, Page, Problem, VpcView};
use berth_engine::{VpcDetail, VpcRecord};
use berth_model::Sort;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::Scope;
use crate::extract::{Body, Query};
use crate::extract_list::{list_by, page_of};
use crate::label::LabelsOf;
use crate::problem::ApiError;
use crate::{App, subnet};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show, change, delete))
}

/// A VPC as it is shown.
fn view(detail: &VpcDetail, labels: &LabelsOf) -> VpcView {
    VpcView {
        id: detail.vpc.id,
        name: detail.vpc.name.clone(),
        project: detail.vpc.project.clone(),
        subnets: detail.subnets.iter().map(|one| subnet::view(one, labels)).collect(),
        labels: labels.of(&detail.vpc.id),
        created_at: detail.vpc.created_at,
    }
}

/// Lists VPCs, oldest first.
#[utoipa::path(get, path = "/v1/vpcs", params(NamedQuery),
    responses((status = 200, body = Page<VpcView>), (status = "4XX", body = Problem)))]
async fn list(
    State(app): State<App>,
    scope: Scope,
    Query(query): Query<NamedQuery>,
) -> Result<Json<Page<VpcView>>, ApiError> {
    let by = list_by(&query, Sort::OLDEST)?;
    let listed = app.engine.list_vpcs(&scope.project, &by).await?;
    let labels = labels_of(&app, &listed.items).await?;
    Ok(Json(page_of(listed, |detail| view(detail, &labels))))
}

/// The labels of VPCs and of their subnets.
async fn labels_of(app: &App, vpcs: &[VpcDetail]) -> Result<LabelsOf, ApiError> {
    let subnets = vpcs.iter().flat_map(|detail| &detail.subnets);
    let subnets = subnets.map(|detail| detail.subnet.id.to_string());
    LabelsOf::read(app, vpcs.iter().map(|detail| detail.vpc.id.to_string()).chain(subnets)).await
}

async fn shown(app: &App, vpc: VpcRecord) -> Result<Json<VpcView>, ApiError> {
    let detail = app.engine.describe_vpc(vpc).await?;
    let labels = labels_of(app, std::slice::from_ref(&detail)).await?;
    Ok(Json(view(&detail, &labels)))
}

/// Makes a VPC: a private network that knows nothing of the others. It has a security group `default` and no subnet yet.
#[utoipa::path(post, path = "/v1/vpcs", request_body = CreateVpc,
    responses((status = 201, body = VpcView), (status = "4XX", body = Problem)))]
async fn create(
    State(app): State<App>,
    scope: Scope,
    Body(body): Body<CreateVpc>,
) -> Result<(StatusCode, Json<VpcView>), ApiError> {
    let vpc = app.engine.create_vpc(&scope.project, &body.name, &body.labels).await?;
    Ok((StatusCode::CREATED, shown(&app, vpc).await?))
}

/// Shows a VPC with its subnets.
#[utoipa::path(get, path = "/v1/vpcs/{vpc}", params(("vpc" = String, description = "name or id")),
    responses((status = 200, body = VpcView), (status = "4XX", body = Problem)))]
async fn show(State(app): State<App>, scope: Scope, Path(reference): Path<String>) -> Result<Json<VpcView>, ApiError> {
    let vpc = app.engine.find_vpc(&scope.project, Some(&reference)).await?;
    shown(&app, vpc).await
}

/// Changes the name or the labels of a VPC.
#[utoipa::path(patch, path = "/v1/vpcs/{vpc}", params(("vpc" = String, description = "name or id")),
    request_body = ChangeVpc, responses((status = 200, body = VpcView), (status = "4XX", body = Problem)))]
async fn change(
    State(app): State<App>,
    scope: Scope,
    Path(reference): Path<String>,
    Body(body): Body<ChangeVpc>,
) -> Result<Json<VpcView>, ApiError> {
    let vpc = app.engine.find_vpc(&scope.project, Some(&reference)).await?;
    app.engine.change_vpc(vpc.id, body.name.as_ref(), &body.labels).await?;
    let name = body.name.unwrap_or(vpc.name);
    shown(&app, VpcRecord { name, ..vpc }).await
}

/// Deletes a VPC that has no subnet, with its security groups.
#[utoipa::path(delete, path = "/v1/vpcs/{vpc}", params(("vpc" = String, description = "name or id")),
    responses((status = 204), (status = "4XX", body = Problem)))]
async fn delete(State(app): State<App>, scope: Scope, Path(reference): Path<String>) -> Result<StatusCode, ApiError> {
    let vpc = app.engine.find_vpc(&scope.project, Some(&reference)).await?;
    app.engine.delete_vpc(vpc.id).await?;
    Ok(StatusCode::NO_CONTENT)
}
