//! `/v1/audit`.

use axum::Json;
use axum::extract::State;
use berth_api_types::{AuditEntryView, AuditQuery, Page, Problem};
use berth_model::limits::PAGE_MAX;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::App;
use crate::audit::back::Wanted;
use crate::audit::{Decision, Entry};
use crate::extract::Query;
use crate::problem::ApiError;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list))
}

/// How many entries a page has if the request doesn't say.
const PAGE_DEFAULT: u32 = 100;

/// Lists what was asked and decided, the newest first. What only looks is not in it, unless it was refused.
#[utoipa::path(get, path = "/v1/audit", params(AuditQuery),
    responses((status = 200, body = Page<AuditEntryView>), (status = "4XX", body = Problem)))]
async fn list(State(app): State<App>, Query(query): Query<AuditQuery>) -> Result<Json<Page<AuditEntryView>>, ApiError> {
    let limit = query.limit.unwrap_or(PAGE_DEFAULT);
    if !(1..=PAGE_MAX).contains(&limit) {
        let message = format!("{limit} is not between 1 and {PAGE_MAX}");
        return Err(ApiError::invalid("limit", message));
    }
    let wanted = Wanted {
        limit: limit as usize,
        before: query
            .after
            .map(|after| after.parse())
            .transpose()
            .map_err(|error| ApiError::invalid("after", error))?,
        who: query.user,
        project: query.project,
        decision: query.decision.map(decision).transpose()?,
        since: query.since,
    };
    let entries = app.audit.read(wanted).await?;
    let full = entries.len() == limit as usize;
    let next = entries.last().filter(|_| full).map(|entry| entry.number.to_string());
    let items = entries.into_iter().map(view).collect();
    Ok(Json(Page { items, next }))
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
        status: entry.status,
        code: entry.code,
        operations: entry.operations,
    }
}
