//! Operations on volumes: accepted and refused as the table says, taken back by whoever is faster, and undone as far as
//! they can be.

use std::time::Duration;

use berth_model::{Action, Code, Gib, Labels, LayerId, Name, SnapshotId, Stable, VolumeAction, VolumeId, VolumeState};
use berth_store::{
    Back, Base, CONSISTENCY, ChangeVolume, ClaimError, Freeze, GROWN, MOVED, NewSnapshot, NewVolume, StoreError, Task,
    TaskClaim, VolumeOfNew, VolumeRecord,
};
use serde_json::{Value, json};

use crate::support::*;

on_both! {
    every_action_is_accepted_where_the_table_has_it_and_nowhere_else
    what_is_under_way_is_not_begun_again
    a_cancel_takes_the_claim
    what_a_guest_has_seen_stays_when_it_is_undone
    a_volume_in_doubt_goes_only_after_its_instance
    volumes_go_with_their_instance_as_they_were_told
    a_shelved_root_volume_has_no_layer_and_an_unshelved_one_a_new_one
    a_volume_is_changed_in_all_that_is_asked_or_in_nothing
}

/// Nothing to remember.
pub(crate) fn nothing() -> Value {
    json!({})
}

/// What a step that freezes remembers.
pub(crate) fn crash_consistent() -> Value {
    json!({ CONSISTENCY: "crash" })
}

/// What a new volume is, and the task that makes it.
pub(crate) fn create(base: Base, freeze: Option<Freeze>) -> (NewVolume, Task) {
    let id = VolumeId::new();
    let new = NewVolume {
        id,
        project: "default".to_owned(),
        name: name(&format!("v-{id}")),
        volume_type: "ssd".to_owned(),
        labels: Labels::default(),
    };
    let task = Task::CreateVolume {
        volume: id,
        layer: LayerId::new(),
        base,
        size: Gib(1),
        freeze,
    };
    (new, task)
}

/// The instant of a volume as it is now.
pub(crate) fn freeze(volume: &VolumeRecord) -> Freeze {
    Freeze {
        volume: volume.id,
        layer: volume.layer.unwrap(),
        onto: LayerId::new(),
        snapshot: SnapshotId::new(),
    }
}

/// Begins a snapshot.
pub(crate) async fn begin_snapshot(bed: &Bed, freeze: Freeze) -> Result<TaskClaim, StoreError> {
    let new = NewSnapshot {
        volume: freeze.volume,
        id: freeze.snapshot,
        name: name(&format!("s-{}", freeze.snapshot)),
        labels: Labels::default(),
    };
    let task = Task::SnapshotVolumes { freezes: vec![freeze] };
    bed.store.begin_snapshots(&[new], task, &by()).await
}

async fn get(bed: &Bed, id: VolumeId) -> VolumeRecord {
    bed.store.volume(id).await.unwrap().unwrap()
}

async fn blank(bed: &Bed) -> VolumeRecord {
    let (new, task) = create(Base::default(), None);
    let mut claim = bed.store.create_volume(&new, task, &by()).await.unwrap();
    claim.advance(nothing(), Duration::ZERO).await.unwrap();
    claim.commit(nothing(), Duration::ZERO).await.unwrap();
    get(bed, new.id).await
}

async fn attached(bed: &Bed) -> (VolumeRecord, berth_model::InstanceId) {
    let (volume, instance) = (blank(bed).await, bed.resting(Stable::Active).await);
    let task = Task::AttachVolume {
        volume: volume.id,
        instance,
        delete_on_termination: false,
    };
    let claim = bed.store.begin_task(task, &by()).await.unwrap();
    claim.commit(nothing(), Duration::ZERO).await.unwrap();
    (get(bed, volume.id).await, instance)
}

/// Begins an action on a volume that is there.
async fn begin(bed: &Bed, action: VolumeAction, volume: &VolumeRecord) -> Result<TaskClaim, StoreError> {
    let instance = match volume.instance {
        Some(instance) => instance,
        None => bed.resting(Stable::Stopped).await,
    };
    let id = volume.id;
    let task = match action {
        VolumeAction::Create => unreachable!("there is no volume yet"),
        VolumeAction::Attach => Task::AttachVolume {
            volume: id,
            instance,
            delete_on_termination: false,
        },
        VolumeAction::Detach => Task::DetachVolume {
            volume: id,
            instance,
            seconds: 1,
        },
        VolumeAction::Extend => Task::ExtendVolume {
            volume: id,
            from: volume.size,
            size: Gib(2),
        },
        VolumeAction::Snapshot => return begin_snapshot(bed, freeze(volume)).await,
        VolumeAction::SaveAsImage => Task::SaveAsImage {
            volume: id,
            layer: volume.layer.unwrap(),
            freeze: None,
            image: Box::new(image(&format!("saved-{id}"))),
            labels: Labels::default(),
        },
        VolumeAction::Delete => Task::DeleteVolume { volume: id },
    };
    bed.store.begin_task(task, &by()).await
}

