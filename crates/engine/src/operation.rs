//! Operations and events: what is told of work under way.

use std::sync::Arc;
use std::time::Duration;

use berth_model::OperationId;
use berth_store::{
    Back, ClaimError, EventRecord, ListBy, Listed, OperationFilter, OperationRecord, Requester, StoreError,
};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, timeout_at};

use crate::instance::to_its_end;
use crate::world::lock;
use crate::{Engine, EngineError, Progress};

impl Engine {
    /// An operation of a project, or of any.
    pub async fn find_operation(&self, project: Option<&str>, id: OperationId) -> Result<OperationRecord, EngineError> {
        let found = self.operation(id).await?;
        if project.is_some_and(|project| project != found.project) {
            return Err(not_found(id));
        }
        Ok(found)
    }

    /// An operation.
    pub(crate) async fn operation(&self, id: OperationId) -> Result<OperationRecord, EngineError> {
        let found = self.world.store.operation(id).await?;
        found.ok_or_else(|| not_found(id))
    }

    /// How far an operation is, if it tells.
    pub fn progress(&self, id: OperationId) -> Option<Progress> {
        lock(&self.world.progress).get(&id).copied()
    }

    /// Cancels an operation in flight: what it did is undone, and its instance falls back as the table says.
    pub async fn cancel_operation(&self, id: OperationId, by: &Requester) -> Result<OperationRecord, EngineError> {
        let (engine, by) = (self.clone(), by.clone());
        to_its_end(async move {
            match engine.world.store.cancel(id, &by).await {
                Ok(Some(Back::Instance(claim))) => engine.actors.take_back(*claim),
                Ok(Some(Back::Task(claim))) => engine.actors.take_task_back(*claim),
                Ok(None) => {}
                Err(ClaimError::Store(error)) => return Err(error.into()),
                Err(error) => return Err(EngineError::Internal(error.to_string())),
            }
            engine.operation(id).await
        })
        .await
    }

    /// What the same request has begun before, if it carries a key and was made before.
    pub async fn answered(&self, by: &Requester) -> Result<Option<Vec<OperationRecord>>, EngineError> {
        Ok(self.world.store.answered(by).await?)
    }

    /// A page of operations: of a project, or of all.
    pub async fn list_operations(
        &self,
        project: Option<&str>,
        filter: &OperationFilter,
        by: &ListBy,
    ) -> Result<Listed<OperationRecord>, EngineError> {
        Ok(self.world.store.list_operations(project, filter, by).await?)
    }

    /// An operation once it has ended, or as it is when the time is over.
    pub async fn wait_operation(&self, id: OperationId, most: Duration) -> Result<OperationRecord, EngineError> {
        let deadline = Instant::now() + most;
        // Subscribed before the first look, so that an end between the two is not missed.
        let mut events = self.events();
        loop {
            let operation = self.operation(id).await?;
            if operation.phase.is_final() {
                return Ok(operation);
            }
            loop {
                match timeout_at(deadline, events.recv()).await {
                    Ok(Ok(event)) if event.operation != Some(id) => {}
                    Ok(Ok(_) | Err(RecvError::Lagged(_))) => break,
                    Err(_) | Ok(Err(RecvError::Closed)) => return Ok(operation),
                }
            }
        }
    }

    /// The events from now on.
    pub fn events(&self) -> Receiver<Arc<EventRecord>> {
        self.world.store.subscribe()
    }

    /// Events that were committed after that one: of a project, or of all.
    pub async fn events_after(
        &self,
        project: Option<&str>,
        seq: i64,
        limit: u32,
    ) -> Result<Vec<EventRecord>, EngineError> {
        Ok(self.world.store.events_after(project, seq, limit).await?)
    }

    /// The number of the newest event.
    pub async fn last_event(&self) -> Result<i64, EngineError> {
        Ok(self.world.store.last_seq().await?)
    }
}

fn not_found(id: OperationId) -> EngineError {
    StoreError::NotFound {
        what: "operation",
        reference: id.to_string(),
    }
    .into()
}
