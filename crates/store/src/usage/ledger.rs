//! The only writer of the ledger: it appends, and each entry is tied to the one before.

use berth_model::metering::{Head, LedgerEntry, LedgerHash, LedgerKind, Meter, PriceList};
use sqlx::any::AnyRow;

use super::clock;
use crate::row::{Columns as _, sql, to_json};
use crate::tx::Tx;
use crate::{Store, StoreError};

/// The end of the ledger as a transaction has it, and the clock that it writes by.
pub(crate) struct Writing {
    pub(super) head: Head,
    pub(super) meter: Meter,
}

/// What something is metered as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fact {
    pub(crate) kind: LedgerKind,
    pub(crate) project: String,
    pub(crate) resource: String,
    pub(crate) name: String,
    /// None if it isn't metered any more.
    pub(crate) state: Option<String>,
    pub(crate) billed: bool,
    pub(crate) rate: String,
    pub(crate) quantity: i64,
}

impl Fact {
    fn read(row: &AnyRow) -> Result<Self, StoreError> {
        Ok(Self {
            kind: row.parsed("kind")?,
            project: row.text("project")?,
            resource: row.text("resource")?,
            name: row.text("name")?,
            state: row.maybe_text("state")?,
            billed: row.flag("billed")?,
            rate: row.text("rate")?,
            quantity: row.number("quantity")?,
        })
    }
}

pub(super) fn read(row: &AnyRow) -> Result<LedgerEntry, StoreError> {
    let fact = Fact::read(row)?;
    Ok(LedgerEntry {
        number: row.number("number")?,
        elapsed: row.number("elapsed")?,
        at: row.number("at")?,
        kind: fact.kind,
        project: fact.project,
        resource: fact.resource,
        name: fact.name,
        state: fact.state,
        billed: fact.billed,
        rate: fact.rate,
        quantity: fact.quantity,
        ends: row.maybe_number("ends")?,
        previous: row.parsed("previous")?,
        hash: row.parsed("hash")?,
    })
}

/// Something is metered as this from now on. Nothing is written if it is already.
pub(super) async fn set(tx: &mut Tx, fact: Fact) -> Result<(), StoreError> {
    let Some((number, last)) = last(tx, &fact.resource).await? else {
        return match fact.state {
            Some(_) => change(tx, fact, None).await,
            None => Ok(()),
        };
    };
    // A new name is told by the next entry; it is no reason for one.
    let named = Fact {
        name: last.name.clone(),
        ..fact.clone()
    };
    if named == last {
        return Ok(());
    }
    change(tx, fact, Some(number)).await
}

/// Something is not metered any more, if it was.
pub(crate) async fn end(tx: &mut Tx, resource: &(impl ToString + ?Sized)) -> Result<(), StoreError> {
    let Some((number, last)) = last(tx, &resource.to_string()).await? else {
        return Ok(());
    };
    let gone = Fact {
        state: None,
        billed: false,
        ..last
    };
    change(tx, gone, Some(number)).await
}

/// The entry that something is metered by now.
async fn last(tx: &mut Tx, resource: &str) -> Result<Option<(i64, Fact)>, StoreError> {
    let query = sql(
        "SELECT l.number AS number, kind, project, l.resource AS resource, name, state, billed, rate, quantity \
                     FROM metered m JOIN ledger l ON l.number = m.number WHERE m.resource = $1",
    );
    let row = tx.optional(query.bind(resource.to_owned())).await?;
    row.map(|row| Ok((row.number("number")?, Fact::read(&row)?)))
        .transpose()
}

async fn change(tx: &mut Tx, fact: Fact, ends: Option<i64>) -> Result<(), StoreError> {
    let (resource, goes_on) = (fact.resource.clone(), fact.state.is_some());
    let number = append(tx, fact, ends).await?;
    let keep = if goes_on {
        sql("INSERT INTO metered (resource, number) VALUES ($1, $2) \
             ON CONFLICT (resource) DO UPDATE SET number = excluded.number")
        .bind(resource)
        .bind(number)
    } else {
        sql("DELETE FROM metered WHERE resource = $1").bind(resource)
    };
    tx.run(keep).await.map(|_| ())
}

