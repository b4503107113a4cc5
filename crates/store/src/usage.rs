//! Usage: the time an instance spent in billed states, at the type it had at that time.
//!
//! Written in the transaction that changes the state, so that no crash loses or doubles a second; an index of the
//! database refuses a second open interval.

use berth_model::InstanceId;
use jiff::Timestamp;
use sqlx::any::AnyRow;

use crate::row::{Columns as _, sql};
use crate::transition::Held;
use crate::tx::Tx;
use crate::{Store, StoreError};

/// An interval of billed time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageRecord {
    /// The name of the instance type.
    pub instance_type: String,
    /// When it began.
    pub from: Timestamp,
    /// When it ended; none while it goes on.
    pub to: Option<Timestamp>,
}

/// Opens, closes or splits the interval as the change of an instance asks for.
pub(crate) async fn bill(tx: &mut Tx, before: &Held, after: &Held) -> Result<(), StoreError> {
    let billed = |held: &Held| {
        let billed = held.record.standing.state().billed();
        billed.then(|| held.record.instance_type.name.clone())
    };
    let (was, is) = (billed(before), billed(after));
    if was == is {
        return Ok(());
    }
    if was.is_some() {
        close(tx, before.record.id).await?;
    }
    match is {
        Some(instance_type) => open(tx, after, &instance_type).await,
        None => Ok(()),
    }
}

/// Ends the open interval, if there is one. A clock that was set back makes it empty, never negative.
pub(crate) async fn close(tx: &mut Tx, id: InstanceId) -> Result<(), StoreError> {
    let at = tx.micros();
    let close = sql(
        "UPDATE usage_intervals SET ended = CASE WHEN began > $1 THEN began ELSE $1 END \
                     WHERE instance = $2 AND ended IS NULL",
    );
    tx.run(close.bind(at).bind(id.to_string())).await.map(|_| ())
}

async fn open(tx: &mut Tx, held: &Held, instance_type: &str) -> Result<(), StoreError> {
    let open = sql(
        "INSERT INTO usage_intervals (instance, number, instance_name, project, instance_type, began) \
                    SELECT $1, COALESCE(MAX(number), 0) + 1, $2, $3, $4, $5 FROM usage_intervals WHERE instance = $1",
    )
    .bind(held.record.id.to_string())
    .bind(held.record.name.as_str())
    .bind(held.record.project.as_str())
    .bind(instance_type)
    .bind(tx.micros());
    tx.run(open).await.map(|_| ())
}

impl UsageRecord {
    fn read(row: &AnyRow) -> Result<Self, StoreError> {
        Ok(Self {
            instance_type: row.text("instance_type")?,
            from: row.time("began")?,
            to: row.maybe_time("ended")?,
        })
    }
}

impl Store {
    /// The intervals of an instance in their order, of one that was deleted as well.
    pub async fn usage(&self, instance: InstanceId) -> Result<Vec<UsageRecord>, StoreError> {
        let query = sql("SELECT instance_type, began, ended FROM usage_intervals WHERE instance = $1 ORDER BY number");
        self.list(query.bind(instance.to_string()), UsageRecord::read).await
    }
}
