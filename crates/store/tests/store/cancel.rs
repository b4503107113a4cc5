//! Cancelling: what may be is undone from where it is, whoever runs it; what may not be is left as it is.

use berth_model::{Action, Code, OperationId, Position, Stable, Standing};
use berth_store::{Back, Claim, ClaimError, Found, Phase, StoreError};

use crate::support::*;

on_both! {
    an_operation_that_may_be_cancelled_is_undone_and_falls_back
    what_is_seen_through_is_refused_and_goes_on
    what_has_ended_or_is_being_undone_is_not_cancelled_again
    a_wish_to_cancel_outlives_the_daemon
}

/// The claim that takes an instance's operation back.
async fn cancelled(bed: &Bed, operation: OperationId) -> Claim {
    match bed.store.cancel(operation, &by()).await.unwrap() {
        Some(Back::Instance(claim)) => *claim,
        other => panic!("not taken back: {other:?}"),
    }
}

async fn an_operation_that_may_be_cancelled_is_undone_and_falls_back(bed: Bed) {
    for position in every_position().into_iter().filter(|one| one.action().cancellable()) {
        let mut runs = bed.moving(position).await;
        let (id, operation, origin) = (runs.instance(), runs.operation(), runs.origin());
        let mut claim = cancelled(&bed, operation).await;
        assert_eq!((claim.position(), claim.undoing()), (position, true));
        let lost = runs.undo(fault("late")).await;
        assert!(matches!(lost, Err(ClaimError::Lost)), "{position:?}: {lost:?}");
        while claim.undone().await.unwrap() {}
        claim.fall_back(Found::Off).await.unwrap();
        let record = bed.get(id).await;
        let expected = match position.action() {
            Action::Create => Stable::Error,
            Action::Stop => Stable::Stopped,
            _ => origin.unwrap(),
        };
        assert_eq!(record.standing, Standing::Resting(expected), "{position:?}");
        let operation = bed.store.operation(operation).await.unwrap().unwrap();
        let fault = operation.fault.unwrap();
        assert_eq!(
            (operation.phase, fault.code),
            (Phase::Cancelled, Code::OperationCancelled)
        );
        assert_eq!(fault.message, "cancelled by uid 0");
    }
}

async fn what_is_seen_through_is_refused_and_goes_on(bed: Bed) {
    for action in [
        Action::SoftReboot,
        Action::HardReboot,
        Action::RevertResize,
        Action::Delete,
    ] {
        let claim = bed.moving(Position::first(action)).await;
        let refused = bed.store.cancel(claim.operation(), &by()).await.unwrap_err();
        assert_eq!(refused.code(), Code::ActionNotAllowed, "{action}: {refused}");
        finish(claim).await;
    }
}

async fn what_has_ended_or_is_being_undone_is_not_cancelled_again(bed: Bed) {
    let claim = bed.building().await;
    let operation = claim.operation();
    let mut back = cancelled(&bed, operation).await;
    assert!(bed.store.cancel(operation, &by()).await.unwrap().is_none());
    assert!(!back.undone().await.unwrap());
    back.fall_back(Found::Off).await.unwrap();
    let claim = bed.building().await;
    let succeeded = claim.operation();
    finish(claim).await;
    for done in [operation, succeeded] {
        let refused = bed.store.cancel(done, &by()).await.unwrap_err();
        assert!(refused.to_string().ends_with("it has ended"), "{refused}");
    }
    let nobody = bed.store.cancel(OperationId::new(), &by()).await.unwrap_err();
    assert!(
        matches!(nobody, ClaimError::Store(StoreError::NotFound { .. })),
        "{nobody}"
    );
}

async fn a_wish_to_cancel_outlives_the_daemon(mut bed: Bed) {
    let claim = bed.moving(Position::at(Action::Create, 3).unwrap()).await;
    drop(bed.store.cancel(claim.operation(), &by()).await.unwrap());
    bed.restart().await;
    let mut claims = bed.store.in_flight().await.unwrap();
    let found = claims.pop().unwrap();
    assert_eq!((found.undoing(), found.position()), (true, claim.position()));
    assert_eq!(found.fault().unwrap().code, Code::OperationCancelled);
}
