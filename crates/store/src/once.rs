//! Requests that are sent again: what the first one began is found by its key, and nothing is begun twice.
//!
//! ```text
//!   the first ── claim, create ──▶ one transaction: all that it begins, and (who, key) ─▶ fingerprint, operations
//!   again ────── answered ───────▶ the operations of the first, as they stand now
//!   another request, same key ───▶ KeyReused
//! ```
//!
//! A request that was refused has begun nothing and leaves no key: sent again, it is asked anew.

use std::time::Duration;

use berth_model::{IdempotencyKey, OperationId};

use crate::row::{Columns as _, sql, to_json, to_number};
use crate::tx::Tx;
use crate::{OperationRecord, Requester, Store, StoreError};

/// How long a key is kept at least; older ones go when a new one is written.
const KEPT: Duration = Duration::from_hours(24);

/// How a request is known again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Once {
    /// The key that its client chose.
    pub key: IdempotencyKey,
    /// A digest of what is asked: the same for the same request, another for any other.
    pub fingerprint: String,
}

/// Writes down what a request that carries a key has begun. [`StoreError::Repeated`] if it was written already.
pub(crate) async fn write(tx: &mut Tx, by: &Requester, operations: &[OperationId]) -> Result<(), StoreError> {
    let Some(once) = &by.once else { return Ok(()) };
    let kept: i64 = to_number(KEPT.as_micros())?;
    let forget = sql("DELETE FROM idempotency WHERE created_at < $1");
    tx.run(forget.bind(tx.micros() - kept)).await?;
    let operations: Vec<_> = operations.iter().map(ToString::to_string).collect();
    let insert = sql(
        "INSERT INTO idempotency (requester, idempotency_key, fingerprint, operations, created_at) \
                      VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
    )
    .bind(by.who.as_str())
    .bind(once.key.as_str())
    .bind(once.fingerprint.as_str())
    .bind(to_json(&operations)?)
    .bind(tx.micros());
    match tx.run(insert).await? {
        1 => Ok(()),
        _ => Err(StoreError::Repeated),
    }
}

impl Store {
    /// What the same request of the same requester has begun before; none if it carries no key, or a fresh one.
    /// [`StoreError::KeyReused`] if the key was another request's.
    pub async fn answered(&self, by: &Requester) -> Result<Option<Vec<OperationRecord>>, StoreError> {
        let Some(once) = &by.once else { return Ok(None) };
        let query =
            sql("SELECT fingerprint, operations FROM idempotency WHERE requester = $1 AND idempotency_key = $2");
        let row = self
            .optional(query.bind(by.who.as_str()).bind(once.key.as_str()))
            .await?;
        let Some(row) = row else { return Ok(None) };
        if row.text("fingerprint")? != once.fingerprint {
            return Err(StoreError::KeyReused(once.key.clone()));
        }
        let ids: Vec<OperationId> = row.json("operations")?;
        let mut operations = Vec::with_capacity(ids.len());
        for id in ids {
            let found = self.operation(id).await?;
            operations.push(found.ok_or_else(|| StoreError::not_found("operation", &id))?);
        }
        Ok(Some(operations))
    }
}