/// The end of the ledger, read once a transaction; with a new anchor if the host has booted or its clock was set.
pub(super) async fn head(tx: &mut Tx) -> Result<&Writing, StoreError> {
    if tx.ledger.is_none() {
        let row = tx.optional(sql(clock::METER)).await?;
        let (head, before) = match &row {
            None => (Head::default(), None),
            Some(row) => {
                let head = Head {
                    number: row.number("number")?,
                    hash: row.parsed("hash")?,
                };
                (head, Some(clock::read(row)?))
            }
        };
        let now = tx.reading();
        let tick = Meter::tick(before, &now);
        tx.ledger = Some(Writing {
            head,
            meter: tick.meter.clone(),
        });
        if let Some(why) = tick.anchor {
            tracing::info!(why = why.as_str(), boot = %now.boot, "metering: the wall clock is anchored anew");
            let anchor = mark(LedgerKind::Clock, (now.boot, why.as_str().to_owned()), now.mono);
            write(tx, anchor, (tick.elapsed, now.wall), None).await?;
            clock::write(tx, &tick.meter).await?;
        }
    }
    let writing = tx.ledger.as_ref();
    writing.ok_or_else(|| StoreError::corrupt("ledger", "it has no end"))
}

/// An entry that is about no resource.
pub(super) fn mark(kind: LedgerKind, (resource, rate): (String, String), quantity: i64) -> Fact {
    Fact {
        kind,
        project: String::new(),
        resource,
        name: String::new(),
        state: None,
        billed: false,
        rate,
        quantity,
    }
}

async fn append(tx: &mut Tx, fact: Fact, ends: Option<i64>) -> Result<i64, StoreError> {
    let now = (head(tx).await?.meter.alive, tx.micros());
    write(tx, fact, now, ends).await
}

/// Writes an entry behind the last one; its number.
pub(super) async fn write(
    tx: &mut Tx,
    fact: Fact,
    (elapsed, at): (i64, i64),
    ends: Option<i64>,
) -> Result<i64, StoreError> {
    let before = tx.ledger.as_ref().map(|writing| writing.head).unwrap_or_default();
    let entry = LedgerEntry {
        number: before.number + 1,
        elapsed,
        at,
        kind: fact.kind,
        project: fact.project,
        resource: fact.resource,
        name: fact.name,
        state: fact.state,
        billed: fact.billed,
        rate: fact.rate,
        quantity: fact.quantity,
        ends,
        previous: before.hash,
        hash: LedgerHash::default(),
    }
    .sealed();
    let number = entry.number;
    if let Some(writing) = &mut tx.ledger {
        writing.head = Head {
            number,
            hash: entry.hash,
        };
    }
    let insert = sql(
        "INSERT INTO ledger (number, elapsed, at, kind, project, resource, name, state, billed, rate, \
                      quantity, ends, previous, hash) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind(number)
    .bind(entry.elapsed)
    .bind(entry.at)
    .bind(entry.kind.as_str())
    .bind(entry.project)
    .bind(entry.resource)
    .bind(entry.name)
    .bind(entry.state)
    .bind(i64::from(entry.billed))
    .bind(entry.rate)
    .bind(entry.quantity)
    .bind(entry.ends)
    .bind(entry.previous.to_string())
    .bind(entry.hash.to_string());
    tx.run(insert).await?;
    Ok(number)
}

impl Store {
    /// Has a price list be in force from now on, unless it is already. What was billed before stays as it was.
    pub async fn set_prices(&self, list: &PriceList) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let text = to_json(list)?;
        let query = sql(
            "SELECT rate FROM ledger WHERE kind IN ('clock', 'prices') AND kind = 'prices' \
                         ORDER BY number DESC LIMIT 1",
        );
        let before = tx.optional(query).await?.map(|row| row.text("rate")).transpose()?;
        if before.as_ref() != Some(&text) {
            append(&mut tx, mark(LedgerKind::Prices, (String::new(), text), 0), None).await?;
        }
        tx.commit().await
    }
}
