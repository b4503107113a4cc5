//! `/v1/usage`.

use axum::Json;
use axum::extract::State;
use berth_api_types::{
    BrokenEntryView, Problem, UsageLineView, UsageQuery, UsageVerifiedView, UsageView, VerifyUsageQuery,
};
use berth_engine::{UsageReport, WantedUsage};
use berth_model::metering::{Head, LedgerKind, UsageLine, Window};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::App;
use crate::auth::Scope;
use crate::extract::Query;
use crate::problem::ApiError;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(show)).routes(routes!(verify))
}

fn view(report: UsageReport) -> UsageView {
    UsageView {
        as_of: report.as_of,
        currency: Some(report.currency).filter(|currency| !currency.is_empty()),
        lines: report.lines.into_iter().map(line).collect(),
        total: report.total,
    }
}

fn line(line: UsageLine) -> UsageLineView {
    let in_gib = matches!(line.kind, LedgerKind::Volume | LedgerKind::Snapshot | LedgerKind::Image);
    UsageLineView {
        project: line.project,
        kind: line.kind.to_string(),
        resource: line.resource,
        name: line.name,
        rate: line.rate,
        state: line.state,
        billed: line.billed,
        quantity: line.quantity,
        unit: in_gib.then(|| "GiB".to_owned()),
        duration_micros: line.micros,
        price_per_hour: line.price,
        amount: line.amount,
    }
}

/// Reports who held what for how long, and what that comes to: of one project; of all, for an operator who names none.
#[utoipa::path(get, path = "/v1/usage", params(UsageQuery),
    responses((status = 200, body = UsageView), (status = "4XX", body = Problem)))]
async fn show(
    State(app): State<App>,
    scope: Scope,
    Query(query): Query<UsageQuery>,
) -> Result<Json<UsageView>, ApiError> {
    let since = match scope.only() {
        // What a project of the same name had before is none of this one's business.
        Some(project) => Some(app.engine.find_project(project).await?.created_at),
        None => None,
    };
    let wanted = WantedUsage {
        since: since.map(jiff::Timestamp::as_microsecond),
        window: Window {
            from: query.from.map(jiff::Timestamp::as_microsecond),
            to: query.to.map(jiff::Timestamp::as_microsecond),
        },
        project: scope.only().map(str::to_owned),
        instance: query.instance,
        by_state: query.by_state,
    };
    Ok(Json(view(app.engine.usage(&wanted).await?)))
}

/// Follows the ledger of usage from its first entry to its last, and says whether it is whole.
#[utoipa::path(get, path = "/v1/usage/verify", params(VerifyUsageQuery),
    responses((status = 200, body = UsageVerifiedView), (status = "4XX", body = Problem)))]
async fn verify(
    State(app): State<App>,
    Query(query): Query<VerifyUsageQuery>,
) -> Result<Json<UsageVerifiedView>, ApiError> {
    let noted: Option<Head> = query.head.as_deref().map(str::parse).transpose().map_err(|error| {
        let error: berth_model::metering::ParseHeadError = error;
        ApiError::invalid("head", error)
    })?;
    Ok(Json(match app.engine.verify_usage(noted).await? {
        Ok(head) => UsageVerifiedView {
            whole: true,
            head: Some(head.to_string()),
            broken: None,
        },
        Err(broken) => UsageVerifiedView {
            whole: false,
            head: None,
            broken: Some(BrokenEntryView {
                number: broken.number,
                reason: broken.reason,
            }),
        },
    }))
}
