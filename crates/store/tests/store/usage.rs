//! Usage: each billed moment once, at the type of that moment.

use berth_model::{Action, Stable, default_catalog};

use crate::support::*;

on_both! {
    what_is_billed_is_counted_without_gaps
    a_new_type_is_billed_as_such
}

async fn what_is_billed_is_counted_without_gaps(bed: Bed) {
    let mut claim = bed.building().await;
    let id = claim.instance();
    advance(&mut claim).await;
    assert_eq!(bed.store.usage(id).await.unwrap(), [], "a build is not billed");
    finish(claim).await;
    let begun = bed.get(id).await.updated_at;
    // Powering-off, Stopped and Powering-on are billed: it is one interval.
    finish(bed.claim(id, Action::Stop).await).await;
    finish(bed.claim(id, Action::Start).await).await;
    let open = bed.store.usage(id).await.unwrap();
    assert_eq!(
        open.iter().map(|it| (it.from, it.to)).collect::<Vec<_>>(),
        [(begun, None)]
    );
    let delete = bed.claim(id, Action::Delete).await;
    let ended = bed.get(id).await.updated_at;
    finish(delete).await;
    let closed = bed.store.usage(id).await.unwrap();
    assert_eq!(
        closed.iter().map(|it| (it.from, it.to)).collect::<Vec<_>>(),
        [(begun, Some(ended))]
    );
}

async fn a_new_type_is_billed_as_such(bed: Bed) {
    let id = bed.resting(Stable::Active).await;
    finish(bed.claim(id, Action::Resize).await).await;
    finish(bed.claim(id, Action::ConfirmResize).await).await;
    let types: Vec<_> = bed
        .store
        .usage(id)
        .await
        .unwrap()
        .into_iter()
        .map(|it| (it.instance_type, it.to.is_some()))
        .collect();
    let catalog = default_catalog();
    assert_eq!(
        types,
        [(catalog[0].name.clone(), true), (catalog[3].name.clone(), false)]
    );
}
