//! `/v1/projects`, and the members of one.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use berth_api_types::schema;
use berth_api_types::{
    ChangeProject, CreateProject, MemberView, NamedQuery, Page, PageQuery, Problem, ProjectView, SetMember,
};
use berth_engine::{MemberRecord, ProjectRecord};
use berth_model::{Power, Role, Sort, User};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::App;
use crate::auth::{Caller, Scope};
use crate::extract::{Body, Query, described, page, paged};
use crate::extract_list::{list_by, page_of};
use crate::label::LabelsOf;
use crate::problem::ApiError;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show, change, delete))
        .routes(routes!(members))
        .routes(routes!(set_member, remove_member))
}

fn view(project: &ProjectRecord, role: Option<Role>, labels: &LabelsOf) -> ProjectView {
    ProjectView {
        name: project.name.clone(),
        description: project.description.clone(),
        role,
        labels: labels.of(&project.name),
        created_at: project.created_at,
    }
}

fn member_view(member: &MemberRecord) -> MemberView {
    MemberView {
        project: member.project.clone(),
        user: member.user.clone(),
        role: member.role,
        created_at: member.created_at,
    }
}

/// The role that a scope gives.
fn role(scope: &Scope) -> Option<Role> {
    match scope.power {
        Power::In(role) => Some(role),
        Power::Nobody | Power::Outsider | Power::Operator => None,
    }
}

/// Lists the projects that you are in, by name if no other order is asked for; for the operator all of them.
#[utoipa::path(get, path = "/v1/projects", params(NamedQuery),
    responses((status = 200, body = Page<ProjectView>), (status = "4XX", body = Problem)))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<NamedQuery>,
) -> Result<Json<Page<ProjectView>>, ApiError> {
    let by = list_by(&query, Sort::NAME)?;
    let roles = app.engine.memberships(&caller.user).await?;
    let limits = caller.limits();
    // A token's project is all there is for it, while its user is in it.
    let member = (!caller.operator || limits.is_some()).then_some(&caller.user);
    let only = limits.map(|(only, _)| only.as_str());
    let listed = app.engine.list_projects(member, only, &by).await?;
    let role_in = |project: &ProjectRecord| {
        let found = roles.iter().find(|member| member.project == project.name.as_str())?;
        Some(caller.limits().map_or(found.role, |(_, most)| found.role.min(*most)))
    };
    let labels = LabelsOf::read(&app, listed.items.iter().map(|project| &project.name)).await?;
    Ok(Json(page_of(listed, |project| {
        view(project, role_in(project), &labels)
    })))
}

async fn shown(app: &App, project: &ProjectRecord, role: Option<Role>) -> Result<Json<ProjectView>, ApiError> {
    let labels = LabelsOf::read(app, [&project.name]).await?;
    Ok(Json(view(project, role, &labels)))
}

/// Makes a project.
#[utoipa::path(post, path = "/v1/projects", request_body = CreateProject,
    responses((status = 201, body = ProjectView), (status = "4XX", body = Problem)))]
async fn create(
    State(app): State<App>,
    Body(body): Body<CreateProject>,
) -> Result<(StatusCode, Json<ProjectView>), ApiError> {
    let description = described(body.description)?.unwrap_or_default();
    let project = app
        .engine
        .create_project(&body.name, &description, &body.labels)
        .await?;
    Ok((StatusCode::CREATED, shown(&app, &project, None).await?))
}

/// Shows a project that you are in.
#[utoipa::path(get, path = "/v1/projects/{project}", params(("project" = String, description = "name")),
    responses((status = 200, body = ProjectView), (status = "4XX", body = Problem)))]
async fn show(State(app): State<App>, scope: Scope) -> Result<Json<ProjectView>, ApiError> {
    let project = app.engine.find_project(&scope.project).await?;
    shown(&app, &project, role(&scope)).await
}

/// Says anew what a project is for, or changes its labels.
#[utoipa::path(patch, path = "/v1/projects/{project}", params(("project" = String, description = "name")),
    request_body = ChangeProject, responses((status = 200, body = ProjectView), (status = "4XX", body = Problem)))]
async fn change(
    State(app): State<App>,
    Path(name): Path<String>,
    Body(body): Body<ChangeProject>,
) -> Result<Json<ProjectView>, ApiError> {
    let description = described(body.description)?;
    let project = app
        .engine
        .change_project(&name, description.as_deref(), &body.labels)
        .await?;
    shown(&app, &project, None).await
}

/// Deletes a project that has nothing left but its default network, its members, their key pairs and tokens.
#[utoipa::path(delete, path = "/v1/projects/{project}", params(("project" = String, description = "name")),
    responses((status = 204), (status = "4XX", body = Problem)))]
async fn delete(State(app): State<App>, Path(name): Path<String>) -> Result<StatusCode, ApiError> {
    app.engine.delete_project(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists the members of a project, by name.
#[utoipa::path(get, path = "/v1/projects/{project}/members",
    params(("project" = String, description = "name"), PageQuery),
    responses((status = 200, body = Page<MemberView>), (status = "4XX", body = Problem)))]
async fn members(
    State(app): State<App>,
    scope: Scope,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<MemberView>>, ApiError> {
    let page = page::<User>(&query)?;
    let limit = page.limit;
    let members = app.engine.list_members(&scope.project, page).await?;
    let items = members.iter().map(member_view).collect();
    Ok(Json(paged(items, limit, |member: &MemberView| member.user.to_string())))
}

/// Makes a user a member of a project, or gives a member another role. The user need not have been here before.
#[utoipa::path(put, path = "/v1/projects/{project}/members/{user}",
    params(("project" = String, description = "name"), ("user" = schema::User, description = "name")),
    request_body = SetMember, responses((status = 200, body = MemberView), (status = "4XX", body = Problem)))]
async fn set_member(
    State(app): State<App>,
    scope: Scope,
    Path(path): Path<(String, String)>,
    Body(body): Body<SetMember>,
) -> Result<Json<MemberView>, ApiError> {
    let user: User = path.1.parse().map_err(|error| ApiError::invalid("user", error))?;
    let member = app.engine.set_member(&scope.project, &user, body.role).await?;
    Ok(Json(member_view(&member)))
}

/// Takes a member from a project. The user's tokens are worth nothing there from then on.
#[utoipa::path(delete, path = "/v1/projects/{project}/members/{user}",
    params(("project" = String, description = "name"), ("user" = schema::User, description = "name")),
    responses((status = 204), (status = "4XX", body = Problem)))]
async fn remove_member(
    State(app): State<App>,
    scope: Scope,
    Path(path): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let user: User = path.1.parse().map_err(|error| ApiError::invalid("user", error))?;
    app.engine.remove_member(&scope.project, &user).await?;
    Ok(StatusCode::NO_CONTENT)
}
