//! `/v1/instances/{instance}/history`: what happened to an instance, also when it is gone.

use axum::Json;
use axum::extract::{Path, State};
use berth_api_types::{Happened, HistoryEntry, Page, PageQuery, Problem, StepOutcome};
use berth_engine::StepEnd;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::Scope;
use crate::extract::{Query, page};
use crate::problem::ApiError;
use crate::{App, views};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(history))
}

/// Lists what happened to an instance, oldest first. The limit counts operations: a page has all that happened during
/// them, and until the one after them.
#[utoipa::path(get, path = "/v1/instances/{instance}/history",
    params(("instance" = String, description = "name or id; the id of an instance that is gone is taken too"), PageQuery),
    responses((status = 200, body = Page<HistoryEntry>), (status = "4XX", body = Problem)))]
async fn history(
    State(app): State<App>,
    scope: Scope,
    Path(reference): Path<String>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<HistoryEntry>>, ApiError> {
    let history = app.engine.history(&scope.project, &reference, page(&query)?).await?;
    Ok(Json(Page {
        items: history.entries.iter().map(entry).collect(),
        next: history.next.map(|id| id.to_string()),
    }))
}

fn entry(entry: &berth_engine::HistoryEntry) -> HistoryEntry {
    HistoryEntry {
        at: entry.at,
        operation: entry.operation,
        what: happened(&entry.what),
    }
}

fn happened(what: &berth_engine::Happened) -> Happened {
    use berth_engine::Happened as Told;
    match what.clone() {
        Told::Asked { action, by, params } => Happened::Asked {
            action: action.to_string(),
            by,
            params,
        },
        Told::Became { action } => Happened::Became {
            action: action.to_string(),
        },
        Told::Step {
            state,
            end,
            attempt,
            took,
            message,
        } => Happened::Step {
            state: state.to_string(),
            outcome: outcome(end),
            attempt,
            took_micros: took.map(micros),
            message,
        },
        Told::Noted { state, message } => Happened::Noted {
            state: state.to_string(),
            message,
        },
        Told::Heard { state, event } => Happened::Heard {
            state: state.to_string(),
            event,
        },
        Told::Adopted {
            kind,
            event,
            state,
            message,
        } => Happened::Adopted {
            guest: kind,
            event,
            state,
            message,
        },
        Told::Ended {
            action,
            phase,
            state,
            took,
            fault,
        } => Happened::Ended {
            action: action.to_string(),
            outcome: views::outcome(phase),
            state,
            took_micros: micros(took),
            error: fault.as_ref().map(views::fault),
        },
    }
}

fn outcome(end: StepEnd) -> StepOutcome {
    match end {
        StepEnd::Done => StepOutcome::Done,
        StepEnd::Retried => StepOutcome::Retried,
        StepEnd::Failed => StepOutcome::Failed,
        StepEnd::Undone => StepOutcome::Undone,
    }
}

fn micros(took: std::time::Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}
