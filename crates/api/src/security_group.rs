//! `/v1/security-groups`.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use berth_api_types::{
    ChangeSecurityGroup, CreateRule, CreateSecurityGroup, Page, Problem, RuleView, SecurityGroupQuery,
    SecurityGroupView,
};
use berth_engine::{GroupDetail, GroupRecord, RuleRecord};
use berth_model::{Direction, Protocol, Remote, Rule, RuleId, Sort};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::App;
use crate::auth::Scope;
use crate::extract::{Body, Query, described};
use crate::extract_list::{list_by, page_of, vpc};
use crate::label::LabelsOf;
use crate::problem::ApiError;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show, change, delete))
        .routes(routes!(add_rule))
        .routes(routes!(remove_rule))
}

fn view(detail: &GroupDetail, labels: &LabelsOf) -> SecurityGroupView {
    let group = &detail.group;
    SecurityGroupView {
        id: group.id,
        name: group.name.clone(),
        vpc: group.vpc,
        vpc_name: detail.vpc.name.clone(),
        description: group.description.clone(),
        default: group.default,
        rules: group.rules.iter().map(|rule| rule_view(rule, detail)).collect(),
        ports: detail.ports,
        labels: labels.of(&group.id),
        created_at: group.created_at,
    }
}

fn rule_view(record: &RuleRecord, detail: &GroupDetail) -> RuleView {
    let (cidr, group) = match record.rule.remote {
        Remote::Cidr(cidr) => (Some(cidr), None),
        Remote::Group(id) => (None, Some(id)),
    };
    let named = detail.vpc.groups.iter().find(|known| Some(known.id) == group);
    RuleView {
        id: record.id,
        direction: record.rule.direction,
        protocol: record.rule.protocol,
        ports: record.rule.ports,
        cidr,
        group,
        group_name: named.map(|named| named.name.clone()),
    }
}

async fn find(app: &App, scope: &Scope, reference: &str) -> Result<GroupRecord, ApiError> {
    Ok(app.engine.find_group(&scope.project, reference, None).await?)
}

/// Lists security groups, oldest first.
#[utoipa::path(get, path = "/v1/security-groups", params(SecurityGroupQuery),
    responses((status = 200, body = Page<SecurityGroupView>), (status = "4XX", body = Problem)))]
async fn list(
    State(app): State<App>,
    scope: Scope,
    Query(query): Query<SecurityGroupQuery>,
) -> Result<Json<Page<SecurityGroupView>>, ApiError> {
    let by = list_by(&query, Sort::OLDEST)?;
    let vpc = vpc(&app, &scope, query.vpc.as_deref()).await?;
    let listed = app.engine.list_groups(&scope.project, vpc, &by).await?;
    let labels = LabelsOf::read(&app, listed.items.iter().map(|detail| detail.group.id)).await?;
    Ok(Json(page_of(listed, |detail| view(detail, &labels))))
}

async fn shown(app: &App, group: GroupRecord) -> Result<Json<SecurityGroupView>, ApiError> {
    let labels = LabelsOf::read(app, [group.id]).await?;
    Ok(Json(view(&app.engine.describe_group(group).await?, &labels)))
}

/// Makes a security group with one rule: everything out.
#[utoipa::path(post, path = "/v1/security-groups", request_body = CreateSecurityGroup,
    responses((status = 201, body = SecurityGroupView), (status = "4XX", body = Problem)))]
async fn create(
    State(app): State<App>,
    scope: Scope,
    Body(body): Body<CreateSecurityGroup>,
) -> Result<(StatusCode, Json<SecurityGroupView>), ApiError> {
    let named = (body.name, described(body.description)?.unwrap_or_default());
    let group = app
        .engine
        .create_group(&scope.project, body.vpc.as_deref(), named, body.labels)
        .await?;
    Ok((StatusCode::CREATED, shown(&app, group).await?))
}

