//! Quotas: what a project may have, and how much of it it has. What enforces them is the store, in its transactions.

use std::collections::BTreeMap;

use berth_model::{Limit, Resource};
use berth_store::{QuotaRecord, StoreError};

use crate::finding::{Finding, Remedy};
use crate::world::World;
use crate::{Engine, EngineError};

impl Engine {
    /// Every quota of a project with what it uses.
    pub async fn quotas(&self, project: &str) -> Result<Vec<QuotaRecord>, EngineError> {
        self.find_project(project).await?;
        Ok(self.world.store.quotas(project).await?)
    }

    /// Sets limits of a project; none takes the daemon's default again.
    pub async fn set_quotas(
        &self,
        project: &str,
        limits: &BTreeMap<Resource, Option<Limit>>,
    ) -> Result<Vec<QuotaRecord>, EngineError> {
        self.world.store.set_quotas(project, limits).await?;
        self.quotas(project).await
    }
}

/// The counters that aren't what the records say: a defect of Berth, which nothing puts right by itself.
pub(crate) async fn check(world: &World) -> Result<Vec<Finding>, StoreError> {
    let wrong = world.store.miscounted().await?.into_iter().map(|wrong| {
        let what = format!(
            "project '{}' is charged for {} and has {}: a defect of Berth, please report it",
            wrong.project, wrong.charged, wrong.counted
        );
        Finding::new("quota", wrong.resource, what, Remedy::Nothing)
    });
    Ok(wrong.collect())
}
