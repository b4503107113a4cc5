//! What is kept of one instance: its events within a span, the journals of its operations, what libvirt reported.

use berth_model::{
    Action, GuestEvent, GuestStatus, Known, OffReason, OperationId, PauseReason, Stable, Verdict, observe,
};
use berth_store::{EntryKind, JournalRecord, Page, Span};
use jiff::Timestamp;

use crate::support::*;

on_both! {
    what_libvirt_said_is_kept_with_what_was_adopted
    what_libvirt_said_meanwhile_is_in_the_journal
    a_history_is_read_in_stretches
}

async fn what_libvirt_said_is_kept_with_what_was_adopted(bed: Bed) {
    let id = bed.resting(Stable::Active).await;
    let off = Some(GuestStatus::Off(OffReason::Destroyed));
    for (event, status) in [
        (Some(GuestEvent::Stopped(OffReason::Destroyed)), off),
        (None, Some(GuestStatus::Running)),
    ] {
        let record = bed.get(id).await;
        let known = Known {
            standing: record.standing,
            degraded: None,
        };
        let Verdict::Adopt(adoption) = observe(known, event.as_ref(), status) else {
            panic!("nothing to adopt")
        };
        assert!(bed.store.adopt(id, record.revision, &adoption).await.unwrap());
    }
    let events = bed.store.events_of(id, Span::default()).await.unwrap();
    let guest = events.iter().filter(|event| event.kind.starts_with("guest."));
    let heard: Vec<_> = guest
        .map(|event| (event.kind.as_str(), event.heard.as_deref()))
        .collect();
    assert_eq!(
        heard,
        [("guest.stopped", Some("stopped (destroyed)")), ("guest.started", None)],
        "asked, libvirt sent no event"
    );
}

async fn what_libvirt_said_meanwhile_is_in_the_journal(bed: Bed) {
    let id = bed.resting(Stable::Active).await;
    let stop = bed.claim(id, Action::Stop).await;
    let operation = stop.operation();
    let stopped = GuestEvent::Stopped(OffReason::Shutdown);
    let moment = Timestamp::from_second(1_764_100_123).unwrap();
    bed.store.hear(operation, moment, &stopped).await.unwrap();
    finish(stop).await;
    // Reported a moment too late, and worth knowing all the same.
    bed.store
        .hear(operation, moment, &GuestEvent::Suspended(PauseReason::IoError))
        .await
        .unwrap();
    bed.store.hear(OperationId::new(), moment, &stopped).await.unwrap();
    let journal = bed.store.journal(operation).await.unwrap();
    let lines: Vec<_> = journal
        .iter()
        .map(|line| {
            (
                line.work.state().unwrap(),
                line.kind,
                line.message.as_deref().unwrap_or_default(),
            )
        })
        .collect();
    assert_eq!(
        lines,
        [
            ("Powering-off", EntryKind::Begun, "asked for by uid 0"),
            ("Powering-off", EntryKind::Heard, "stopped (shutdown)"),
            ("Powering-off", EntryKind::Done, ""),
            ("Powering-off", EntryKind::Heard, "suspended (I/O error)"),
        ]
    );
    assert_eq!(journal[1].at, moment, "when it was reported, not when it was written");
    assert_eq!(bed.state(id).await, "Stopped", "what is heard moves nothing");
}

async fn a_history_is_read_in_stretches(bed: Bed) {
    let id = bed.resting(Stable::Stopped).await;
    let other = bed.resting(Stable::Active).await;
    finish(bed.claim(id, Action::Delete).await).await;
    let page = Page { limit: 10, after: None };
    let operations = bed.store.operations_on("default", &id.to_string(), page).await.unwrap();
    let [create, stop, delete] = operations.as_slice() else {
        panic!("{operations:?}")
    };

    let journal = bed.store.journals_of(id, (stop.id, delete.id)).await.unwrap();
    let mut expected: Vec<JournalRecord> = bed.store.journal(stop.id).await.unwrap();
    expected.extend(bed.store.journal(delete.id).await.unwrap());
    assert_eq!(journal, expected);
    let others = bed.store.journals_of(other, (create.id, delete.id)).await.unwrap();
    let own = [create.id, stop.id, delete.id];
    assert!(!others.is_empty() && others.iter().all(|line| !own.contains(&line.operation)));

    let all = bed.store.events_of(id, Span::default()).await.unwrap();
    assert!(all.iter().all(|event| event.resource == id.to_string()));
    assert!(all.is_sorted_by_key(|event| event.seq));
    let mut stretches = Vec::new();
    for (from, until) in [
        (None, Some(stop.created_at)),
        (Some(stop.created_at), Some(delete.created_at)),
        (Some(delete.created_at), None),
    ] {
        let stretch = bed.store.events_of(id, Span { from, until }).await.unwrap();
        let of: Vec<_> = stretch.iter().map(|event| event.operation).collect();
        stretches.extend(stretch);
        let own = [create, stop, delete][usize::from(from.is_some()) + usize::from(until.is_none())].id;
        assert!(of.iter().all(|operation| *operation == Some(own)), "{of:?}");
    }
    assert_eq!(stretches, all);
}
