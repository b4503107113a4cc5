//! The ledger, read: spans for a report, the chain to be followed. Streamed, so that no ledger is too long; and politely,
//! so that a long one keeps nobody else from their turn.

use std::ops::Range;

use berth_model::metering::{Broken, Chain, Head, LedgerKind, Meter, PriceList, Prices, Reading, Span, Timeline};
use futures::TryStreamExt as _;
use sqlx::any::AnyRow;
use tokio::task::coop::consume_budget;

use super::{clock, ledger};
use crate::row::{Columns as _, sql};
use crate::{Store, StoreError, record};

/// What a report stands on besides the spans.
#[derive(Debug, Clone)]
pub struct UsageBasis {
    /// What the wall clock showed, up to now.
    pub timeline: Timeline,
    /// The price lists.
    pub prices: Prices,
    /// Now, by the wall clock.
    pub as_of: jiff::Timestamp,
}

/// Which spans are wanted.
#[derive(Debug, Clone, Default)]
pub struct UsageFilter {
    /// Those that touch this metered time.
    pub elapsed: Range<i64>,
    /// Of this project; of all, if none.
    pub project: Option<String>,
    /// Of the instance with this id, and of all that had this name then.
    pub instance: Option<String>,
}

/// The spans that ended within the time or after it began, and those that go on.
const SPANS: &str = "\
    SELECT p.kind, p.project, p.resource, p.name, p.state, p.billed, p.rate, p.quantity, p.elapsed, e.elapsed AS until \
    FROM ledger e JOIN ledger p ON p.number = e.ends \
    WHERE e.elapsed > $1 AND p.elapsed < $2 AND ($3 = '' OR p.project = $3) \
    AND ($4 = '' OR p.kind = 'instance' AND (p.resource = $4 OR p.name = $4)) \
    UNION ALL \
    SELECT p.kind, p.project, p.resource, p.name, p.state, p.billed, p.rate, p.quantity, p.elapsed, NULL AS until \
    FROM metered m JOIN ledger p ON p.number = m.number \
    WHERE p.elapsed < $2 AND ($3 = '' OR p.project = $3) \
    AND ($4 = '' OR p.kind = 'instance' AND (p.resource = $4 OR p.name = $4))";

fn span(row: &AnyRow) -> Result<Span, StoreError> {
    Ok(Span {
        kind: row.parsed("kind")?,
        project: row.text("project")?,
        resource: row.text("resource")?,
        name: row.text("name")?,
        state: row.text("state")?,
        billed: row.flag("billed")?,
        rate: row.text("rate")?,
        quantity: row.number("quantity")?,
        from: row.number("elapsed")?,
        to: row.maybe_number("until")?,
    })
}

impl Store {
    /// The clock and the price lists of all of the ledger, up to now.
    pub async fn usage_basis(&self) -> Result<UsageBasis, StoreError> {
        let (mut anchors, mut lists) = (Vec::new(), Vec::new());
        let marks = sql("SELECT kind, elapsed, at, rate FROM ledger WHERE kind IN ('clock', 'prices') ORDER BY number");
        for row in self.all(marks).await? {
            let elapsed = row.number("elapsed")?;
            match row.parsed("kind")? {
                LedgerKind::Clock => anchors.push((elapsed, row.number("at")?)),
                _ => lists.push((elapsed, row.json::<PriceList>("rate")?)),
            }
        }
        let before = self.optional(sql(clock::METER)).await?;
        let before = before.as_ref().map(clock::read).transpose()?;
        let as_of = record::now();
        let now = Reading {
            boot: self.inner.boot.clone(),
            mono: clock::mono()?,
            wall: as_of.as_microsecond(),
        };
        let tick = Meter::tick(before, &now);
        // The clock was set a moment ago, and nobody has written that down yet.
        anchors.extend(tick.anchor.map(|_| (tick.elapsed, now.wall)));
        Ok(UsageBasis {
            timeline: Timeline::new(anchors, tick.elapsed),
            prices: Prices::new(lists),
            as_of,
        })
    }

    /// Hands over the spans that are wanted, in no order, all of one moment. A small piece of metered time reads the entries
    /// from its beginning on, and what is metered now.
    pub async fn usage_spans<E: From<StoreError>>(
        &self,
        wanted: &UsageFilter,
        mut each: impl FnMut(Span) -> Result<(), E>,
    ) -> Result<(), E> {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let query = sql(SPANS)
            .bind(wanted.elapsed.start)
            .bind(wanted.elapsed.end)
            .bind(text(&wanted.project))
            .bind(text(&wanted.instance));
        let mut rows = query.fetch(&self.inner.readers);
        while let Some(row) = rows
            .try_next()
            .await
            .map_err(|error| self.inner.database.error(error))?
        {
            each(span(&row)?)?;
            consume_budget().await;
        }
        Ok(())
    }

    /// Follows the ledger from its first entry to its last. The last one, or the first that isn't as it must be.
    ///
    /// `noted` is a head that somebody kept: it must still be there.
    pub async fn verify_usage(&self, noted: Option<Head>) -> Result<Result<Head, Broken>, StoreError> {
        let open = sql(
            "SELECT h.number AS head, m.resource, m.number FROM (SELECT MAX(number) AS number FROM ledger) h \
                        LEFT JOIN metered m ON 1 = 1",
        );
        let open = self.all(open).await?;
        let head = open.first().map(|row| row.maybe_number("head")).transpose()?.flatten();
        let mut chain = Chain::new(noted);
        let entries = sql("SELECT * FROM ledger WHERE number <= $1 ORDER BY number").bind(head.unwrap_or_default());
        let mut rows = entries.fetch(&self.inner.readers);
        while let Some(row) = rows
            .try_next()
            .await
            .map_err(|error| self.inner.database.error(error))?
        {
            let followed = match ledger::read(&row) {
                Ok(entry) => chain.follow(&entry),
                Err(unreadable) => Err(Broken {
                    number: chain.head().number + 1,
                    reason: unreadable.to_string(),
                }),
            };
            if let Err(broken) = followed {
                return Ok(Err(broken));
            }
            consume_budget().await;
        }
        let open = open.iter().filter_map(|row| {
            let resource = row.maybe_text("resource").transpose()?;
            Some(resource.and_then(|resource| Ok((resource, row.number("number")?))))
        });
        let open: Vec<_> = open.collect::<Result<_, _>>()?;
        Ok(chain.end(open).map(|()| chain.head()))
    }
}
