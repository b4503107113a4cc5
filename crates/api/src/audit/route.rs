//! `/v1/audit`.

use axum::Json;
use axum::extract::State;
use berth_api_types::{AuditEntryView, AuditQuery, Page, PageQuery, Problem};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::App;
use crate::audit::back::Wanted;
use crate::audit::{Decision, Entry};
use crate::extract::{Query, page, paged};
use crate::problem::ApiError;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Lists what was asked and decided, the newest first. What only looks is not in it, unless it was refused.
#[utoipa::path(get, path = "/v1/audit", params(AuditQuery),
    responses((status = 200, body = Page<AuditEntryView>), (status = "4XX", body = Problem)))]
async fn list(State(app): State<App>, Query(query): Query<AuditQuery>) -> Result<Json<Page<AuditEntryView>>, ApiError> {
    let (limit, after) = (query.limit, query.after);
    let page = page::<u64>(&PageQuery { limit, after })?;
    let wanted = Wanted {
        limit: page.limit as usize,
        before: page.after,
        who: query.user,
        project: query.project,
        decision: query.decision.map(decision).transpose()?,
        since: query.since,
    };
    let items = app.audit.read(wanted).await?.into_iter().map(view).collect();
    Ok(Json(paged(items, page.limit, |entry: &AuditEntryView| {
        entry.number.to_string()
    })))
}

fn decision(word: String) -> Result<Decision, ApiError> {
    let wrong = |_| {
        ApiError::invalid(
            "decision",
            format!("'{word}' is none of allowed, unknown, denied, done"),
        )
    };
    serde_json::from_value(serde_json::Value::String(word.clone())).map_err(wrong)
}

fn view(entry: Entry) -> AuditEntryView {
    AuditEntryView {
        number: entry.number,
        at: entry.at,
        request: entry.request.to_string(),
        decision: match entry.decision {
            Decision::Allowed => "allowed",
            Decision::Unknown => "unknown",
            Decision::Denied => "denied",
            Decision::Done => "done",
        }
        .to_owned(),
        user: entry.who,
        via: entry.via,
        role: entry.role,
        from: entry.from,
        project: entry.project,
        what: entry.what,
        on: entry.on,
        dry_run: entry.dry_run,
        status: entry.status,
        code: entry.code,
        operations: entry.operations,
    }
}
