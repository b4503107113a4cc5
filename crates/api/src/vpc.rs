//! `/v1/vpcs`.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use berth_api_types::{ChangeVpc, CreateVpc, Page, PageQuery, Problem, VpcView};
use berth_engine::VpcDetail;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::Scope;
use crate::extract::{Body, Query, page, paged};
use crate::problem::ApiError;
use crate::{App, subnet};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show, change, delete))
}

/// A VPC as it is shown.
fn view(detail: &VpcDetail) -> VpcView {
    VpcView {
        id: detail.vpc.id,
        name: detail.vpc.name.clone(),
        project: detail.vpc.project.clone(),
        subnets: detail.subnets.iter().map(subnet::view).collect(),
        created_at: detail.vpc.created_at,
    }
}

/// Lists VPCs, oldest first.
#[utoipa::path(get, path = "/v1/vpcs", params(PageQuery), responses((status = 200, body = Page<VpcView>)))]
async fn list(
    State(app): State<App>,
    scope: Scope,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<VpcView>>, ApiError> {
    let page = page(&query)?;
    let limit = page.limit;
    let details = app.engine.list_vpcs(&scope.project, page).await?;
    let items = details.iter().map(view).collect();
    Ok(Json(paged(items, limit, |vpc: &VpcView| vpc.id.to_string())))
}

/// Makes a VPC: a private network that knows nothing of the others. It has a security group `default` and no subnet yet.
#[utoipa::path(post, path = "/v1/vpcs", request_body = CreateVpc,
    responses((status = 201, body = VpcView), (status = "4XX", body = Problem)))]
async fn create(
    State(app): State<App>,
    scope: Scope,
    Body(body): Body<CreateVpc>,
) -> Result<(StatusCode, Json<VpcView>), ApiError> {
    let vpc = app.engine.create_vpc(&scope.project, &body.name).await?;
    Ok((StatusCode::CREATED, Json(view(&app.engine.describe_vpc(vpc).await?))))
}

/// Shows a VPC with its subnets.
#[utoipa::path(get, path = "/v1/vpcs/{vpc}", params(("vpc" = String, description = "name or id")),
    responses((status = 200, body = VpcView), (status = "4XX", body = Problem)))]
async fn show(State(app): State<App>, scope: Scope, Path(reference): Path<String>) -> Result<Json<VpcView>, ApiError> {
    let vpc = app.engine.find_vpc(&scope.project, Some(&reference)).await?;
    Ok(Json(view(&app.engine.describe_vpc(vpc).await?)))
}

/// Gives a VPC another name.
#[utoipa::path(patch, path = "/v1/vpcs/{vpc}", params(("vpc" = String, description = "name or id")),
    request_body = ChangeVpc, responses((status = 200, body = VpcView), (status = "4XX", body = Problem)))]
async fn change(
    State(app): State<App>,
    scope: Scope,
    Path(reference): Path<String>,
    Body(body): Body<ChangeVpc>,
) -> Result<Json<VpcView>, ApiError> {
    let vpc = app.engine.find_vpc(&scope.project, Some(&reference)).await?;
    app.engine.rename_vpc(vpc.id, &body.name).await?;
    let renamed = berth_engine::VpcRecord { name: body.name, ..vpc };
    Ok(Json(view(&app.engine.describe_vpc(renamed).await?)))
}

/// Deletes a VPC that has no subnet, with its security groups.
#[utoipa::path(delete, path = "/v1/vpcs/{vpc}", params(("vpc" = String, description = "name or id")),
    responses((status = 204), (status = "4XX", body = Problem)))]
async fn delete(State(app): State<App>, scope: Scope, Path(reference): Path<String>) -> Result<StatusCode, ApiError> {
    let vpc = app.engine.find_vpc(&scope.project, Some(&reference)).await?;
    app.engine.delete_vpc(vpc.id).await?;
    Ok(StatusCode::NO_CONTENT)
}
