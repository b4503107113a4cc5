//! The action table, held to what lifecycle.md and the seed promise.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use berth_model::{
    Action, Fallback, From, InstanceState, Landing, Position, Stable, Standing, TABLE, VOLUME_TABLE, VolumeAction,
    VolumeLanding, VolumeState, diagram,
};
use proptest::prelude::*;

/// The states of an action, in order, and the stable states it may end in.
fn ends(action: Action) -> Vec<Option<Stable>> {
    let row = action.row();
    let mut ends = match row.lands {
        Landing::In(stable) => vec![Some(stable)],
        Landing::BeforeResize => vec![Some(Stable::Active), Some(Stable::Stopped)],
        Landing::Gone => vec![None],
    };
    match row.on_failure {
        Fallback::Error => ends.push(Some(Stable::Error)),
        Fallback::AsFound => ends.extend([Some(Stable::Active), Some(Stable::Stopped)]),
        Fallback::Becomes(other) => ends.extend(self::ends(other)),
        Fallback::Origin => match row.from {
            From::At(stables) => ends.extend(stables.iter().map(|stable| Some(*stable))),
            From::Nothing | From::Anything => panic!("{action} has no origin to fall back to"),
        },
    }
    ends
}

#[test]
fn there_are_26_instance_states_and_11_volume_states() {
    assert_eq!(InstanceState::ALL.len(), 26);
    assert_eq!(VolumeState::ALL.len(), 11);
}

#[test]
fn the_row_of_an_action_is_its_own() {
    for (action, row) in Action::ALL.iter().zip(TABLE) {
        assert_eq!(*action, row.action);
        assert_eq!(action.row(), row);
        assert!(!row.steps.is_empty(), "{action} has no steps");
    }
    assert_eq!(Action::ALL.len(), TABLE.len());
    for (action, row) in VolumeAction::ALL.iter().zip(VOLUME_TABLE) {
        assert_eq!(*action, row.action);
    }
}

#[test]
fn a_row_tells_where_it_may_end() {
    for row in TABLE {
        let told = row.lands.stables().into_iter().map(Some);
        let nothing_left = (row.lands == Landing::Gone).then_some(None);
        let becomes = match row.on_failure {
            Fallback::Becomes(other) => ends(other),
            Fallback::Error | Fallback::Origin | Fallback::AsFound => Vec::new(),
        };
        let fallback = row.falls_back_to().into_iter().map(Some).chain(becomes);
        let told: Vec<_> = told.chain(nothing_left).chain(fallback).collect();
        assert_eq!(told, ends(row.action), "{}", row.action);
        for stable in Stable::ALL {
            let allowed = row.action.allowed(Standing::Resting(*stable));
            assert_eq!(
                row.from.stables().contains(stable),
                allowed,
                "{} from {stable}",
                row.action
            );
        }
    }
}

#[test]
fn every_state_is_reached_and_left() {
    let mut reached: BTreeSet<InstanceState> = BTreeSet::new();
    let mut left: BTreeSet<InstanceState> = BTreeSet::new();
    for row in TABLE {
        let transitional = row.steps.iter().map(|step| step.state);
        reached.extend(transitional.clone());
        left.extend(transitional);
        reached.extend(ends(row.action).into_iter().flatten().map(Stable::state));
        match row.from {
            From::At(stables) => left.extend(stables.iter().map(|stable| stable.state())),
            From::Anything => left.extend(Stable::ALL.iter().map(|stable| stable.state())),
            From::Nothing => {}
        }
    }
    let all: BTreeSet<_> = InstanceState::ALL.iter().copied().collect();
    assert_eq!(reached, all, "every documented state is reached");
    assert_eq!(left, all, "every documented state is left");
}

#[test]
fn every_transitional_state_is_one_step_of_one_action() {
    let mut seen = BTreeSet::new();
    for step in TABLE.iter().flat_map(|row| row.steps) {
        assert!(seen.insert(step.state), "{} is a step twice", step.state);
        assert!(
            Stable::ALL.iter().all(|stable| stable.state() != step.state),
            "{} is stable as well",
            step.state
        );
    }
    assert_eq!(seen.len() + Stable::ALL.len(), InstanceState::ALL.len());
}

