//! Requests that are sent again: they begin nothing, and are answered with what the first one began.

use berth_model::{Action, Code, Stable};
use berth_store::{ClaimError, Once, Requester, StoreError};
use serde_json::json;

use crate::support::*;

on_both! {
    a_claim_with_a_key_is_made_once
    a_create_with_a_key_is_made_once_and_all_of_it_is_told
    a_key_is_its_requesters_and_its_requests
    a_request_that_was_refused_leaves_no_key
    of_the_same_request_twice_at_once_one_is_begun
    a_key_is_forgotten_after_a_day
}

fn keyed(who: &str, key: &str, asked: &str) -> Requester {
    Requester {
        who: who.to_owned(),
        once: Some(Once {
            key: key.parse().unwrap(),
            fingerprint: asked.to_owned(),
        }),
    }
}

async fn a_claim_with_a_key_is_made_once(mut bed: Bed) {
    let id = bed.resting(Stable::Active).await;
    let by = keyed("uid 0", "k", "reboot");
    assert_eq!(bed.store.answered(&by).await.unwrap(), None);
    let claim = bed.store.claim(id, Action::HardReboot, json!({}), &by).await.unwrap();
    let operation = claim.operation();
    drop(claim);
    bed.restart().await;
    let told = bed.store.answered(&by).await.unwrap().unwrap();
    assert_eq!(told, [bed.store.operation(operation).await.unwrap().unwrap()]);

    let claim = bed.store.in_flight().await.unwrap().pop().unwrap();
    finish(claim).await;
    let told = bed.store.answered(&by).await.unwrap().unwrap();
    assert!(told[0].phase.is_final(), "it is told as it stands now");
    let before = bed.get(id).await;
    let again = bed.store.claim(id, Action::HardReboot, json!({}), &by).await;
    assert!(
        matches!(again, Err(ClaimError::Store(StoreError::Repeated))),
        "{again:?}"
    );
    assert_eq!(bed.get(id).await, before, "nothing was begun");
}

async fn a_create_with_a_key_is_made_once_and_all_of_it_is_told(bed: Bed) {
    let by = keyed("uid 0", "k", "create");
    let new = ["a", "b", "c"].map(|named| bed.new_instance(named)).to_vec();
    let claims = bed.store.create_instances(new, &by).await.unwrap();
    let told = bed.store.answered(&by).await.unwrap().unwrap();
    let ids = |told: &[berth_store::OperationRecord]| told.iter().map(|one| one.id).collect::<Vec<_>>();
    assert_eq!(
        ids(&told),
        claims.iter().map(berth_store::Claim::operation).collect::<Vec<_>>()
    );
    let again = bed.store.create_instances(vec![bed.new_instance("d")], &by).await;
    assert!(matches!(again, Err(StoreError::Repeated)), "{again:?}");
    assert_eq!(bed.store.count_instances().await.unwrap(), 3, "none of it was made");
}

async fn a_key_is_its_requesters_and_its_requests(bed: Bed) {
    let id = bed.resting(Stable::Active).await;
    let by = keyed("uid 0", "k", "stop web");
    let claim = bed.store.claim(id, Action::Stop, json!({}), &by).await.unwrap();
    let refused = bed.store.answered(&keyed("uid 0", "k", "stop db")).await.unwrap_err();
    assert_eq!(refused.code(), Code::IdempotencyKeyReused, "{refused}");
    assert_eq!(bed.store.answered(&keyed("uid 1", "k", "stop db")).await.unwrap(), None);
    assert_eq!(bed.store.answered(&Requester::new("uid 0")).await.unwrap(), None);
    finish(claim).await;
    let other = keyed("uid 1", "k", "start web");
    finish(bed.store.claim(id, Action::Start, json!({}), &other).await.unwrap()).await;
}

async fn a_request_that_was_refused_leaves_no_key(bed: Bed) {
    let id = bed.resting(Stable::Active).await;
    let by = keyed("uid 0", "k", "start web");
    let refused = bed.store.claim(id, Action::Start, json!({}), &by).await;
    assert!(matches!(refused, Err(ClaimError::Refused { .. })), "{refused:?}");
    assert_eq!(bed.store.answered(&by).await.unwrap(), None);
    finish(bed.claim(id, Action::Stop).await).await;
    finish(bed.store.claim(id, Action::Start, json!({}), &by).await.unwrap()).await;
}

async fn of_the_same_request_twice_at_once_one_is_begun(bed: Bed) {
    for round in 0..10 {
        let by = keyed("uid 0", &format!("k{round}"), "create");
        let ask = || {
            let (store, by, new) = (bed.store.clone(), by.clone(), bed.new_instance(&format!("i{round}")));
            tokio::spawn(async move { store.create_instances(vec![new], &by).await })
        };
        let (one, other) = (ask(), ask());
        let results = [one.await.unwrap(), other.await.unwrap()];
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        assert_eq!(bed.store.answered(&by).await.unwrap().unwrap().len(), 1);
    }
}

async fn a_key_is_forgotten_after_a_day(bed: Bed) {
    let new = |named: &str, key: &str| {
        let (store, by, new) = (
            bed.store.clone(),
            keyed("uid 0", key, "create"),
            bed.new_instance(named),
        );
        async move { store.create_instances(vec![new], &by).await }
    };
    new("old", "old").await.unwrap();
    new("young", "young").await.unwrap();
    let (day, minute) = (86_400_000_000_i64, 60_000_000_i64);
    for (key, age) in [("old", day + minute), ("young", day - minute)] {
        bed.execute(&format!(
            "UPDATE idempotency SET created_at = created_at - {age} WHERE idempotency_key = '{key}'"
        ))
        .await;
    }
    new("new", "new").await.unwrap();
    let known = async |key| {
        bed.store
            .answered(&keyed("uid 0", key, "create"))
            .await
            .unwrap()
            .is_some()
    };
    assert_eq!(
        (known("old").await, known("young").await, known("new").await),
        (false, true, true)
    );
}