fn actions() -> impl Iterator<Item = VolumeAction> {
    let all = VolumeAction::ALL.iter().copied();
    all.filter(|action| *action != VolumeAction::Create)
}

async fn every_action_is_accepted_where_the_table_has_it_and_nowhere_else(bed: Bed) {
    for state in VolumeState::ALL {
        for action in actions() {
            let volume = match state {
                VolumeState::InUse | VolumeState::Reserved => attached(&bed).await.0,
                _ => blank(&bed).await,
            };
            let set = format!("UPDATE volumes SET state = '{state}' WHERE id = '{}'", volume.id);
            bed.execute(&set).await;
            let begun = begin(&bed, action, &volume).await;
            if action.row().from.contains(state) {
                drop(begun.unwrap_or_else(|error| panic!("{action} from {state}: {error}")));
                assert_eq!(get(&bed, volume.id).await.state, action.row().through);
            } else {
                let refused = begun.map(drop).expect_err("a state that the table doesn't have");
                assert_eq!(refused.code(), Code::ActionNotAllowed, "{action} from {state}");
                assert_eq!(get(&bed, volume.id).await.state, *state);
            }
        }
    }
}

async fn what_is_under_way_is_not_begun_again(bed: Bed) {
    for first in actions().filter(|action| *action != VolumeAction::Detach) {
        let volume = blank(&bed).await;
        drop(begin(&bed, first, &volume).await.unwrap());
        for second in actions() {
            let refused = begin(&bed, second, &volume).await.map(drop).expect_err("two at once");
            assert_eq!(
                refused.code(),
                Code::ActionNotAllowed,
                "{second} during {first}: {refused}"
            );
        }
    }
}

async fn a_cancel_takes_the_claim(bed: Bed) {
    let (new, task) = create(Base::default(), None);
    let mut claim = bed.store.create_volume(&new, task, &by()).await.unwrap();
    let back = bed.store.cancel(claim.operation(), &by()).await.unwrap();
    let Some(Back::Task(back)) = back else {
        panic!("not taken back: {back:?}")
    };
    let late = claim.advance(nothing(), Duration::ZERO).await;
    assert!(matches!(late, Err(ClaimError::Lost)), "{late:?}");
    let released = back.fail(nothing(), None).await.unwrap();
    let volume = get(&bed, new.id).await;
    assert_eq!((volume.state, volume.layer), (VolumeState::Error, None));
    assert_eq!(
        (released.layers.len(), bed.store.layers().await.unwrap()),
        (1, Vec::new())
    );
}

async fn what_a_guest_has_seen_stays_when_it_is_undone(bed: Bed) {
    let (volume, _) = attached(&bed).await;
    for moved in [false, true] {
        let before = get(&bed, volume.id).await;
        let freeze = freeze(&before);
        let mut claim = begin_snapshot(&bed, freeze).await.unwrap();
        claim.undo(fault("no")).await.unwrap();
        let stay: Vec<_> = moved.then_some(freeze.onto).into_iter().collect();
        let released = claim.fail(json!({ MOVED: stay }), None).await.unwrap();
        let after = get(&bed, volume.id).await;
        let layer = if moved { freeze.onto } else { freeze.layer };
        assert_eq!((after.state, after.layer), (VolumeState::InUse, Some(layer)));
        assert_eq!(released.layers.is_empty(), moved);
        assert_eq!(bed.store.snapshot(freeze.snapshot).await.unwrap(), None);
    }
    let mut claim = begin(&bed, VolumeAction::Extend, &volume).await.unwrap();
    claim.undo(fault("no")).await.unwrap();
    claim.fail(json!({ GROWN: Gib(2) }), None).await.unwrap();
    let after = get(&bed, volume.id).await;
    assert_eq!((after.state, after.size), (VolumeState::InUse, Gib(2)));
}

