//! Quotas: what is refused, in which words, and that a refusal has changed nothing.

use std::collections::BTreeMap;

use berth_model::{Action, Code, Gib, Labels, Limit, QuotaLimits, Resource, Stable, default_catalog};
use berth_store::{ClaimError, KeyPairRecord, Task};
use serde_json::json;

use crate::networks::all;
use crate::support::*;

on_both! {
    a_create_is_refused_as_a_whole_in_words_that_help
    parallel_creates_never_overshoot
    a_resize_and_an_unshelve_are_refused_with_nothing_changed
    an_extend_that_fails_gives_back_what_it_was_charged
    a_limit_below_what_is_used_takes_nothing_away
    what_an_older_daemon_has_made_is_charged_once
    a_project_that_is_deleted_leaves_no_quotas_and_no_counters
    a_counter_that_is_wrong_is_told
}

async fn set(bed: &Bed, resource: Resource, limit: Option<Limit>) {
    let limits = BTreeMap::from([(resource, limit)]);
    bed.store.set_quotas("default", &limits).await.unwrap();
}

async fn used(bed: &Bed, resource: Resource) -> u64 {
    let quotas = bed.store.quotas("default").await.unwrap();
    quotas.iter().find(|quota| quota.resource == resource).unwrap().used
}

async fn a_create_is_refused_as_a_whole_in_words_that_help(bed: Bed) {
    set(&bed, Resource::Vcpus, Some(Limit::AtMost(4))).await;
    let two = vec![bed.new_instance("a"), bed.new_instance("b")];
    drop(bed.store.create_instances(two, &by()).await.unwrap());
    let more = ["c", "d", "e"].map(|name| bed.new_instance(name));
    let seq = bed.store.last_seq().await.unwrap();
    let refused = bed.store.create_instances(more.to_vec(), &by()).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "quota vcpus of project 'default': 2 of 4 used, 3 more asked for: delete something, or ask the operator for more"
    );
    assert_eq!(refused.code(), Code::QuotaExceeded);
    assert_eq!(bed.store.count_instances().await.unwrap(), 2);
    assert_eq!(bed.store.last_seq().await.unwrap(), seq);
    assert_eq!(
        (used(&bed, Resource::Vcpus).await, used(&bed, Resource::Volumes).await),
        (2, 2)
    );
    drop(bed.store.create_instances(more[..2].to_vec(), &by()).await.unwrap());
    // Another project has quotas of its own.
    assert!(
        bed.store
            .quotas("other")
            .await
            .unwrap()
            .iter()
            .all(|quota| quota.used == 0 && !quota.set)
    );
}

async fn parallel_creates_never_overshoot(bed: Bed) {
    set(&bed, Resource::Instances, Some(Limit::AtMost(7))).await;
    let creates = (0..30).map(|number| {
        let (store, new) = (bed.store.clone(), bed.new_instance(&format!("i-{number}")));
        tokio::spawn(async move { store.create_instances(vec![new], &by()).await.map(drop) })
    });
    let creates: Vec<_> = creates.collect();
    let mut accepted = 0;
    for create in creates {
        match create.await.unwrap() {
            Ok(()) => accepted += 1,
            Err(refused) => assert_eq!(refused.code(), Code::QuotaExceeded),
        }
    }
    assert_eq!((accepted, used(&bed, Resource::Instances).await), (7, 7));
}

async fn a_resize_and_an_unshelve_are_refused_with_nothing_changed(bed: Bed) {
    let (one, shelved) = (
        bed.resting(Stable::Active).await,
        bed.resting(Stable::ShelvedOffloaded).await,
    );
    assert_eq!(used(&bed, Resource::MemoryMib).await, 128, "nothing of what is shelved");
    set(&bed, Resource::MemoryMib, Some(Limit::AtMost(128))).await;
    for (id, action) in [(one, Action::Resize), (shelved, Action::Unshelve)] {
        let (before, volumes) = (bed.get(id).await, bed.store.volumes_of_instance(id).await.unwrap());
        let refused = bed.store.claim(id, action, params(action), &by()).await.unwrap_err();
        assert_eq!(refused.code(), Code::QuotaExceeded, "{refused}");
        assert!(matches!(refused, ClaimError::Store(_)));
        assert_eq!(bed.get(id).await, before);
        assert_eq!(bed.store.volumes_of_instance(id).await.unwrap(), volumes);
        assert!(
            bed.store
                .operations_on("default", &id.to_string(), all())
                .await
                .unwrap()
                .iter()
                .all(|it| it.phase.is_final())
        );
    }
    set(&bed, Resource::MemoryMib, None).await;
    // Both types are held until it is known which one it keeps.
    let (small, large) = (default_catalog()[0].clone(), default_catalog()[3].clone());
    finish(bed.claim(one, Action::Resize).await).await;
    assert_eq!(used(&bed, Resource::MemoryMib).await, large.memory.0);
    finish(bed.claim(one, Action::RevertResize).await).await;
    assert_eq!(used(&bed, Resource::MemoryMib).await, small.memory.0);
    let claim = bed.claim(shelved, Action::Unshelve).await;
    assert_eq!(used(&bed, Resource::MemoryMib).await, 2 * small.memory.0);
    finish(claim).await;
    assert_eq!(used(&bed, Resource::Vcpus).await, 2);
}