#[test]
fn every_volume_state_is_reached_and_left() {
    // What an instance does to its volumes: shelving and unshelving them, and finding their data doubtful.
    let mut reached = BTreeSet::from([VolumeState::Reserved, VolumeState::Error]);
    let mut left = BTreeSet::from([VolumeState::Reserved]);
    for row in VOLUME_TABLE {
        assert!(!row.through.is_stable(), "{} rests", row.through);
        reached.insert(row.through);
        left.insert(row.through);
        left.extend(row.from);
        if let VolumeLanding::In(state) = row.lands {
            assert!(state.is_stable(), "{state} does not rest");
            reached.insert(state);
        }
    }
    let all: BTreeSet<_> = VolumeState::ALL.iter().copied().collect();
    assert_eq!(reached, all);
    assert_eq!(left, all);
}

#[test]
fn what_is_billed_is_what_the_seed_bills() {
    let billed: Vec<_> = InstanceState::ALL
        .iter()
        .filter(|state| state.billed())
        .map(|state| state.as_str())
        .collect();
    assert_eq!(
        billed,
        [
            "Active",
            "Stopped",
            "Rebooting",
            "Reboot_started",
            "Rebooting_hard",
            "Rebooting_started_hard",
            "Shelving",
            "Powering-off",
            "Powering-on",
        ]
    );
}

#[test]
fn the_matrix_and_the_diagram_are_the_reviewed_ones() {
    insta::assert_snapshot!("matrix", diagram::matrix());
    insta::assert_snapshot!("mermaid", diagram::mermaid());
}

fn any_standing() -> impl Strategy<Value = Standing> {
    let resting = prop::sample::select(Stable::ALL).prop_map(Standing::Resting);
    let moving = (
        prop::option::of(prop::sample::select(Stable::ALL)),
        prop::sample::select(Action::ALL),
        0..6_usize,
    )
        .prop_filter_map("no such step", |(from, action, step)| {
            Some(Standing::Moving {
                from,
                position: Position::at(action, step)?,
            })
        });
    prop_oneof![resting, moving]
}

proptest! {
    #[test]
    fn whatever_happens_an_instance_comes_to_rest(
        choices in prop::collection::vec((prop::sample::select(Action::ALL), any::<prop::sample::Index>()), 1..50)
    ) {
        let mut at: Option<Stable> = None;
        for (action, end) in choices {
            let allowed = match at {
                None => action == Action::Create,
                Some(stable) => action.allowed(Standing::Resting(stable)),
            };
            if !allowed {
                continue;
            }
            let mut position = Position::first(action);
            let mut steps = 1;
            while let Some(next) = position.next() {
                position = next;
                steps += 1;
            }
            prop_assert_eq!(steps, action.row().steps.len());
            let ends = ends(action);
            at = ends[end.index(ends.len())];
        }
    }

    #[test]
    fn only_delete_is_allowed_while_an_operation_is_in_flight(standing in any_standing()) {
        let allowed = Action::allowed_from(standing);
        prop_assert!(allowed.contains(&Action::Delete));
        prop_assert!(!allowed.contains(&Action::Create));
        if matches!(standing, Standing::Moving { .. }) {
            prop_assert_eq!(allowed, vec![Action::Delete]);
        }
    }

    #[test]
    fn the_words_are_read_back(standing in any_standing()) {
        let state = standing.state();
        prop_assert_eq!(state.as_str().parse::<InstanceState>().unwrap(), state);
        prop_assert!(InstanceState::ALL.contains(&state));
    }
}

#[test]
fn what_may_be_cancelled_leaves_the_instance_as_it_was_or_only_its_record() {
    let cancellable: Vec<_> = Action::ALL
        .iter()
        .copied()
        .filter(|action| action.cancellable())
        .collect();
    let expected = [
        Action::Create,
        Action::Start,
        Action::Stop,
        Action::Shelve,
        Action::Unshelve,
        Action::Resize,
        Action::ConfirmResize,
    ];
    assert_eq!(cancellable, expected);
}