async fn a_volume_in_doubt_goes_only_after_its_instance(bed: Bed) {
    let (volume, instance) = attached(&bed).await;
    let mut claim = begin(&bed, VolumeAction::Detach, &volume).await.unwrap();
    claim.undo(fault("no")).await.unwrap();
    claim.fail(nothing(), Some(fault("who knows"))).await.unwrap();
    let volume = get(&bed, volume.id).await;
    assert_eq!((volume.state, volume.instance), (VolumeState::Error, Some(instance)));
    let refused = begin(&bed, VolumeAction::Delete, &volume).await.map(drop);
    assert!(matches!(refused, Err(StoreError::InUse { .. })), "{refused:?}");
    finish(bed.claim(instance, Action::Delete).await).await;
    let volume = get(&bed, volume.id).await;
    assert_eq!((volume.state, volume.instance), (VolumeState::Error, None));
    let claim = begin(&bed, VolumeAction::Delete, &volume).await.unwrap();
    claim.commit(nothing(), Duration::ZERO).await.unwrap();
    let left = bed.store.layers().await.unwrap();
    assert!(!left.contains(&volume.layer.unwrap()), "{left:?}");
}

async fn volumes_go_with_their_instance_as_they_were_told(bed: Bed) {
    for keep_root in [false, true] {
        let mine = blank(&bed).await;
        let new = |named: &str, delete_on_termination| VolumeOfNew::New {
            id: VolumeId::new(),
            layer: LayerId::new(),
            name: name(&format!("{named}-{keep_root}")),
            size: Gib(1),
            delete_on_termination,
        };
        let existing = VolumeOfNew::Existing {
            id: mine.id,
            delete_on_termination: false,
        };
        let mut instance = bed.new_instance(&format!("web-{keep_root}"));
        instance.keep_root = keep_root;
        instance.volumes = vec![new("kept", false), new("gone", true), existing];
        let (id, root) = (instance.id, instance.root_volume);
        let claim = bed.store.create_instances(vec![instance], &by()).await.unwrap().pop();
        finish(claim.unwrap()).await;
        assert_eq!(bed.store.volumes_of_instance(id).await.unwrap().len(), 4);

        finish(bed.claim(id, Action::Delete).await).await;
        assert_eq!(bed.store.volume(root).await.unwrap().is_some(), keep_root);
        let found = async |reference: &str| bed.store.find_volume("default", reference).await;
        let kept = found(&format!("kept-{keep_root}")).await.unwrap();
        assert!(found(&format!("gone-{keep_root}")).await.is_err());
        for volume in [&kept, &get(&bed, mine.id).await] {
            assert_eq!((volume.state, volume.instance), (VolumeState::Available, None));
        }
    }
}

async fn a_shelved_root_volume_has_no_layer_and_an_unshelved_one_a_new_one(bed: Bed) {
    let id = bed.resting(Stable::Active).await;
    let root = async || bed.store.volumes_of_instance(id).await.unwrap().remove(0);
    let first = root().await.layer.unwrap();
    finish(bed.claim(id, Action::Shelve).await).await;
    assert_eq!(root().await.state, VolumeState::Reserved);
    assert_eq!(bed.store.forget_root_layers(id).await.unwrap(), [first]);
    assert_eq!(
        (root().await.layer, bed.store.layers().await.unwrap()),
        (None, Vec::new())
    );
    finish(bed.claim(id, Action::Unshelve).await).await;
    let second = root().await.layer.unwrap();
    assert_ne!(second, first);
    assert_eq!(bed.store.layers().await.unwrap(), [second]);
}

async fn a_volume_is_changed_in_all_that_is_asked_or_in_nothing(bed: Bed) {
    let (free, other) = (blank(&bed).await, name("other"));
    let to = |name: &Name, delete_on_termination| ChangeVolume {
        name: Some(name.clone()),
        delete_on_termination,
        ..ChangeVolume::default()
    };
    let refused = bed.store.change_volume(free.id, &to(&other, Some(true))).await;
    assert!(matches!(refused, Err(StoreError::NotAttached(_))), "{refused:?}");
    assert_eq!(get(&bed, free.id).await, free);

    let (volume, instance) = attached(&bed).await;
    let changed = bed.store.change_volume(volume.id, &to(&other, Some(true))).await;
    let expected = VolumeRecord {
        name: other.clone(),
        delete_on_termination: true,
        ..volume
    };
    assert_eq!(changed.unwrap(), expected);
    assert_eq!(get(&bed, expected.id).await, expected);

    let taken = bed.store.change_volume(free.id, &to(&other, None)).await;
    assert!(matches!(taken, Err(StoreError::AlreadyExists { .. })), "{taken:?}");
    let root = bed.store.volumes_of_instance(instance).await.unwrap().remove(0);
    let refused = bed.store.change_volume(root.id, &to(&name("mine"), Some(false))).await;
    assert!(matches!(refused, Err(StoreError::RootVolume { .. })), "{refused:?}");
    assert_eq!(get(&bed, root.id).await, root);
}