async fn an_extend_that_fails_gives_back_what_it_was_charged(bed: Bed) {
    let id = bed.resting(Stable::Active).await;
    let root = bed.store.volumes_of_instance(id).await.unwrap().remove(0);
    let extend = |size| Task::ExtendVolume {
        volume: root.id,
        from: root.size,
        size: Gib(size),
    };
    set(&bed, Resource::VolumeGb, Some(Limit::AtMost(20))).await;
    let refused = bed.store.begin_task(extend(21), &by()).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "quota volume_gb of project 'default': 8 of 20 used, 13 more asked for: delete something, or ask the operator for more"
    );
    let mut claim = bed.store.begin_task(extend(20), &by()).await.unwrap();
    assert_eq!(used(&bed, Resource::VolumeGb).await, 20);
    claim.undo(fault("no")).await.unwrap();
    claim.fail(json!({}), None).await.unwrap();
    assert_eq!(used(&bed, Resource::VolumeGb).await, 8);
}

async fn a_limit_below_what_is_used_takes_nothing_away(bed: Bed) {
    bed.store
        .set_default_quotas(QuotaLimits::from_iter([(Resource::KeyPairs, Limit::AtMost(2))]));
    bed.store
        .insert_keypair(&keypair("two"), &Labels::default())
        .await
        .unwrap();
    let refused = bed
        .store
        .insert_keypair(&keypair("three"), &Labels::default())
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::QuotaExceeded);
    set(&bed, Resource::KeyPairs, Some(Limit::Unlimited)).await;
    let three = keypair("three");
    bed.store.insert_keypair(&three, &Labels::default()).await.unwrap();
    set(&bed, Resource::KeyPairs, Some(Limit::AtMost(0))).await;
    let quotas = bed.store.quotas("default").await.unwrap();
    let quota = quotas
        .iter()
        .find(|quota| quota.resource == Resource::KeyPairs)
        .unwrap();
    assert_eq!((quota.used, quota.limit, quota.set), (3, Limit::AtMost(0), true));
    bed.store.delete_keypair(three.id, &three.owner).await.unwrap();
    assert!(bed.store.insert_keypair(&three, &Labels::default()).await.is_err());
    set(&bed, Resource::KeyPairs, None).await;
    assert!(
        bed.store.insert_keypair(&three, &Labels::default()).await.is_err(),
        "the default again"
    );
}

async fn what_an_older_daemon_has_made_is_charged_once(mut bed: Bed) {
    bed.resting(Stable::Active).await;
    drop(bed.building().await);
    let before = bed.store.quotas("default").await.unwrap();
    bed.store.close().await;
    bed.execute("DELETE FROM charges").await;
    bed.execute("UPDATE counters SET value = 0 WHERE name = 'charged'")
        .await;
    for _ in 0..2 {
        bed.restart().await;
        assert_eq!(bed.store.quotas("default").await.unwrap(), before);
        assert_eq!(bed.store.miscounted().await.unwrap(), []);
    }
}

async fn a_project_that_is_deleted_leaves_no_quotas_and_no_counters(bed: Bed) {
    let shop = name("shop");
    bed.store.create_project(&shop, "", &Labels::default()).await.unwrap();
    let pair = KeyPairRecord {
        project: "shop".to_owned(),
        ..keypair("laptop")
    };
    bed.store.insert_keypair(&pair, &Labels::default()).await.unwrap();
    let one = BTreeMap::from([(Resource::KeyPairs, Some(Limit::AtMost(1)))]);
    bed.store.set_quotas("shop", &one).await.unwrap();
    bed.store.delete_project("shop").await.unwrap();
    assert_eq!(bed.store.miscounted().await.unwrap(), []);
    assert_eq!(
        bed.store.set_quotas("shop", &one).await.unwrap_err().code(),
        Code::NotFound
    );
    bed.store.create_project(&shop, "", &Labels::default()).await.unwrap();
    assert!(
        bed.store
            .quotas("shop")
            .await
            .unwrap()
            .iter()
            .all(|quota| quota.used == 0 && !quota.set)
    );
}

async fn a_counter_that_is_wrong_is_told(bed: Bed) {
    bed.execute("UPDATE charges SET used = used + 1 WHERE resource = 'vpcs'")
        .await;
    let wrong = bed.store.miscounted().await.unwrap();
    assert_eq!(wrong.len(), 1);
    assert_eq!(
        (wrong[0].resource, wrong[0].charged, wrong[0].counted),
        (Resource::Vpcs, 2, 1)
    );
}
