//! Lists: filtered, in either order, each page right after the one before whatever changes meanwhile.

use std::collections::HashSet;

use berth_model::{Action, InstanceState, Label, Labels, Sort, SortKey, Stable};
use berth_store::{InstanceFilter, Labelled, ListBy, NewInstance, OperationFilter, Phase};
use serde_json::json;

use crate::support::{Bed, by, finish, oldest};

on_both! {
    pages_follow_each_other_in_every_order_under_inserts_and_deletes
    all_labels_that_are_asked_for_have_to_be_there
    names_may_be_asked_for_by_their_beginning
    an_instance_is_listed_in_the_state_it_is_shown_in_and_in_no_other
    instances_are_listed_by_type_and_operations_by_what_they_do
}

fn labels(all: &[String]) -> Labels {
    Labels::of(all.iter().map(|label| label.parse::<Label>().unwrap())).unwrap()
}

async fn names(bed: &Bed, filter: &InstanceFilter, by: &ListBy) -> Vec<String> {
    let listed = bed.store.list_instances("default", filter, by).await.unwrap();
    listed.items.iter().map(|one| one.name.to_string()).collect()
}

async fn make(bed: &Bed, named: &str, of: &[String]) -> berth_model::InstanceId {
    let new = NewInstance {
        labels: labels(of),
        ..bed.new_instance(named)
    };
    let id = new.id;
    bed.store.create_instances(vec![new], &by()).await.unwrap();
    id
}

/// While pages are turned, an entry that was on the last page goes, and others come before and after the place.
async fn pages_follow_each_other_in_every_order_under_inserts_and_deletes(bed: Bed) {
    let add = async |named: &str| {
        bed.store
            .insert_keypair(&crate::support::keypair(named), &Labels::default())
            .await
            .unwrap();
    };
    bed.store.delete_keypair(bed.key.id, &bed.key.owner).await.unwrap();
    for key in SortKey::ALL {
        for descending in [false, true] {
            let sort = Sort { key: *key, descending };
            for number in 0..9 {
                add(&format!("key-{number}")).await;
            }
            let mut by = ListBy::first(2, sort);
            let (mut seen, mut turn) = (Vec::new(), 0);
            loop {
                let page = bed.store.list_keypairs("default", &by).await.unwrap();
                seen.extend(page.items.iter().map(|one| one.name.to_string()));
                let Some(last) = page.items.last().cloned() else { break };
                bed.store.delete_keypair(last.id, &last.owner).await.unwrap();
                turn += 1;
                add(&format!("key-{turn}-between")).await;
                match page.next {
                    Some(next) => {
                        assert_eq!(
                            next.to_string().parse(),
                            Ok(next.clone()),
                            "it survives the way there and back"
                        );
                        by.after = Some(next);
                    }
                    None => break,
                }
                assert!(turn < 20, "{sort}: {seen:?}");
            }
            let unique: HashSet<_> = seen.iter().collect();
            assert_eq!(unique.len(), seen.len(), "{sort}: nothing twice: {seen:?}");
            for number in 0..9 {
                assert!(
                    seen.contains(&format!("key-{number}")),
                    "{sort}: nothing left out: {seen:?}"
                );
            }
            let mut sorted = seen.clone();
            if *key == SortKey::Name {
                sorted.sort();
                if descending {
                    sorted.reverse();
                }
                assert_eq!(seen, sorted, "{sort}");
            }
            let all = bed.store.list_keypairs("default", &oldest()).await.unwrap();
            for key in all.items {
                bed.store.delete_keypair(key.id, &key.owner).await.unwrap();
            }
        }
    }
}

