//! Claims: what the table allows and nothing else, and every way on and back.

use std::time::Duration;

use berth_model::{
    Action, Code, Fallback, InstanceState, Landing, Position, Stable, Standing, VolumeState, Work, default_catalog,
};
use berth_store::{ClaimError, Entry, EntryKind, Found, Phase};
use serde_json::json;

use crate::support::*;

on_both! {
    a_claim_is_what_the_table_allows
    every_action_lands_where_its_row_says
    every_action_falls_back_where_its_row_says
    of_two_claims_at_once_one_wins
    delete_cancels_the_operation_in_flight
    a_claim_goes_only_where_the_row_goes
    a_soft_reboot_goes_on_as_a_hard_one
    giving_up_is_an_error_that_says_why
    the_root_volume_follows_its_instance
    a_resize_can_be_confirmed_and_reverted
    a_resize_without_a_type_is_refused
    the_journal_tells_the_operation
}

/// Where an instance can stand: every state at rest, every step of every action.
async fn stand(bed: &Bed, position: Result<Stable, Position>) -> berth_model::InstanceId {
    match position {
        Ok(stable) => bed.resting(stable).await,
        Err(position) => bed.moving(position).await.instance(),
    }
}

async fn a_claim_is_what_the_table_allows(bed: Bed) {
    let resting = Stable::ALL.iter().copied().map(Ok);
    let standings: Vec<_> = resting.chain(every_position().into_iter().map(Err)).collect();
    for standing in standings {
        let id = stand(&bed, standing).await;
        let record = bed.get(id).await;
        for action in Action::ALL
            .iter()
            .copied()
            .filter(|action| !action.allowed(record.standing))
        {
            let refused = bed.store.claim(id, action, params(action), &by()).await.unwrap_err();
            let ClaimError::Refused {
                state,
                allowed,
                operation,
            } = refused
            else {
                panic!("{refused}")
            };
            assert_eq!(state, record.standing.state());
            assert_eq!(allowed, Action::allowed_from(record.standing));
            assert_eq!(operation, record.operation);
            assert_eq!(bed.get(id).await, record, "a refusal changes nothing");
        }
        for action in Action::allowed_from(record.standing) {
            let id = stand(&bed, standing).await;
            let origin = match bed.get(id).await.standing {
                Standing::Resting(stable) => Some(stable),
                Standing::Moving { from, .. } => from,
            };
            let claim = bed.claim(id, action).await;
            assert_eq!((claim.position(), claim.origin()), (Position::first(action), origin));
            assert_eq!(bed.state(id).await, Position::first(action).state().as_str());
        }
    }
    let nobody = berth_model::InstanceId::new();
    let missing = bed
        .store
        .claim(nobody, Action::Start, json!({}), &by())
        .await
        .unwrap_err();
    assert!(matches!(missing, ClaimError::NotFound(id) if id == nobody));
}

async fn every_action_lands_where_its_row_says(bed: Bed) {
    for action in Action::ALL.iter().copied() {
        let claim = bed.moving(Position::first(action)).await;
        let (id, operation) = (claim.instance(), claim.operation());
        finish(claim).await;
        let expected = match action.row().lands {
            Landing::In(stable) => stable.state().as_str(),
            Landing::BeforeResize => "Active",
            Landing::Gone => "gone",
        };
        assert_eq!(bed.state(id).await, expected, "{action}");
        let operation = bed.store.operation(operation).await.unwrap().unwrap();
        assert_eq!((operation.phase, operation.fault.clone()), (Phase::Succeeded, None));
        assert!(operation.finished_at.is_some());
    }
}

async fn every_action_falls_back_where_its_row_says(bed: Bed) {
    let positions = every_position().into_iter();
    for position in positions.filter(|position| !matches!(position.action().row().on_failure, Fallback::Becomes(_))) {
        for found in [Found::Running, Found::Off] {
            let mut claim = bed.moving(position).await;
            let (id, operation, origin) = (claim.instance(), claim.operation(), claim.origin());
            let why = fault("the disk said no");
            claim.undo(why.clone()).await.unwrap();
            assert_eq!(claim.fault(), Some(&why));
            for step in (0..position.step()).rev() {
                assert!(claim.undone().await.unwrap());
                assert_eq!(claim.position().step(), step);
                assert_eq!(bed.state(id).await, claim.position().state().as_str());
            }
            assert!(!claim.undone().await.unwrap());
            claim.fall_back(found).await.unwrap();
            let expected = match (position.action().row().on_failure, found) {
                (Fallback::Origin, _) => origin.unwrap(),
                (Fallback::AsFound, Found::Running) => Stable::Active,
                (Fallback::AsFound, Found::Off) => Stable::Stopped,
                (Fallback::Error | Fallback::Becomes(_), _) => Stable::Error,
            };
            let record = bed.get(id).await;
            assert_eq!(record.standing, Standing::Resting(expected), "{position:?}");
            assert_eq!(record.fault, Some(why.clone()));
            let operation = bed.store.operation(operation).await.unwrap().unwrap();
            assert_eq!((operation.phase, operation.fault), (Phase::Failed, Some(why)));
        }
    }
}

