//! A crash at every point: what was in flight is found again, where it was, with what it remembered.

use berth_model::{Action, Fallback, Labels, Position, Standing};
use berth_store::{ClaimError, Entry, EntryKind, Found};
use serde_json::json;

use crate::support::*;

on_both! {
    every_step_is_found_again
    every_undo_is_found_again
    the_memo_survives
    of_two_claims_to_one_operation_one_goes_on
    what_has_ended_is_not_in_flight
    a_request_that_goes_away_leaves_no_half_of_it
}

async fn every_step_is_found_again(mut bed: Bed) {
    for position in every_position() {
        let claim = bed.moving(position).await;
        let (id, operation, origin) = (claim.instance(), claim.operation(), claim.origin());
        let asked = claim.params().clone();
        drop(claim);
        bed.restart().await;
        let mut found = bed.store.in_flight().await.unwrap();
        assert_eq!(found.len(), 1);
        let found = found.pop().unwrap();
        assert_eq!((found.instance(), found.operation()), (id, operation));
        assert_eq!(
            (found.position(), found.origin(), found.undoing()),
            (position, origin, false)
        );
        assert_eq!(found.params(), &asked);
        finish(found).await;
        assert!(!matches!(
            bed.store.instance(id).await.unwrap().map(|it| it.standing),
            Some(Standing::Moving { .. })
        ));
    }
}

async fn every_undo_is_found_again(mut bed: Bed) {
    let positions = every_position().into_iter();
    for position in positions.filter(|position| !matches!(position.action().row().on_failure, Fallback::Becomes(_))) {
        let mut claim = bed.moving(position).await;
        let (id, why) = (claim.instance(), fault("no"));
        claim.undo(why.clone()).await.unwrap();
        drop(claim);
        loop {
            bed.restart().await;
            let mut claim = bed.store.in_flight().await.unwrap().pop().unwrap();
            assert!(claim.undoing());
            assert_eq!(claim.fault(), Some(&why));
            if !claim.undone().await.unwrap() {
                break;
            }
        }
        bed.restart().await;
        let mut claim = bed.store.in_flight().await.unwrap().pop().unwrap();
        assert!(
            !claim.undone().await.unwrap(),
            "the first step is undone once more: that is safe"
        );
        claim.fall_back(Found::Off).await.unwrap();
        assert_eq!(bed.get(id).await.fault, Some(why));
    }
}

async fn the_memo_survives(mut bed: Bed) {
    let mut claim = bed.building().await;
    assert_eq!(claim.memo(), &json!({}));
    let memo = json!({ "tap": "tap0", "nested": { "list": [1, "zwei", null] } });
    claim.save(memo.clone()).await.unwrap();
    drop(claim);
    bed.restart().await;
    let mut claim = bed.store.in_flight().await.unwrap().pop().unwrap();
    assert_eq!(claim.memo(), &memo);
    let memo = json!({ "tap": "tap1" });
    claim.advance(memo.clone(), std::time::Duration::ZERO).await.unwrap();
    assert_eq!(claim.memo(), &memo);
    drop(claim);
    bed.restart().await;
    assert_eq!(bed.store.in_flight().await.unwrap().pop().unwrap().memo(), &memo);
}

async fn of_two_claims_to_one_operation_one_goes_on(bed: Bed) {
    let mut first = bed.building().await;
    let mut second = bed.store.in_flight().await.unwrap().pop().unwrap();
    advance(&mut first).await;
    let line = Entry {
        kind: EntryKind::Noted,
        message: None,
        duration: None,
    };
    assert!(matches!(second.record(line).await, Err(ClaimError::Lost)));
    assert!(matches!(
        second.advance(json!({}), std::time::Duration::ZERO).await,
        Err(ClaimError::Lost)
    ));
    finish(first).await;
}

async fn what_has_ended_is_not_in_flight(bed: Bed) {
    let id = bed.building().await.instance();
    let delete = bed.claim(id, Action::Delete).await;
    let operation = delete.operation();
    let found: Vec<_> = bed
        .store
        .in_flight()
        .await
        .unwrap()
        .iter()
        .map(berth_store::Claim::operation)
        .collect();
    assert_eq!(found, [operation]);
    finish(delete).await;
    assert!(bed.store.in_flight().await.unwrap().is_empty());
}

/// Requests are dropped at random points: what was committed is told, what wasn't leaves nothing.
async fn a_request_that_goes_away_leaves_no_half_of_it(bed: Bed) {
    let mut events = bed.store.subscribe();
    let before = bed.store.last_seq().await.unwrap();
    for round in 0..150 {
        let new = bed.new_instance(&format!("web-{round}"));
        let patience = std::time::Duration::from_micros(round * 60);
        let _ = tokio::time::timeout(patience, bed.store.create_instances(vec![new], &by())).await;
    }
    bed.store
        .insert_keypair(&keypair("last"), &Labels::default())
        .await
        .unwrap();
    let committed = bed.store.events_after(None, before, 1000).await.unwrap();
    for event in &committed {
        assert_eq!(*events.recv().await.unwrap(), *event);
    }
    assert!(events.try_recv().is_err());
    let numbers: Vec<_> = committed.iter().map(|event| event.seq).collect();
    assert_eq!(
        numbers,
        (before + 1..=before + i64::try_from(committed.len()).unwrap()).collect::<Vec<_>>()
    );
    let instances = usize::try_from(bed.store.count_instances().await.unwrap()).unwrap();
    assert_eq!(instances, committed.len() - 1);
    assert_eq!(bed.store.in_flight().await.unwrap().len(), instances);
    assert!(
        bed.store
            .in_flight()
            .await
            .unwrap()
            .iter()
            .all(|it| it.position() == Position::first(Action::Create))
    );
}
