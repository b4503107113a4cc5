//! Which project a request is about, and what its caller is there.

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use berth_api_types::PROJECT_HEADER;
use berth_engine::{DEFAULT_PROJECT, EngineError, StoreError};
use berth_model::Power;

use crate::App;
use crate::auth::Caller;
use crate::problem::ApiError;

/// The project that a request is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scope {
    /// Its name.
    pub(crate) project: String,
    /// What the caller is there.
    pub(crate) power: Power,
    /// Whether the caller is the operator and named none: what isn't one project's is told of all.
    pub(crate) everything: bool,
}

impl Scope {
    /// The project that streams and records of work are told of; none for all.
    pub(crate) fn only(&self) -> Option<&str> {
        (!self.everything).then_some(self.project.as_str())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Scope {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let scope = parts.extensions.get::<Self>().cloned();
        scope.ok_or_else(|| ApiError::internal("a route that is about no project asks for one"))
    }
}

/// The project that a request is about: what its path names, else its header, else what its caller's token is good
/// for, else the only one that the caller is in, else the default one.
pub(crate) async fn find(
    app: &App,
    caller: &Caller,
    of_path: Option<String>,
    headers: &HeaderMap,
) -> Result<Scope, ApiError> {
    let named = match of_path {
        Some(project) => Some(project),
        None => of_header(headers)?,
    };
    let everything = caller.operator && named.is_none();
    let project = match named {
        Some(project) => project,
        None => implied(app, caller).await?,
    };
    let power = power(app, caller, &project).await?;
    Ok(Scope {
        project,
        power,
        everything,
    })
}

/// What the caller is in a project.
pub(super) async fn power(app: &App, caller: &Caller, project: &str) -> Result<Power, ApiError> {
    if caller.operator {
        return match app.engine.find_project(project).await {
            Ok(_) => Ok(Power::Operator),
            Err(EngineError::Store(StoreError::NotFound { .. })) => Err(ApiError::no_project(project)),
            Err(other) => Err(other.into()),
        };
    }
    let limits = caller.limits();
    if limits.is_some_and(|(only, _)| only != project) {
        return Ok(Power::Outsider);
    }
    let role = app.engine.role_of(project, &caller.user).await?;
    let role = role.map(|role| limits.map_or(role, |(_, most)| role.min(*most)));
    Ok(role.map_or(Power::Outsider, Power::In))
}

/// The project of a caller who names none.
pub(crate) async fn implied(app: &App, caller: &Caller) -> Result<String, ApiError> {
    if let Some((project, _)) = caller.limits() {
        return Ok(project.clone());
    }
    if caller.operator {
        return Ok(DEFAULT_PROJECT.to_owned());
    }
    let mut projects: Vec<_> = app.engine.memberships(&caller.user).await?;
    let default = projects.iter().position(|member| member.project == DEFAULT_PROJECT);
    match (projects.len(), default) {
        (0, _) => Err(ApiError::forbidden(format!(
            "{} is a member of no project: ask an admin of one",
            caller.user
        ))),
        (1, _) => Ok(projects.swap_remove(0).project),
        (_, Some(place)) => Ok(projects.swap_remove(place).project),
        (_, None) => {
            let names: Vec<_> = projects.iter().map(|member| member.project.as_str()).collect();
            let message = format!("say which project, by the header: you are in {}", names.join(", "));
            Err(ApiError::invalid(PROJECT_HEADER, message))
        }
    }
}

fn of_header(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let mut values = headers.get_all(PROJECT_HEADER).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let name = value
        .to_str()
        .ok()
        .filter(|name| !name.is_empty() && values.next().is_none());
    name.map(|name| Some(name.to_owned()))
        .ok_or_else(|| ApiError::invalid(PROJECT_HEADER, "it names one project"))
}