async fn of_two_claims_at_once_one_wins(bed: Bed) {
    for _ in 0..10 {
        let id = bed.resting(Stable::Active).await;
        let ask = |action| {
            let store = bed.store.clone();
            tokio::spawn(async move { store.claim(id, action, json!({}), &by()).await })
        };
        let (stop, reboot) = (ask(Action::Stop), ask(Action::HardReboot));
        let results = [stop.await.unwrap(), reboot.await.unwrap()];
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        let refused = |result: &Result<_, _>| matches!(result, Err(ClaimError::Refused { operation: Some(_), .. }));
        assert_eq!(results.iter().filter(|result| refused(result)).count(), 1);
    }
}

async fn delete_cancels_the_operation_in_flight(bed: Bed) {
    for position in every_position() {
        let mut old = bed.moving(position).await;
        let delete = bed.claim(old.instance(), Action::Delete).await;
        assert_eq!(delete.origin(), old.origin());
        let lost = |result: Result<(), ClaimError>| assert!(matches!(result, Err(ClaimError::Lost)), "{result:?}");
        lost(
            old.record(Entry {
                kind: EntryKind::Noted,
                message: None,
                duration: None,
            })
            .await,
        );
        lost(old.save(json!({})).await);
        lost(old.undo(fault("too late")).await);
        if position.next().is_some() {
            lost(old.advance(json!({}), Duration::ZERO).await);
        }
        let cancelled = bed.store.operation(old.operation()).await.unwrap().unwrap();
        assert_eq!(cancelled.phase, Phase::Cancelled);
        assert_eq!(cancelled.fault.unwrap().code, Code::OperationCancelled);
        let id = delete.instance();
        finish(delete).await;
        assert_eq!(bed.state(id).await, "gone");
        lost(old.give_up(fault("far too late")).await);
    }
}

async fn a_claim_goes_only_where_the_row_goes(bed: Bed) {
    let first = bed.moving(Position::first(Action::Create)).await;
    let id = first.instance();
    assert!(matches!(
        first.commit(json!({}), Duration::ZERO).await,
        Err(ClaimError::NotLast)
    ));

    let mut claim = bed.store.in_flight().await.unwrap().pop().unwrap();
    assert_eq!(claim.instance(), id);
    assert!(
        matches!(claim.undone().await, Err(ClaimError::NoSuchWay(_))),
        "nothing is being undone"
    );
    assert!(
        matches!(claim.becomes(fault("no")).await, Err(ClaimError::NoSuchWay(_))),
        "create becomes nothing"
    );
    advance(&mut claim).await;
    claim.undo(fault("no")).await.unwrap();
    assert!(matches!(
        claim.advance(json!({}), Duration::ZERO).await,
        Err(ClaimError::NoSuchWay(_))
    ));
    assert!(matches!(claim.undo(fault("no")).await, Err(ClaimError::NoSuchWay(_))));
    assert!(claim.undone().await.unwrap());
    assert!(
        matches!(claim.fall_back(Found::Off).await, Err(ClaimError::NoSuchWay(_))),
        "step 0 is not undone"
    );
    assert_eq!(bed.state(id).await, "Building");

    let mut last = bed.moving(Position::first(Action::Stop)).await;
    assert!(matches!(
        last.advance(json!({}), Duration::ZERO).await,
        Err(ClaimError::LastStep)
    ));
    commit(last).await;
}

async fn a_soft_reboot_goes_on_as_a_hard_one(bed: Bed) {
    for step in 0..2 {
        let mut claim = bed.moving(Position::at(Action::SoftReboot, step).unwrap()).await;
        claim.save(json!({ "kept": true })).await.unwrap();
        claim.becomes(fault("the guest does not listen")).await.unwrap();
        assert_eq!(claim.position(), Position::first(Action::HardReboot));
        assert_eq!(claim.memo(), &json!({ "kept": true }));
        assert_eq!(bed.state(claim.instance()).await, "Rebooting_hard");
        let operation = bed.store.operation(claim.operation()).await.unwrap().unwrap();
        assert_eq!(
            (operation.work, operation.phase),
            (Work::Instance(Position::first(Action::HardReboot)), Phase::Running)
        );
        let journal = bed.store.journal(claim.operation()).await.unwrap();
        let lines: Vec<_> = journal.iter().filter_map(|line| line.message.as_deref()).collect();
        assert!(
            lines.contains(&"the guest does not listen (hypervisor_error)"),
            "{lines:?}"
        );
        assert!(lines.contains(&"soft_reboot goes on as hard_reboot"), "{lines:?}");
        finish(claim).await;
    }
}

