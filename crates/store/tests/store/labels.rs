//! Labels: written, changed and forgotten with their resource, whatever that is, and told of.

use std::time::Duration;

use berth_model::{Action, Gib, LABELS_MAX, Label, LabelPatch, Labels, LayerId, Name, PublicIpPool, User, VolumeId};
use berth_store::{
    Base, ChangePort, ChangeSubnet, ChangeVolume, Freeze, Labelled, NewInstance, NewPort, NewSnapshot, NewSubnet,
    NewVolume, StoreError, Task, VolumeOfNew,
};
use serde_json::json;
use sqlx::Row as _;

use crate::layers::end;
use crate::networks::new_port;
use crate::support::{Bed, by, fault, finish, image, keypair, name};
use crate::tasks::{create, freeze};

on_both! {
    labels_are_written_with_a_resource_changed_and_read_for_a_page
    a_patch_sets_takes_away_and_clears_and_is_told
    too_many_labels_change_nothing
    labels_go_with_an_instance_and_with_what_goes_with_it
    labels_go_with_volumes_and_snapshots
    labels_go_with_networks_images_and_key_pairs
    labels_of_a_project_and_its_key_pairs_go_with_it
    what_an_operation_makes_is_labelled_when_it_is_there
}

fn labels(all: &[&str]) -> Labels {
    Labels::of(all.iter().map(|label| label.parse::<Label>().unwrap())).unwrap()
}

fn patch(json: serde_json::Value) -> LabelPatch {
    serde_json::from_value(json).unwrap()
}

async fn of(bed: &Bed, id: impl ToString) -> Labels {
    let all = bed.store.labels_of(&[id.to_string()]).await.unwrap();
    all.into_values().next().unwrap_or_default()
}

/// How many labels there are at all, of whatever.
async fn left(bed: &Bed) -> i64 {
    let mut connection = bed.connect().await;
    let row = sqlx::query("SELECT COUNT(*) AS amount FROM labels").fetch_one(&mut connection);
    row.await.unwrap().get("amount")
}

async fn labels_are_written_with_a_resource_changed_and_read_for_a_page(bed: Bed) {
    let new = |named, all: &[&str]| NewInstance {
        labels: labels(all),
        ..bed.new_instance(named)
    };
    let (web, db) = (new("web", &["env=prod", "tier=front"]), new("db", &[]));
    let ids = [web.id, db.id];
    bed.store.create_instances(vec![web, db], &by()).await.unwrap();
    let all = bed.store.labels_of(&ids).await.unwrap();
    assert_eq!(all.get(&ids[0].to_string()), Some(&labels(&["env=prod", "tier=front"])));
    assert_eq!(all.len(), 1, "what has none isn't mentioned");
    assert!(bed.store.labels_of(&[] as &[VolumeId]).await.unwrap().is_empty());
}

async fn a_patch_sets_takes_away_and_clears_and_is_told(bed: Bed) {
    let vpc = bed
        .store
        .create_vpc("default", &name("lab"), &labels(&["env=test", "owner=me"]))
        .await
        .unwrap();
    let seq = bed.store.last_seq().await.unwrap();
    let change = async |json| bed.store.change_vpc(vpc.id, None, &patch(json)).await.unwrap();
    change(json!({ "env": "prod", "owner": null, "new": "" })).await;
    assert_eq!(of(&bed, vpc.id).await, labels(&["env=prod", "new="]));
    change(json!({})).await;
    change(json!(null)).await;
    assert_eq!(of(&bed, vpc.id).await, Labels::default());
    let told = bed.store.events_after(None, seq, 10).await.unwrap();
    let told: Vec<_> = told
        .iter()
        .map(|event| (event.kind.as_str(), event.resource.as_str()))
        .collect();
    let id = vpc.id.to_string();
    assert_eq!(
        told,
        [("vpc.changed", id.as_str()); 2],
        "one that changes nothing isn't told"
    );
}

async fn too_many_labels_change_nothing(bed: Bed) {
    let many: Vec<_> = (0..LABELS_MAX).map(|number| format!("key-{number}=x")).collect();
    let many = labels(&many.iter().map(String::as_str).collect::<Vec<_>>());
    let key = Labelled::KeyPair(bed.key.id);
    let all: serde_json::Value = serde_json::to_value(&many).unwrap();
    bed.store.change_labels(key, &patch(all)).await.unwrap();
    let refused = bed.store.change_labels(key, &patch(json!({ "one-more": "x" }))).await;
    assert!(matches!(refused, Err(StoreError::Label(_))), "{refused:?}");
    assert_eq!(of(&bed, bed.key.id).await, many);
    bed.store
        .change_labels(key, &patch(json!({ "one-more": "x", "key-0": null })))
        .await
        .unwrap();
}

/// An instance with a volume, a port and a public IP of its own, each with a label; and what stays when it goes.
async fn labels_go_with_an_instance_and_with_what_goes_with_it(bed: Bed) {
    let (one, team) = (labels(&["team=red"]), patch(json!({ "team": "red" })));
    let disk = VolumeId::new();
    let web = NewInstance {
        labels: one.clone(),
        volumes: vec![VolumeOfNew::New {
            id: disk,
            layer: LayerId::new(),
            name: name("web-data"),
            size: Gib(1),
            delete_on_termination: true,
        }],
        ..bed.new_instance("web")
    };
    let id = web.id;
    for claim in bed.store.create_instances(vec![web], &by()).await.unwrap() {
        finish(claim).await;
    }
    let relabel = ChangeVolume {
        labels: team.clone(),
        ..ChangeVolume::default()
    };
    bed.store.change_volume(disk, &relabel).await.unwrap();
    let port = bed.store.ports_of_instance(id).await.unwrap().remove(0);
    let change = ChangePort {
        labels: team.clone(),
        ..ChangePort::default()
    };
    bed.store.change_port(port.id, change).await.unwrap();
    let pools = [PublicIpPool {
        name: "lab".to_owned(),
        interface: None,
        ranges: vec!["203.0.113.0/29".parse().unwrap()],
    }];
    bed.store.give_public_ip(port.id, &pools, &one).await.unwrap();
    let fixed = bed
        .store
        .allocate_public_ip("default", &pools, None, &one)
        .await
        .unwrap();
    assert_eq!(left(&bed).await, 5);
    finish(bed.claim(id, Action::Delete).await).await;
    assert_eq!(left(&bed).await, 1, "the static public IP is the project's");
    bed.store.release_public_ip(fixed.id).await.unwrap();
    assert_eq!(left(&bed).await, 0);
}

