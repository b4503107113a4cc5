//! `/v1/tokens`, `/v1/whoami`.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use berth_api_types::{CreateToken, CreatedToken, Page, PageQuery, Problem, RoleView, TokenView, WhoAmI};
use berth_engine::TokenRecord;
use berth_model::{Role, User};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::App;
use crate::auth::{Caller, implied_project};
use crate::extract::{Body, Query, page, paged};
use crate::problem::ApiError;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show, revoke))
        .routes(routes!(whoami))
}

fn view(token: &TokenRecord) -> TokenView {
    let (project, role) = token.scope.clone().unzip();
    TokenView {
        id: token.id,
        name: token.name.clone(),
        user: token.owner.clone(),
        operator: project.is_none(),
        project,
        role,
        created_at: token.created_at,
        expires_at: token.expires_at,
        last_used_at: token.last_used_at,
        revoked_at: token.revoked_at,
    }
}

/// Whose tokens a caller sees: one's own, or for the operator everybody's.
fn whose(caller: &Caller) -> Option<&User> {
    (!caller.operator).then_some(&caller.user)
}

/// Lists your tokens, oldest first; for the operator everybody's. The tokens themselves are shown nowhere.
#[utoipa::path(get, path = "/v1/tokens", params(PageQuery), responses((status = 200, body = Page<TokenView>)))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<TokenView>>, ApiError> {
    let page = page(&query)?;
    let limit = page.limit;
    let tokens = app.engine.list_tokens(whose(&caller), page).await?;
    let items = tokens.iter().map(view).collect();
    Ok(Json(paged(items, limit, |token: &TokenView| token.id.to_string())))
}

/// Makes a token, and shows it this once. It is worth what its user is in the project, up to the role it is made with;
/// a request that carries a token makes none.
#[utoipa::path(post, path = "/v1/tokens", request_body = CreateToken,
    responses((status = 201, body = CreatedToken), (status = "4XX", body = Problem)))]
async fn create(
    State(app): State<App>,
    caller: Caller,
    Body(body): Body<CreateToken>,
) -> Result<(StatusCode, Json<CreatedToken>), ApiError> {
    if caller.token().is_some() {
        return Err(ApiError::forbidden("a token makes no tokens: sign in by another way"));
    }
    let owner = body.user.clone().unwrap_or_else(|| caller.user.clone());
    if owner != caller.user {
        caller.must_be_operator("make a token for somebody else")?;
    }
    let new = berth_engine::CreateToken {
        scope: scope_of(&app, &caller, &owner, &body).await?,
        name: body.name,
        owner,
        ttl: body.ttl_seconds.map(Duration::from_secs),
    };
    let made = app.engine.create_token(new, &caller.user).await?;
    let created = CreatedToken {
        view: view(&made.record),
        token: made.token,
    };
    Ok((StatusCode::CREATED, Json(created)))
}

/// What a new token is to be good for.
async fn scope_of(
    app: &App,
    caller: &Caller,
    owner: &User,
    body: &CreateToken,
) -> Result<Option<(String, Role)>, ApiError> {
    if body.operator {
        caller.must_be_operator("make an operator's token")?;
        if body.project.is_some() || body.role.is_some() {
            let message = "an operator's token is good everywhere: it has neither project nor role";
            return Err(ApiError::invalid("operator", message));
        }
        return Ok(None);
    }
    let project = match &body.project {
        Some(project) => project.clone(),
        None => implied_project(app, caller).await?,
    };
    let Some(is) = app.engine.role_of(&project, owner).await? else {
        if caller.operator {
            app.engine.find_project(&project).await?;
            let message =
                format!("{owner} is no member of project '{project}': make it one first, or name another user");
            return Err(ApiError::invalid("user", message));
        }
        return Err(ApiError::no_project(&project));
    };
    let role = body.role.unwrap_or(is);
    if role > is {
        let message = format!("{owner} is {is} of project '{project}', so a token of theirs is no more than that");
        return Err(ApiError::invalid("role", message));
    }
    Ok(Some((project, role)))
}

/// Shows what is kept of a token.
#[utoipa::path(get, path = "/v1/tokens/{token}", params(("token" = String, description = "name or id")),
    responses((status = 200, body = TokenView), (status = "4XX", body = Problem)))]
async fn show(
    State(app): State<App>,
    caller: Caller,
    Path(reference): Path<String>,
) -> Result<Json<TokenView>, ApiError> {
    Ok(Json(view(&find(&app, &caller, &reference).await?)))
}

/// Makes a token worth nothing from now on. It stays in the list, with when that was.
#[utoipa::path(delete, path = "/v1/tokens/{token}", params(("token" = String, description = "name or id")),
    responses((status = 204), (status = "4XX", body = Problem)))]
async fn revoke(State(app): State<App>, caller: Caller, Path(reference): Path<String>) -> Result<StatusCode, ApiError> {
    let token = find(&app, &caller, &reference).await?;
    app.engine.revoke_token(token.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A token of the caller's by name or id; for the operator anybody's by id too.
async fn find(app: &App, caller: &Caller, reference: &str) -> Result<TokenRecord, ApiError> {
    match app.engine.find_token(Some(&caller.user), reference).await {
        Err(_) if caller.operator => Ok(app.engine.find_token(None, reference).await?),
        found => Ok(found?),
    }
}

/// Tells who you are, how that is known, and what you may.
#[utoipa::path(get, path = "/v1/whoami", responses((status = 200, body = WhoAmI), (status = "4XX", body = Problem)))]
async fn whoami(State(app): State<App>, caller: Caller) -> Result<Json<WhoAmI>, ApiError> {
    let mut roles = app.engine.memberships(&caller.user).await?;
    if let Some((only, most)) = caller.limits() {
        roles.retain(|member| member.project == *only);
        for member in &mut roles {
            member.role = member.role.min(*most);
        }
    }
    let roles = roles.into_iter().map(|member| RoleView {
        project: member.project,
        role: member.role,
    });
    Ok(Json(WhoAmI {
        user: caller.user.clone(),
        via: caller.via.as_str().to_owned(),
        operator: caller.operator,
        token: caller.token().map(|token| token.id),
        project: implied_project(&app, &caller).await.ok(),
        roles: roles.collect(),
    }))
}
