//! Dry runs: what a request would do, told from the transaction that it got as far as.
//!
//! ```text
//!   api: Dry::scope(route) ─▶ the real request ─▶ its commit: DryRun
//!                                                     │
//!   Engine::preview ◀─────────────────────────────────┘ the transaction is still open
//!      now    records as they are ─────────────────────────┐
//!      land   what begins is taken to its end, in records ─┤
//!      then   records as they would be ────────────────────┴─▶ rolled back ─▶ quotas, price, differences
//! ```
//!
//! Nothing is computed twice: records as they would be are written by the code that writes them when it is meant.

mod applied;
mod diffs;
mod land;
mod price;

use std::collections::BTreeSet;
use std::sync::Arc;

use berth_model::metering::PerHour;
use berth_model::{Limit, Resource};
use berth_store::{Dry, EventRecord, OperationRecord, QuotaRecord};

pub use diffs::Diff;

use self::applied::{Applied, Touched};
use crate::{Engine, EngineError};

/// What a request would do.
#[derive(Debug, Clone, Default)]
pub struct Preview {
    /// What would be told at once, in that order. New ids are made up: the request itself gets others.
    pub events: Vec<EventRecord>,
    /// The operations that would begin.
    pub operations: Vec<OperationRecord>,
    /// What changes of what projects have, until what begins has ended.
    pub charges: Vec<Charge>,
    /// What an hour of all that the projects have costs.
    pub price: Option<HourlyPrice>,
    /// What would be applied to the host, as differences to what is.
    pub diffs: Vec<Diff>,
}

/// A change of what a project has of something that is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// The project.
    pub project: String,
    /// Of what.
    pub resource: Resource,
    /// How much more; less, if below 0.
    pub delta: i64,
    /// How much it has now.
    pub used: u64,
    /// The most it may have.
    pub limit: Limit,
}

/// What an hour costs, now and once what begins has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HourlyPrice {
    /// Now.
    pub before: PerHour,
    /// Then. A resize counts as confirmed; an image whose size isn't known yet costs nothing.
    pub after: PerHour,
    /// What it is in; empty if the operator named no currency.
    pub currency: String,
}

/// What is read, now and then.
struct Snapshot {
    quotas: Vec<(String, Vec<QuotaRecord>)>,
    price: PerHour,
    applied: Applied,
}

impl Engine {
    /// What a request would have done that was tried in `dry`, which ends with this. Nothing, if it never got as far as
    /// a commit.
    pub async fn preview(&self, dry: &Arc<Dry>) -> Result<Preview, EngineError> {
        let preview = self.look_ahead(dry).await;
        dry.end().await;
        preview
    }

    async fn snapshot(&self, projects: &BTreeSet<String>, touched: &Touched) -> Result<Snapshot, EngineError> {
        let store = &self.world.store;
        let mut quotas = Vec::new();
        for project in projects {
            quotas.push((project.clone(), store.quotas(project).await?));
        }
        Ok(Snapshot {
            quotas,
            price: price::of_hour(store, projects).await?,
            applied: Applied::read(&self.world, touched).await?,
        })
    }

    async fn look_ahead(&self, dry: &Arc<Dry>) -> Result<Preview, EngineError> {
        let store = &self.world.store;
        let Some(tried) = dry.tried() else {
            return Ok(Preview::default());
        };
        let operations = dry.then(tried.operations(store)).await?;
        let projects = tried.events.iter().map(|event| &event.project);
        let projects = projects.chain(operations.iter().map(|operation| &operation.project));
        let projects: BTreeSet<String> = projects.filter(|project| !project.is_empty()).cloned().collect();
        let mut touched = Touched::default();
        touched.find(store, &operations, &tried.events).await?;
        dry.then(touched.find(store, &operations, &tried.events)).await?;
        let now = self.snapshot(&projects, &touched).await?;
        let then = async {
            land::land(&self.world, &operations, &tried.events).await?;
            self.snapshot(&projects, &touched).await
        };
        let then = dry.then(then).await?;
        // Nobody else has to wait for what libvirt says.
        dry.end().await;
        let charges = charges(&now, &then);
        let price = HourlyPrice {
            before: now.price,
            after: then.price,
            currency: self.settings().prices.currency.clone(),
        };
        Ok(Preview {
            charges,
            diffs: diffs::between(&self.world, touched, now.applied, then.applied).await?,
            price: (!projects.is_empty()).then_some(price),
            events: tried.events,
            operations,
        })
    }
}

/// What is counted otherwise then.
fn charges(now: &Snapshot, then: &Snapshot) -> Vec<Charge> {
    let mut charges = Vec::new();
    for ((project, now), (_, then)) in now.quotas.iter().zip(&then.quotas) {
        for (now, then) in now.iter().zip(then) {
            // Both are far below what 64 bits hold.
            let delta = then.used.cast_signed() - now.used.cast_signed();
            if delta != 0 {
                charges.push(Charge {
                    project: project.clone(),
                    resource: now.resource,
                    delta,
                    used: now.used,
                    limit: now.limit,
                });
            }
        }
    }
    charges
}