async fn giving_up_is_an_error_that_says_why(bed: Bed) {
    let mut claim = bed.moving(Position::at(Action::Resize, 1).unwrap()).await;
    let (id, operation) = (claim.instance(), claim.operation());
    claim.undo(fault("no room")).await.unwrap();
    claim.give_up(fault("the disk is gone")).await.unwrap();
    let record = bed.get(id).await;
    assert_eq!(record.standing, Standing::Resting(Stable::Error));
    assert_eq!(record.fault.as_ref().unwrap().message, "the disk is gone");
    let operation = bed.store.operation(operation).await.unwrap().unwrap();
    assert_eq!((operation.phase, operation.fault), (Phase::Failed, record.fault));
    finish(bed.claim(id, Action::HardReboot).await).await;
    assert_eq!(bed.get(id).await.fault, None, "an action puts it right");
}

async fn the_root_volume_follows_its_instance(bed: Bed) {
    let root = async |id| {
        let volumes = bed.store.volumes_of_instance(id).await.unwrap();
        volumes.first().map(|volume| volume.state)
    };
    let mut claim = bed.building().await;
    let id = claim.instance();
    while claim.position().next().is_some() {
        let mapped = claim.position().step() > 2;
        assert_eq!(
            root(id).await,
            Some(if mapped {
                VolumeState::InUse
            } else {
                VolumeState::Creating
            })
        );
        advance(&mut claim).await;
    }
    commit(claim).await;
    let mut delete = bed.claim(id, Action::Delete).await;
    assert_eq!(root(id).await, Some(VolumeState::Deleting));
    delete.undo(fault("busy")).await.unwrap();
    delete.undone().await.unwrap();
    delete.fall_back(Found::Off).await.unwrap();
    assert_eq!(root(id).await, Some(VolumeState::Error));
    finish(bed.claim(id, Action::Delete).await).await;
    assert_eq!(root(id).await, None);
    let failed = bed.resting(Stable::Error).await;
    assert_eq!(root(failed).await, Some(VolumeState::Error));
}

async fn a_resize_can_be_confirmed_and_reverted(bed: Bed) {
    let (old, new) = (default_catalog()[0].clone(), default_catalog()[3].clone());
    for origin in [Stable::Active, Stable::Stopped] {
        for (action, kept) in [(Action::ConfirmResize, &new), (Action::RevertResize, &old)] {
            let id = bed.resting(origin).await;
            let claim = bed.claim(id, Action::Resize).await;
            assert_eq!(bed.get(id).await.instance_type, old);
            finish(claim).await;
            assert_eq!(
                (bed.state(id).await, bed.get(id).await.instance_type),
                ("Resized", new.clone())
            );
            finish(bed.claim(id, action).await).await;
            assert_eq!(
                (bed.state(id).await, &bed.get(id).await.instance_type),
                (origin.state().as_str(), kept)
            );
        }
    }
}

async fn a_resize_without_a_type_is_refused(bed: Bed) {
    let id = bed.resting(Stable::Active).await;
    for params in [json!({}), json!(null), json!({ "instance_type": "m2.large" })] {
        let refused = bed.store.claim(id, Action::Resize, params, &by()).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
    }
    assert_eq!(bed.state(id).await, InstanceState::Active.as_str());
}

async fn the_journal_tells_the_operation(bed: Bed) {
    let mut claim = bed.building().await;
    let operation = claim.operation();
    let attempt = "attempt 1: libvirt is away".to_owned();
    claim
        .record(Entry {
            kind: EntryKind::Failed,
            message: Some(attempt),
            duration: None,
        })
        .await
        .unwrap();
    claim.advance(json!({}), Duration::from_micros(1_234)).await.unwrap();
    claim.undo(fault("no host")).await.unwrap();
    claim.undone().await.unwrap();
    claim.undone().await.unwrap();
    claim.fall_back(Found::Off).await.unwrap();
    let journal = bed.store.journal(operation).await.unwrap();
    let lines: Vec<_> = journal
        .iter()
        .map(|line| {
            (
                line.number,
                line.work.state().unwrap(),
                line.kind,
                line.message.as_deref().unwrap_or(""),
            )
        })
        .collect();
    assert_eq!(
        lines,
        [
            (1, "Building", EntryKind::Begun, "asked for by uid 0"),
            (2, "Building", EntryKind::Failed, "attempt 1: libvirt is away"),
            (3, "Building", EntryKind::Done, ""),
            (4, "Scheduling", EntryKind::Failed, "no host (hypervisor_error)"),
            (5, "Scheduling", EntryKind::Undone, ""),
            (6, "Building", EntryKind::Undone, ""),
            (
                7,
                "Building",
                EntryKind::Noted,
                "fell back to Error: no host (hypervisor_error)"
            ),
        ]
    );
    assert_eq!(journal[2].duration, Some(Duration::from_micros(1_234)));
}
