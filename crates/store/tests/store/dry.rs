//! Dry runs: a request gets as far as its commit, is seen from within, and leaves nothing.

use std::sync::Arc;

use berth_model::{Action, Labels, Limit, Resource, Stable, Standing};
use berth_store::{ClaimError, DEFAULT_PROJECT, Dry, StoreError};
use serde_json::json;

use crate::support::*;

on_both! {
    what_is_tried_is_seen_from_within_and_leaves_nothing
    what_is_tried_is_refused_as_what_is_meant
    what_is_tried_ends_with_whoever_tried_it
    parts_are_one_and_build_on_each_other
}

async fn what_is_tried_is_seen_from_within_and_leaves_nothing(bed: Bed) {
    let id = bed.resting(Stable::Active).await;
    let (before, seq) = (bed.get(id).await, bed.store.last_seq().await.unwrap());
    let mut told = bed.store.subscribe();
    let dry = Arc::new(Dry::default());
    let claim = dry.scope(bed.store.claim(id, Action::Stop, json!({}), &by())).await;
    assert!(matches!(claim, Err(ClaimError::Store(StoreError::DryRun))), "{claim:?}");

    let tried = dry.tried().unwrap();
    assert_eq!(tried.events[0].state.as_deref(), Some("Powering-off"));
    let operations = dry.then(tried.operations(&bed.store)).await.unwrap();
    let within = dry.then(bed.store.instance(id)).await.unwrap().unwrap();
    assert_eq!(within.operation, Some(operations[0].id));
    assert_eq!(bed.get(id).await, before, "from without it is as it was");
    // What begins can be taken to its end there, by who would do so if it were meant.
    let claim = dry.then(bed.store.in_flight()).await.unwrap().pop().unwrap();
    dry.then(finish(claim)).await;
    let within = dry.then(bed.store.instance(id)).await.unwrap().unwrap();
    assert_eq!(within.standing, Standing::Resting(Stable::Stopped));
    dry.end().await;

    assert_eq!((bed.get(id).await, bed.store.last_seq().await.unwrap()), (before, seq));
    assert!(bed.store.in_flight().await.unwrap().is_empty());
    assert!(told.try_recv().is_err(), "no event is told");
    drop(bed.store.claim(id, Action::Stop, json!({}), &by()).await.unwrap());
}

async fn what_is_tried_is_refused_as_what_is_meant(bed: Bed) {
    let id = bed.resting(Stable::Stopped).await;
    let try_it = async |action| {
        let dry = Arc::new(Dry::default());
        let refused = dry
            .scope(bed.store.claim(id, action, json!({}), &by()))
            .await
            .unwrap_err();
        assert!(dry.tried().is_none(), "{refused}");
        refused.to_string()
    };
    let tried = try_it(Action::Stop).await;
    let meant = bed.store.claim(id, Action::Stop, json!({}), &by()).await.unwrap_err();
    assert_eq!(tried, meant.to_string());

    let none = [(Resource::Vpcs, Some(Limit::AtMost(0)))].into();
    bed.store.set_quotas(DEFAULT_PROJECT, &none).await.unwrap();
    let make = || async {
        let lab = "lab".parse().unwrap();
        bed.store.create_vpc(DEFAULT_PROJECT, &lab, &Labels::default()).await
    };
    let dry = Arc::new(Dry::default());
    let (tried, meant) = (dry.scope(make()).await.unwrap_err(), make().await.unwrap_err());
    assert!(matches!(tried, StoreError::QuotaExceeded { .. }), "{tried}");
    assert_eq!(tried.to_string(), meant.to_string());
}

async fn what_is_tried_ends_with_whoever_tried_it(bed: Bed) {
    let name = "lab".parse().unwrap();
    let dry = Arc::new(Dry::default());
    let tried = dry
        .scope(bed.store.create_vpc(DEFAULT_PROJECT, &name, &Labels::default()))
        .await;
    assert!(matches!(tried, Err(StoreError::DryRun)), "{tried:?}");
    // The right to write is free again, and the name too.
    drop(dry);
    bed.store
        .create_vpc(DEFAULT_PROJECT, &name, &Labels::default())
        .await
        .unwrap();
}

async fn parts_are_one_and_build_on_each_other(bed: Bed) {
    let name = "lab".parse().unwrap();
    let dry = Arc::new(Dry::default());
    let request = async {
        let vpc = Dry::part(bed.store.create_vpc(DEFAULT_PROJECT, &name, &Labels::default())).await?;
        // A task of its own goes on in the same.
        let (store, id) = (bed.store.clone(), vpc.id);
        tokio::spawn(Dry::carried(async move { store.delete_vpc(id).await }))
            .await
            .unwrap()
    };
    let tried = dry.scope(request).await;
    assert!(matches!(tried, Err(StoreError::DryRun)), "{tried:?}");
    let kinds: Vec<_> = dry
        .tried()
        .unwrap()
        .events
        .into_iter()
        .map(|event| event.kind)
        .collect();
    assert_eq!(kinds.last().map(String::as_str), Some("vpc.deleted"), "{kinds:?}");
    assert_eq!(kinds.first().map(String::as_str), Some("vpc.created"), "{kinds:?}");
}
