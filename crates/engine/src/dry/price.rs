//! What an hour of all that a project has costs, by the price list that is in force.

use std::collections::BTreeSet;

use berth_model::metering::PerHour;
use berth_store::{Store, StoreError};

/// An hour of what these projects have that is billed.
pub(super) async fn of_hour(store: &Store, projects: &BTreeSet<String>) -> Result<PerHour, StoreError> {
    let prices = store.usage_basis().await?.prices;
    let mut amounts = Vec::new();
    for project in projects {
        for billed in store.billed(project).await? {
            amounts.push(prices.of_hour(billed.kind, &billed.rate, billed.quantity));
        }
    }
    Ok(amounts.into_iter().sum())
}