/// Shows a security group with its rules.
#[utoipa::path(get, path = "/v1/security-groups/{group}", params(("group" = String, description = "name, VPC/NAME or id")),
    responses((status = 200, body = SecurityGroupView), (status = "4XX", body = Problem)))]
async fn show(
    State(app): State<App>,
    scope: Scope,
    Path(reference): Path<String>,
) -> Result<Json<SecurityGroupView>, ApiError> {
    let group = find(&app, &scope, &reference).await?;
    shown(&app, group).await
}

/// Changes what is given of a security group: its name, its description, its labels.
#[utoipa::path(patch, path = "/v1/security-groups/{group}",
    params(("group" = String, description = "name, VPC/NAME or id")), request_body = ChangeSecurityGroup,
    responses((status = 200, body = SecurityGroupView), (status = "4XX", body = Problem)))]
async fn change(
    State(app): State<App>,
    scope: Scope,
    Path(reference): Path<String>,
    Body(body): Body<ChangeSecurityGroup>,
) -> Result<Json<SecurityGroupView>, ApiError> {
    let group = find(&app, &scope, &reference).await?;
    let description = described(body.description)?;
    let changed = app
        .engine
        .change_group(group.id, body.name, description, &body.labels)
        .await?;
    shown(&app, changed).await
}

/// Deletes a security group that no port is in and no rule of another one names.
#[utoipa::path(delete, path = "/v1/security-groups/{group}",
    params(("group" = String, description = "name, VPC/NAME or id")),
    responses((status = 204), (status = "4XX", body = Problem)))]
async fn delete(State(app): State<App>, scope: Scope, Path(reference): Path<String>) -> Result<StatusCode, ApiError> {
    let group = find(&app, &scope, &reference).await?;
    app.engine.delete_group(group.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Adds a rule to a security group. It is in force for every port of the group when this is answered.
#[utoipa::path(post, path = "/v1/security-groups/{group}/rules",
    params(("group" = String, description = "name, VPC/NAME or id")), request_body = CreateRule,
    responses((status = 201, body = RuleView), (status = "4XX", body = Problem)))]
async fn add_rule(
    State(app): State<App>,
    scope: Scope,
    Path(reference): Path<String>,
    Body(body): Body<CreateRule>,
) -> Result<(StatusCode, Json<RuleView>), ApiError> {
    let group = find(&app, &scope, &reference).await?;
    let remote = match (body.cidr, &body.group) {
        (Some(cidr), None) => Remote::Cidr(cidr),
        (None, Some(named)) => {
            let named = app.engine.find_group(&scope.project, named, Some(group.vpc)).await?;
            Remote::Group(named.id)
        }
        (None, None) => Remote::ANYWHERE,
        (Some(_), Some(_)) => {
            return Err(ApiError::invalid("cidr", "the far end is either a network or a group"));
        }
    };
    let rule = Rule {
        direction: body.direction.unwrap_or(Direction::Ingress),
        protocol: body.protocol.unwrap_or(Protocol::Tcp),
        ports: body.ports,
        remote,
    };
    let (group, id) = app.engine.add_rule(group.id, rule).await?;
    let detail = app.engine.describe_group(group).await?;
    let added = RuleRecord { id, rule };
    Ok((StatusCode::CREATED, Json(rule_view(&added, &detail))))
}

/// Takes a rule from a security group. Flows that only it allowed have ended when this is answered.
#[utoipa::path(delete, path = "/v1/security-groups/{group}/rules/{rule}",
    params(("group" = String, description = "name, VPC/NAME or id"), ("rule" = String, description = "id")),
    responses((status = 204), (status = "4XX", body = Problem)))]
async fn remove_rule(
    State(app): State<App>,
    scope: Scope,
    Path((reference, rule)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let group = find(&app, &scope, &reference).await?;
    let rule: RuleId = rule.parse().map_err(|error| ApiError::invalid("rule", error))?;
    app.engine.remove_rule(group.id, rule).await?;
    Ok(StatusCode::NO_CONTENT)
}
