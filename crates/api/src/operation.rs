//! `/v1/operations`.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use berth_api_types::{OperationQuery, OperationView, Page, Problem, ProgressView, Wait};
use berth_engine::{OperationFilter, Phase};
use berth_model::{InstanceId, OperationId, Work};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::Scope;
use crate::extract::{By, Query};
use crate::extract_list::{known, nameless_by, page_of, word};
use crate::instance::accepted;
use crate::problem::ApiError;
use crate::{App, views};

/// How long a wait lasts if the request doesn't say, in seconds.
const WAIT_DEFAULT: u32 = 30;
/// The longest wait in seconds.
const WAIT_MAX: u32 = 60;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(wait))
        .routes(routes!(cancel))
}

/// Lists operations, oldest first.
#[utoipa::path(get, path = "/v1/operations", params(OperationQuery),
    responses((status = 200, body = Page<OperationView>), (status = "4XX", body = Problem)))]
async fn list(
    State(app): State<App>,
    scope: Scope,
    Query(query): Query<OperationQuery>,
) -> Result<Json<Page<OperationView>>, ApiError> {
    let by = nameless_by(&query)?;
    let action = known("action", query.action.clone(), &Work::actions())?;
    let outcomes = [
        Phase::Running,
        Phase::Undoing,
        Phase::Succeeded,
        Phase::Failed,
        Phase::Cancelled,
    ];
    let filter = OperationFilter {
        actions: action.map(|action| Work::words_of(&action)),
        phase: word("outcome", query.outcome.as_deref(), &outcomes, Phase::as_str)?,
        subject: subject(&app, &scope, &query).await?,
    };
    let listed = app.engine.list_operations(scope.only(), &filter, &by).await?;
    Ok(Json(page_of(listed, views::operation)))
}

/// What operations are asked for of. An id is taken as it is: the operations of what is gone are still there.
async fn subject(app: &App, scope: &Scope, query: &OperationQuery) -> Result<Option<String>, ApiError> {
    let id = |reference: &str| reference.parse::<InstanceId>().ok().map(|id| id.to_string());
    match (&query.instance, &query.volume, &query.resource) {
        (None, None, None) => Ok(None),
        (Some(reference), None, None) => match id(reference) {
            Some(id) => Ok(Some(id)),
            None => Ok(Some(
                app.engine
                    .find_instance(&scope.project, reference)
                    .await?
                    .id
                    .to_string(),
            )),
        },
        (None, Some(reference), None) => match id(reference) {
            Some(id) => Ok(Some(id)),
            None => Ok(Some(
                app.engine.find_volume(&scope.project, reference).await?.id.to_string(),
            )),
        },
        (None, None, Some(reference)) => id(reference)
            .map(Some)
            .ok_or_else(|| ApiError::invalid("resource", format!("'{}' is no id", reference.escape_debug()))),
        (Some(_), Some(_), None) => Err(ApiError::invalid("volume", "give an instance or a volume, not both")),
        _ => Err(ApiError::invalid(
            "resource",
            "give it alone, or an instance, or a volume",
        )),
    }
}

/// Shows an operation.
#[utoipa::path(get, path = "/v1/operations/{operation}", params(("operation" = String, description = "id")),
    responses((status = 200, body = OperationView), (status = "4XX", body = Problem)))]
async fn show(State(app): State<App>, scope: Scope, Path(id): Path<String>) -> Result<Json<OperationView>, ApiError> {
    let id = parse(&id)?;
    let mut view = views::operation(&app.engine.find_operation(scope.only(), id).await?);
    view.progress = app.engine.progress(id).map(|progress| ProgressView {
        done: progress.done,
        of: progress.of,
    });
    Ok(Json(view))
}

/// Answers once the operation has ended, or with how it stands when the time is over.
#[utoipa::path(get, path = "/v1/operations/{operation}/wait", params(("operation" = String, description = "id"), Wait),
    responses((status = 200, body = OperationView), (status = "4XX", body = Problem)))]
async fn wait(
    State(app): State<App>,
    scope: Scope,
    Path(id): Path<String>,
    Query(query): Query<Wait>,
) -> Result<Json<OperationView>, ApiError> {
    let seconds = query.timeout_seconds.unwrap_or(WAIT_DEFAULT);
    if seconds > WAIT_MAX {
        return Err(ApiError::invalid(
            "timeout_seconds",
            format!("{seconds} is not between 0 and {WAIT_MAX}"),
        ));
    }
    let most = Duration::from_secs(seconds.into());
    let id = parse(&id)?;
    app.engine.find_operation(scope.only(), id).await?;
    Ok(Json(views::operation(&app.engine.wait_operation(id, most).await?)))
}

/// Cancels an operation in flight: what it did is undone, and its instance is as it was before, or in Error with nothing
/// left on the host if it was being created. Refused once it has ended, and for what is seen through: reboots, a resize
/// being reverted, a delete.
#[utoipa::path(post, path = "/v1/operations/{operation}/actions/cancel", params(("operation" = String, description = "id")),
    responses((status = 202, body = OperationView), (status = "4XX", body = Problem)))]
async fn cancel(
    State(app): State<App>,
    scope: Scope,
    By(by): By,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let id = parse(&id)?;
    app.engine.find_operation(scope.only(), id).await?;
    Ok(accepted(&app.engine.cancel_operation(id, &by).await?))
}

fn parse(id: &str) -> Result<OperationId, ApiError> {
    id.parse().map_err(|error| ApiError::invalid("operation", error))
}
