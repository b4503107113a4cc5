//! `/v1/lifecycle`: the states and the action table, read from the model and written nowhere else.

use axum::Json;
use berth_api_types::{ActionView, AfterCrash, Begins, Lands, LifecycleView, OnFailure, StateView, StepView};
use berth_model::{Fallback, From, InstanceState, Landing, Row, Stable, Step, TABLE};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::App;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(show))
}

/// Shows every state of an instance and every action: where it begins, its steps, where it lands and falls back.
#[utoipa::path(get, path = "/v1/lifecycle", responses((status = 200, body = LifecycleView)))]
async fn show() -> Json<LifecycleView> {
    Json(lifecycle())
}

fn lifecycle() -> LifecycleView {
    LifecycleView {
        states: InstanceState::ALL.iter().copied().map(state).collect(),
        actions: TABLE.iter().map(action).collect(),
    }
}

fn state(state: InstanceState) -> StateView {
    let of = |row: &&Row| row.steps.iter().any(|step| step.state == state);
    StateView {
        state: state.to_string(),
        billed: state.billed(),
        action: TABLE.iter().find(of).map(|row| row.action.to_string()),
    }
}

fn action(row: &Row) -> ActionView {
    ActionView {
        action: row.action.to_string(),
        begins: match row.from {
            From::Nothing => Begins::Nothing,
            From::At(_) => Begins::AtRest,
            From::Anything => Begins::Anything,
        },
        allowed_from: spelt(row.from.stables()),
        steps: row.steps.iter().copied().map(step).collect(),
        lands: match row.lands {
            Landing::In(_) => Lands::InState,
            Landing::BeforeResize => Lands::BeforeResize,
            Landing::Gone => Lands::Gone,
        },
        lands_in: spelt(&row.lands.stables()),
        on_failure: match row.on_failure {
            Fallback::Error => OnFailure::Error,
            Fallback::Origin => OnFailure::Origin,
            Fallback::AsFound => OnFailure::AsFound,
            Fallback::Becomes(_) => OnFailure::Becomes,
        },
        falls_back_to: spelt(&row.falls_back_to()),
        becomes: match row.on_failure {
            Fallback::Becomes(other) => Some(other.to_string()),
            Fallback::Error | Fallback::Origin | Fallback::AsFound => None,
        },
    }
}

fn step(step: Step) -> StepView {
    StepView {
        state: step.state.to_string(),
        billed: step.state.billed(),
        after_crash: match step.after_crash {
            berth_model::AfterCrash::GoOn => AfterCrash::GoOn,
            berth_model::AfterCrash::RollBack => AfterCrash::RollBack,
        },
    }
}

fn spelt(stables: &[Stable]) -> Vec<String> {
    stables.iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_on_the_wire_is_the_reviewed_one() {
        insta::assert_json_snapshot!(lifecycle());
    }
}
