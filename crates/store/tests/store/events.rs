//! Events: numbered without gaps in the order of commits, told once and in that order.

use berth_model::{Action, GuestEvent, GuestStatus, Known, Labels, OffReason, PauseReason, Stable, Verdict, observe};
use berth_store::EventRecord;

use crate::support::*;

on_both! {
    events_have_no_gaps_under_concurrency
    a_life_is_told
    what_is_is_adopted
    adoption_needs_rest_and_the_revision_it_was_made_with
}

async fn events_have_no_gaps_under_concurrency(bed: Bed) {
    let mut told = bed.store.subscribe();
    let before = bed.store.last_seq().await.unwrap();
    let mut tasks = Vec::new();
    for task in 0..8 {
        let store = bed.store.clone();
        let new = bed.new_instance(&format!("i-{task}"));
        tasks.push(tokio::spawn(async move {
            let claim = store.create_instances(vec![new], &by()).await.unwrap().pop().unwrap();
            finish(claim).await;
            for pair in 0..10 {
                let pair = keypair(&format!("key-{task}-{pair}"));
                store.insert_keypair(&pair, &Labels::default()).await.unwrap();
                let again = store.insert_keypair(&pair, &Labels::default()).await;
                assert!(again.is_err(), "a refusal uses up no number");
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let all = bed.store.events_after(None, before, 10_000).await.unwrap();
    // Building and five more states, then Active; and the pairs.
    assert_eq!(all.len(), 8 * (7 + 10));
    for (place, event) in (1..).zip(&all) {
        assert_eq!(event.seq, before + place);
        assert_eq!(*told.recv().await.unwrap(), *event);
    }
    assert_eq!(bed.store.last_seq().await.unwrap(), all.last().unwrap().seq);
    let page = bed.store.events_after(None, before + 3, 2).await.unwrap();
    assert_eq!(
        page.iter().map(|event| event.seq).collect::<Vec<_>>(),
        [before + 4, before + 5]
    );
}

/// What is told of an instance, in short.
async fn told(bed: &Bed, id: berth_model::InstanceId) -> Vec<String> {
    let all = bed.store.events_after(None, 0, 10_000).await.unwrap();
    let short = |event: &EventRecord| {
        let parts = [Some(event.kind.clone()), event.state.clone(), event.message.clone()];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" | ")
    };
    all.iter()
        .filter(|event| event.resource == id.to_string())
        .map(short)
        .collect()
}

async fn a_life_is_told(bed: Bed) {
    let id = bed.resting(Stable::Active).await;
    let mut stop = bed.claim(id, Action::Stop).await;
    stop.undo(fault("libvirt is away")).await.unwrap();
    stop.undone().await.unwrap();
    stop.fall_back(berth_store::Found::Running).await.unwrap();
    let reboot = bed.claim(id, Action::SoftReboot).await;
    let delete = bed.claim(id, Action::Delete).await;
    let cancelled = format!(
        "operation.cancelled | cancelled by delete, operation {}",
        delete.operation()
    );
    finish(delete).await;
    let all = told(&bed, id).await;
    assert_eq!(
        all,
        [
            "instance.state | Building",
            "instance.state | Scheduling",
            "instance.state | Block_device_mapping",
            "instance.state | Networking",
            "instance.state | Spawning",
            "instance.state | Starting",
            "instance.state | Active",
            "instance.state | Powering-off",
            "operation.undoing | libvirt is away",
            "instance.state | Active | libvirt is away",
            "instance.state | Rebooting",
            cancelled.as_str(),
            "instance.state | Deleting",
            "instance.deleted",
        ]
    );
    let events = bed.store.events_after(None, 0, 1000).await.unwrap();
    let event = events.iter().find(|event| event.kind == "operation.cancelled").unwrap();
    assert_eq!(event.operation, Some(reboot.operation()), "who waits for it is woken");
    assert!(
        events
            .iter()
            .all(|event| event.kind != "instance.state" || event.operation.is_some())
    );
}

async fn adopt(bed: &Bed, id: berth_model::InstanceId, event: Option<GuestEvent>, status: Option<GuestStatus>) -> bool {
    let record = bed.get(id).await;
    let known = Known {
        standing: record.standing,
        degraded: record.degraded.as_deref(),
    };
    let Verdict::Adopt(adoption) = observe(known, event.as_ref(), status) else {
        panic!("nothing to adopt")
    };
    bed.store.adopt(id, record.revision, &adoption).await.unwrap()
}

async fn what_is_is_adopted(bed: Bed) {
    let id = bed.resting(Stable::Active).await;
    let skip = told(&bed, id).await.len();
    assert!(adopt(&bed, id, None, Some(GuestStatus::Paused(PauseReason::Asked))).await);
    assert_eq!(bed.get(id).await.degraded.as_deref(), Some("paused"));
    assert!(adopt(&bed, id, None, Some(GuestStatus::Running)).await);
    assert_eq!(bed.get(id).await.degraded, None);
    assert!(adopt(&bed, id, Some(GuestEvent::Rebooted), Some(GuestStatus::Running)).await);
    assert!(adopt(&bed, id, None, Some(GuestStatus::Off(OffReason::Shutdown))).await);
    assert_eq!(bed.state(id).await, "Stopped");
    assert!(adopt(&bed, id, None, None).await);
    let record = bed.get(id).await;
    assert_eq!(record.standing.state().as_str(), "Error");
    assert!(record.fault.unwrap().message.contains("undefined"));
    assert!(adopt(&bed, id, Some(GuestEvent::Started), Some(GuestStatus::Running)).await);
    assert_eq!((bed.state(id).await, bed.get(id).await.fault), ("Active", None));
    let undefined = "the domain was undefined outside of Berth; a hard reboot defines it again";
    assert_eq!(
        told(&bed, id).await[skip..],
        [
            "guest.paused | paused",
            "guest.resumed",
            "guest.rebooted | the guest rebooted by itself",
            "guest.stopped | the guest shut itself down",
            "instance.state | Stopped | the guest shut itself down",
            "guest.undefined",
            &format!("instance.state | Error | {undefined}"),
            "guest.started | started outside of Berth",
            "instance.state | Active | started outside of Berth",
        ]
    );
}

async fn adoption_needs_rest_and_the_revision_it_was_made_with(bed: Bed) {
    let id = bed.resting(Stable::Active).await;
    let record = bed.get(id).await;
    let known = Known {
        standing: record.standing,
        degraded: None,
    };
    let off = Some(GuestStatus::Off(OffReason::Shutdown));
    let Verdict::Adopt(adoption) = observe(known, None, off) else {
        panic!("nothing to adopt")
    };
    let claim = bed.claim(id, Action::Stop).await;
    let moving = bed.get(id).await;
    assert!(!bed.store.adopt(id, record.revision, &adoption).await.unwrap());
    assert!(
        !bed.store.adopt(id, moving.revision, &adoption).await.unwrap(),
        "an operation has it"
    );
    assert_eq!(bed.get(id).await, moving);
    finish(claim).await;
    assert!(
        !bed.store.adopt(id, record.revision, &adoption).await.unwrap(),
        "it changed meanwhile"
    );
    assert!(
        !bed.store
            .adopt(berth_model::InstanceId::new(), 1, &adoption)
            .await
            .unwrap()
    );
}
