//! What a tried request begins, taken to its end in the records: no step is done, each counts as done.

use std::time::Duration;

use berth_model::{Action, PortState};
use berth_store::{
    CONSISTENCY, Claim, ClaimError, Consistency, EventRecord, ImageRecord, InstanceRecord, MADE_IMAGE, OperationRecord,
    Requester, SHELF, SHELF_IMAGE, Store, StoreError, Task, TaskClaim,
};
use serde_json::{Value, json};

use crate::EngineError;
use crate::world::World;

/// Takes these operations to their end, and the ports of these events to where they are going. Within what is tried.
pub(super) async fn land(
    world: &World,
    operations: &[OperationRecord],
    events: &[EventRecord],
) -> Result<(), EngineError> {
    let store = &world.store;
    let begun = |id| operations.iter().any(|operation| operation.id == id);
    if !operations.is_empty() {
        for claim in store.in_flight().await? {
            if begun(claim.operation()) {
                instance(store, claim).await?;
            }
        }
        for claim in store.tasks_in_flight().await? {
            if begun(claim.operation()) {
                task(claim).await.map_err(internal)?;
            }
        }
    }
    ports(store, events).await?;
    Ok(())
}

fn internal(error: ClaimError) -> EngineError {
    match error {
        ClaimError::Store(error) => error.into(),
        other => EngineError::Internal(other.to_string()),
    }
}

async fn instance(store: &Store, claim: Claim) -> Result<(), EngineError> {
    let (id, action) = (claim.instance(), claim.position().action());
    let Some(record) = store.instance(id).await? else {
        return Ok(());
    };
    let memo = match action {
        Action::Shelve => json!({ SHELF: shelf(store, &record, &claim).await? }),
        _ => json!({}),
    };
    to_the_end(claim, memo).await.map_err(internal)?;
    if action == Action::Resize {
        // What is tried is the new type, which costs something only once it is confirmed.
        let nobody = Requester {
            who: String::new(),
            once: None,
        };
        let confirm = store.claim(id, Action::ConfirmResize, json!({}), &nobody).await;
        to_the_end(confirm.map_err(internal)?, json!({}))
            .await
            .map_err(internal)?;
    }
    Ok(())
}

async fn to_the_end(mut claim: Claim, memo: Value) -> Result<(), ClaimError> {
    while claim.position().next().is_some() {
        claim.advance(memo.clone(), Duration::ZERO).await?;
    }
    claim.commit(memo, Duration::ZERO).await
}

/// The image that a shelve would make, but for its size.
async fn shelf(store: &Store, record: &InstanceRecord, claim: &Claim) -> Result<ImageRecord, EngineError> {
    let missing = |what: &str| EngineError::Internal(format!("a shelve without {what}"));
    let id = claim.params().get(SHELF_IMAGE).cloned().unwrap_or_default();
    let id = serde_json::from_value(id).map_err(|_| missing("its image"))?;
    let image = store
        .image(record.image)
        .await?
        .ok_or_else(|| missing("what it is made from"))?;
    Ok(ImageRecord {
        id,
        project: record.project.clone(),
        name: format!("shelf-{id}").parse().map_err(|_| missing("a name"))?,
        shelf_of: Some(record.id),
        ..image
    })
}

async fn task(mut claim: TaskClaim) -> Result<(), ClaimError> {
    let mut memo = json!({ CONSISTENCY: Consistency::Crash });
    if let Task::SaveAsImage { image, .. } | Task::ImportImage { image, .. } = claim.task() {
        memo[MADE_IMAGE] = json!(image);
    }
    while !claim.last() {
        claim.advance(memo.clone(), Duration::ZERO).await?;
    }
    claim.commit(memo, Duration::ZERO).await.map(drop)
}

async fn ports(store: &Store, events: &[EventRecord]) -> Result<(), StoreError> {
    for event in events.iter().filter(|event| event.kind == "port.state") {
        let Ok(id) = event.resource.parse() else { continue };
        let Some(port) = store.port(id).await? else { continue };
        match port.state {
            PortState::Attaching => store.port_attached(id).await?,
            PortState::Detaching => store.port_free(id).await?,
            PortState::Available | PortState::InUse => {}
        }
    }
    Ok(())
}
