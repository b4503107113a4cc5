//! `berth instance states`: the states of an instance and the action table, as the daemon has them.

use berth_api_types::{ActionView, AfterCrash, Begins, Lands, LifecycleView, OnFailure, StateView};
use comfy_table::Table;

use crate::commands::Context;
use crate::output::{self, table};

pub(crate) async fn run(cx: &Context) -> anyhow::Result<()> {
    let lifecycle = cx.client.lifecycle().await?;
    output::text(cx.format, &lifecycle, tables)?;
    Ok(())
}

fn tables(lifecycle: &LifecycleView) -> String {
    let tables = [states(lifecycle), actions(lifecycle), steps(lifecycle)];
    tables.iter().map(output::lines).collect::<Vec<_>>().join("\n")
}

fn states(lifecycle: &LifecycleView) -> Table {
    let row = |one: &StateView| {
        [
            one.state.clone(),
            yes(one.billed),
            one.action.clone().unwrap_or_else(|| "at rest".to_owned()),
        ]
    };
    table(["state", "billed", "shown while"], lifecycle.states.iter().map(row))
}

fn actions(lifecycle: &LifecycleView) -> Table {
    let row = |one: &ActionView| {
        let from = match one.begins {
            Begins::Nothing => "nothing".to_owned(),
            Begins::AtRest => one.allowed_from.join(", "),
            Begins::Anything => "any state, any operation in flight".to_owned(),
        };
        let lands = match one.lands {
            Lands::InState => one.lands_in.join(", "),
            Lands::BeforeResize => format!("{}, as before the resize", one.lands_in.join(" or ")),
            Lands::Gone => "gone".to_owned(),
        };
        let failure = match one.on_failure {
            OnFailure::Error => "Error".to_owned(),
            OnFailure::Origin => "where it came from".to_owned(),
            OnFailure::AsFound => format!("{}, as the guest is found", one.falls_back_to.join(" or ")),
            OnFailure::Becomes => format!("goes on as {}", one.becomes.as_deref().unwrap_or_default()),
        };
        [one.action.clone(), from, lands, failure]
    };
    table(
        ["action", "allowed from", "lands in", "when a step fails"],
        lifecycle.actions.iter().map(row),
    )
}

fn steps(lifecycle: &LifecycleView) -> Table {
    let rows = lifecycle.actions.iter().flat_map(|action| {
        (1..).zip(&action.steps).map(|(number, step): (u32, _)| {
            let after_crash = match step.after_crash {
                AfterCrash::GoOn => "goes on",
                AfterCrash::RollBack => "rolls back",
            };
            [
                action.action.clone(),
                number.to_string(),
                step.state.clone(),
                yes(step.billed),
                after_crash.to_owned(),
            ]
        })
    });
    table(["action", "step", "state", "billed", "after a crash"], rows)
}

fn yes(billed: bool) -> String {
    if billed { "yes" } else { "no" }.to_owned()
}

#[cfg(test)]
#[allow(clippy::needless_raw_string_hashes, reason = "so snapbox writes what is expected")]
mod tests {
    use berth_api_types::StepView;
    use snapbox::{assert_data_eq, str};

    use super::*;

    fn state(state: &str, billed: bool, action: Option<&str>) -> StateView {
        StateView {
            state: state.to_owned(),
            billed,
            action: action.map(str::to_owned),
        }
    }

    fn step(state: &str, billed: bool, after_crash: AfterCrash) -> StepView {
        StepView {
            state: state.to_owned(),
            billed,
            after_crash,
        }
    }

    #[test]
    fn three_tables_for_people() {
        let stop = ActionView {
            action: "stop".to_owned(),
            begins: Begins::AtRest,
            allowed_from: vec!["Active".to_owned()],
            steps: vec![step("Powering-off", true, AfterCrash::GoOn)],
            lands: Lands::InState,
            lands_in: vec!["Stopped".to_owned()],
            on_failure: OnFailure::AsFound,
            falls_back_to: vec!["Active".to_owned(), "Stopped".to_owned()],
            becomes: None,
        };
        let delete = ActionView {
            action: "delete".to_owned(),
            begins: Begins::Anything,
            steps: vec![step("Deleting", false, AfterCrash::RollBack)],
            lands: Lands::Gone,
            lands_in: Vec::new(),
            on_failure: OnFailure::Error,
            ..stop.clone()
        };
        let lifecycle = LifecycleView {
            states: vec![state("Active", true, None), state("Deleting", false, Some("delete"))],
            actions: vec![stop, delete],
        };
        assert_data_eq!(
            tables(&lifecycle),
            str![[r#"
STATE     BILLED  SHOWN WHILE
Active    yes     at rest
Deleting  no      delete

ACTION  ALLOWED FROM                        LANDS IN  WHEN A STEP FAILS
stop    Active                              Stopped   Active or Stopped, as the guest is found
delete  any state, any operation in flight  gone      Error

ACTION  STEP  STATE         BILLED  AFTER A CRASH
stop    1     Powering-off  yes     goes on
delete  1     Deleting      no      rolls back

"#]]
        );
    }
}