async fn labels_go_with_volumes_and_snapshots(bed: Bed) {
    let one = labels(&["team=red"]);
    let (new, task) = create(Base::default(), None);
    let new = NewVolume {
        labels: one.clone(),
        ..new
    };
    end(bed.store.create_volume(&new, task, &by()).await.unwrap(), None).await;
    let volume = bed.store.volume(new.id).await.unwrap().unwrap();
    let snapshot = |freeze: Freeze| NewSnapshot {
        volume: volume.id,
        id: freeze.snapshot,
        name: name("before"),
        labels: one.clone(),
    };
    for fails in [Some(true), None] {
        let taken = freeze(&volume);
        let task = Task::SnapshotVolumes { freezes: vec![taken] };
        let claim = bed
            .store
            .begin_snapshots(&[snapshot(taken)], task, &by())
            .await
            .unwrap();
        assert_eq!(left(&bed).await, 2);
        end(claim, fails).await;
        if fails.is_none() {
            bed.store.delete_snapshot(taken.snapshot).await.unwrap();
        }
        assert_eq!(left(&bed).await, 1, "failed, or taken and deleted");
    }
    let delete = Task::DeleteVolume { volume: new.id };
    end(bed.store.begin_task(delete, &by()).await.unwrap(), None).await;
    assert_eq!(left(&bed).await, 0);
}

async fn labels_go_with_networks_images_and_key_pairs(bed: Bed) {
    let one = labels(&["team=red"]);
    let vpc = bed.store.create_vpc("default", &name("lab"), &one).await.unwrap();
    let db = (name("db"), String::new());
    let group = bed.store.create_group(vpc.id, db, &one).await.unwrap();
    let subnet = NewSubnet {
        vpc: vpc.id,
        name: name("front"),
        cidr: "10.9.0.0/24".parse().unwrap(),
        dns: Vec::new(),
        ntp: Vec::new(),
        nat: true,
        labels: one.clone(),
    };
    let subnet = bed.store.create_subnet(subnet).await.unwrap();
    let change = ChangeSubnet {
        labels: patch(json!({ "tier": "front" })),
        ..ChangeSubnet::default()
    };
    bed.store.change_subnet(subnet.id, change).await.unwrap();
    assert_eq!(of(&bed, subnet.id).await, labels(&["team=red", "tier=front"]));
    let vip = NewPort {
        labels: one.clone(),
        ..new_port(subnet.id)
    };
    let vip = bed.store.create_port(vip).await.unwrap();
    let (picture, key) = (image("golden"), keypair("second"));
    bed.store.insert_image(&picture, &one).await.unwrap();
    bed.store.insert_keypair(&key, &one).await.unwrap();
    assert_eq!(left(&bed).await, 7);

    bed.store.delete_port(vip.id).await.unwrap();
    bed.store.delete_group(group.id).await.unwrap();
    bed.store.delete_subnet(subnet.id).await.unwrap();
    bed.store.delete_vpc(vpc.id).await.unwrap();
    bed.store.delete_image(picture.id).await.unwrap();
    bed.store.delete_keypair(key.id, &User::root()).await.unwrap();
    assert_eq!(left(&bed).await, 0);
}

async fn labels_of_a_project_and_its_key_pairs_go_with_it(bed: Bed) {
    let lab: Name = name("lab");
    bed.store
        .create_project(&lab, "", &labels(&["cost=center-7"]))
        .await
        .unwrap();
    bed.store
        .change_project("lab", None, &patch(json!({ "owner": "me" })))
        .await
        .unwrap();
    assert_eq!(of(&bed, "lab").await, labels(&["cost=center-7", "owner=me"]));
    let mut key = keypair("laptop");
    "lab".clone_into(&mut key.project);
    bed.store.insert_keypair(&key, &labels(&["who=me"])).await.unwrap();
    bed.store.delete_project("lab").await.unwrap();
    assert_eq!(left(&bed).await, 0);
}

async fn what_an_operation_makes_is_labelled_when_it_is_there(bed: Bed) {
    let made = image("fetched");
    let task = || Task::ImportImage {
        image: Box::new(made.clone()),
        url: "http://localhost".to_owned(),
        expected: None,
        labels: labels(&["from=far"]),
    };
    let mut failed = bed.store.begin_import(task(), &by()).await.unwrap();
    failed.undo(fault("no such host")).await.unwrap();
    failed.fail(json!({}), None).await.unwrap();
    assert_eq!(left(&bed).await, 0, "an image that never was has no labels");
    let claim = bed.store.begin_import(task(), &by()).await.unwrap();
    claim
        .commit(json!({ berth_store::MADE_IMAGE: made }), Duration::ZERO)
        .await
        .unwrap();
    assert_eq!(of(&bed, made.id).await, labels(&["from=far"]));
}
