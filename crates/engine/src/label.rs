//! Labels: what is read of them for a page, and changed of what has no other change.

use std::collections::HashMap;

use berth_model::{LabelPatch, Labels};
use berth_store::Labelled;

use crate::{Engine, EngineError};

impl Engine {
    /// The labels of these resources, by their ids; none is mentioned that has none.
    pub async fn labels_of<Id: ToString>(&self, resources: &[Id]) -> Result<HashMap<String, Labels>, EngineError> {
        Ok(self.world.store.labels_of(resources).await?)
    }

    /// Changes the labels of what has no other change.
    pub async fn change_labels(&self, of: Labelled, patch: &LabelPatch) -> Result<(), EngineError> {
        Ok(self.world.store.change_labels(of, patch).await?)
    }
}