async fn all_labels_that_are_asked_for_have_to_be_there(bed: Bed) {
    let of = |labels: &[&str]| labels.iter().map(|label| (*label).to_owned()).collect::<Vec<_>>();
    make(&bed, "a", &of(&["env=prod", "tier=web"])).await;
    make(&bed, "b", &of(&["env=prod"])).await;
    make(&bed, "c", &of(&["env=test", "tier=web"])).await;
    make(&bed, "d", &[]).await;
    let asked = async |selectors: &[&str]| {
        let by = ListBy {
            labels: selectors.iter().map(|one| one.parse().unwrap()).collect(),
            ..oldest()
        };
        names(&bed, &InstanceFilter::default(), &by).await
    };
    assert_eq!(asked(&["env=prod"]).await, ["a", "b"]);
    assert_eq!(asked(&["tier"]).await, ["a", "c"]);
    assert_eq!(asked(&["env=prod", "tier=web"]).await, ["a"]);
    assert_eq!(asked(&["env=prod", "env=test"]).await, [] as [&str; 0]);
    // Images are of several projects.
    let patch = serde_json::from_value(json!({ "os": "debian" })).unwrap();
    bed.store
        .change_image(bed.image.id, |_| Ok::<_, berth_store::StoreError>(()), &patch)
        .await
        .unwrap();
    let by = ListBy {
        labels: vec!["os=debian".parse().unwrap()],
        ..oldest()
    };
    let images = bed
        .store
        .list_images("default", berth_store::ImageFilter::default(), &by)
        .await
        .unwrap();
    assert_eq!(images.items, std::slice::from_ref(&bed.image));
    bed.store
        .change_labels(Labelled::KeyPair(bed.key.id), &patch)
        .await
        .unwrap();
    assert_eq!(
        bed.store.list_keypairs("default", &by).await.unwrap().items,
        std::slice::from_ref(&bed.key)
    );
}

async fn names_may_be_asked_for_by_their_beginning(bed: Bed) {
    for named in ["web-1", "web-2", "web", "Web-3", "webber"] {
        make(&bed, named, &[]).await;
    }
    let asked = async |pattern: &str| {
        let by = ListBy {
            name: Some(pattern.parse().unwrap()),
            ..ListBy::first(9, Sort::NAME)
        };
        names(&bed, &InstanceFilter::default(), &by).await
    };
    assert_eq!(asked("web-*").await, ["web-1", "web-2"]);
    assert_eq!(asked("web").await, ["web"]);
    assert_eq!(asked("web-3").await, [] as [&str; 0], "big and small letters differ");
    assert_eq!(asked("*").await.len(), 5);
}

/// Every state that an instance passes through while it is made, and at rest.
async fn an_instance_is_listed_in_the_state_it_is_shown_in_and_in_no_other(bed: Bed) {
    let check = async |shown: InstanceState| {
        for state in InstanceState::ALL {
            let filter = InstanceFilter {
                state: Some(*state),
                ..InstanceFilter::default()
            };
            let found = names(&bed, &filter, &oldest()).await;
            assert_eq!(found.len(), usize::from(*state == shown), "{state} while it is {shown}");
        }
    };
    let new = bed.new_instance("web");
    let id = new.id;
    let mut claim = bed.store.create_instances(vec![new], &by()).await.unwrap().remove(0);
    check(InstanceState::Building).await;
    loop {
        let shown = claim.position().state();
        check(shown).await;
        if claim.position().next().is_none() {
            break;
        }
        claim.advance(json!({}), std::time::Duration::ZERO).await.unwrap();
    }
    finish(claim).await;
    check(InstanceState::Active).await;
    let stop = bed.claim(id, Action::Stop).await;
    check(InstanceState::PoweringOff).await;
    finish(stop).await;
    check(InstanceState::Stopped).await;
}

async fn instances_are_listed_by_type_and_operations_by_what_they_do(bed: Bed) {
    let id = bed.resting(Stable::Stopped).await;
    let web = bed.get(id).await;
    let of_type = async |named: &str| {
        let filter = InstanceFilter {
            instance_type: Some(named.to_owned()),
            image: Some(bed.image.id),
            ..InstanceFilter::default()
        };
        names(&bed, &filter, &oldest()).await
    };
    assert_eq!(of_type(&web.instance_type.name).await, [web.name.to_string()]);
    assert_eq!(of_type("t1").await, [] as [&str; 0]);
    let asked = async |actions: &[&str], phase| {
        let filter = OperationFilter {
            subject: Some(id.to_string()),
            actions: Some(actions.iter().map(|word| (*word).to_owned()).collect()),
            phase,
        };
        let listed = bed.store.list_operations(None, &filter, &oldest()).await.unwrap();
        listed.items.iter().map(|one| one.work.action()).collect::<Vec<_>>()
    };
    assert_eq!(asked(&["stop"], None).await, ["stop"]);
    assert_eq!(
        asked(&["create", "stop"], Some(Phase::Succeeded)).await,
        ["create", "stop"]
    );
    assert_eq!(asked(&["stop"], Some(Phase::Failed)).await, [] as [&str; 0]);
    assert_eq!(asked(&[], None).await, [] as [&str; 0]);
}
