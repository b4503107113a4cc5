//! What a project pays for now.

use berth_model::metering::LedgerKind;
use sqlx::any::AnyRow;

use crate::row::{Columns as _, sql};
use crate::{Store, StoreError};

/// So much of one kind and rate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Billed {
    /// Of what.
    pub kind: LedgerKind,
    /// The instance type, volume type or pool; empty for what has only one price.
    pub rate: String,
    /// How much: a number, or GiB.
    pub quantity: u64,
}

impl Store {
    /// All that a project is billed for at this moment, by kind and rate.
    pub async fn billed(&self, project: &str) -> Result<Vec<Billed>, StoreError> {
        let query = sql(
            "SELECT l.kind AS kind, l.rate AS rate, CAST(SUM(l.quantity) AS BIGINT) AS quantity \
             FROM metered m JOIN ledger l ON l.number = m.number WHERE l.project = $1 AND l.billed = 1 \
             GROUP BY l.kind, l.rate",
        );
        let read = |row: &AnyRow| {
            Ok(Billed {
                kind: row.parsed("kind")?,
                rate: row.text("rate")?,
                quantity: row.number("quantity")?,
            })
        };
        self.list(query.bind(project.to_owned()), read).await
    }
}
