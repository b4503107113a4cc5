//! `/v1/host/check`.

use axum::Json;
use axum::extract::State;
use berth_api_types::{FindingView, HostCheck, Problem};
use berth_engine::Finding;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::App;
use crate::problem::ApiError;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(check, fix))
}

/// Compares the records with what libvirt, the disk and the network really hold; changes nothing.
#[utoipa::path(get, path = "/v1/host/check",
    responses((status = 200, body = HostCheck), (status = "5XX", body = Problem)))]
async fn check(State(app): State<App>) -> Result<Json<HostCheck>, ApiError> {
    let findings = app.engine.check().await?.iter().map(view).collect();
    Ok(Json(HostCheck { findings }))
}

/// Compares likewise, and puts right what can be: removes what is ours and belongs to no record, repairs what differs.
#[utoipa::path(post, path = "/v1/host/check",
    responses((status = 200, body = HostCheck), (status = "5XX", body = Problem)))]
async fn fix(State(app): State<App>) -> Result<Json<HostCheck>, ApiError> {
    let mut findings = Vec::new();
    for (finding, done) in app.engine.fix().await? {
        let (done, error) = match done {
            Ok(done) => (done.as_str(), None),
            Err(error) => ("failed", Some(error.to_string())),
        };
        findings.push(FindingView {
            done: Some(done.to_owned()),
            error,
            ..view(&finding)
        });
    }
    Ok(Json(HostCheck { findings }))
}

fn view(finding: &Finding) -> FindingView {
    FindingView {
        kind: finding.kind.to_owned(),
        name: finding.name.clone(),
        what: finding.what.clone(),
        remedy: finding.remedy().to_owned(),
        done: None,
        error: None,
    }
}
