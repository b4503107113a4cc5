//! From spans to the lines of a report: a pure fold.

use std::collections::BTreeMap;
use std::ops::Range;

use super::{Amount, LedgerKind, Price, Prices};

/// For how long something was as one entry of the ledger has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// What it is.
    pub kind: LedgerKind,
    /// The project that has it.
    pub project: String,
    /// Its id.
    pub resource: String,
    /// Its name then.
    pub name: String,
    /// The state it was in.
    pub state: String,
    /// Whether that is billed.
    pub billed: bool,
    /// What it was billed as.
    pub rate: String,
    /// How much of it there was.
    pub quantity: u64,
    /// From that metered time on.
    pub from: i64,
    /// Up to that metered time; none while it goes on.
    pub to: Option<i64>,
}

/// One line: for so long, so much, at one price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageLine {
    /// The project that pays.
    pub project: String,
    /// What it is.
    pub kind: LedgerKind,
    /// Its id.
    pub resource: String,
    /// Its newest name in the window.
    pub name: String,
    /// What it was billed as.
    pub rate: String,
    /// The state it was in; none if the line is of all billed states.
    pub state: Option<String>,
    /// Whether the time is billed.
    pub billed: bool,
    /// How much of it there was: 1, or GiB.
    pub quantity: u64,
    /// For how long, in microseconds.
    pub micros: i64,
    /// What an hour of one costs.
    pub price: Price,
    /// What that comes to.
    pub amount: Amount,
}

/// The report would have more lines than it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the report has more than {0} lines")]
pub struct TooManyLines(pub usize);

/// What makes a line another one. In the order of lines, but for states, which come in the order of a life.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    project: String,
    kind: LedgerKind,
    resource: String,
    state: Option<String>,
    rate: String,
    quantity: u64,
    billed: bool,
    price: Price,
}

#[derive(Debug)]
struct Sum {
    /// The newest name, and the time it is of.
    name: (i64, String),
    /// When the first of it was.
    first: i64,
    micros: i64,
}

/// A report under way: spans are added in any order.
#[derive(Debug)]
pub struct Report {
    /// The metered time it is about, cut where another price list came into force.
    pieces: Vec<Range<i64>>,
    prices: Prices,
    by_state: bool,
    lines: BTreeMap<Key, Sum>,
    lines_max: usize,
}

impl Report {
    /// A report on that metered time, which is in order. By state it tells time that isn't billed too.
    pub fn new(cut: Vec<Range<i64>>, prices: Prices, by_state: bool, lines_max: usize) -> Self {
        let mut pieces = Vec::with_capacity(cut.len());
        for mut range in cut {
            for change in prices.changes() {
                if range.contains(&change) && range.start < change {
                    pieces.push(range.start..change);
                    range.start = change;
                }
            }
            pieces.push(range);
        }
        Self {
            pieces,
            prices,
            by_state,
            lines: BTreeMap::new(),
            lines_max,
        }
    }

    /// From the beginning of the metered time that it is about to its end; none if that is none at all.
    pub fn hull(&self) -> Option<Range<i64>> {
        Some(self.pieces.first()?.start..self.pieces.last()?.end)
    }

    /// Adds what of a span falls into the report.
    pub fn add(&mut self, span: &Span) -> Result<(), TooManyLines> {
        let to = span.to.unwrap_or(i64::MAX);
        if span.from >= to || !(span.billed || self.by_state) {
            return Ok(());
        }
        let first = self.pieces.partition_point(|piece| piece.end <= span.from);
        let touched = self.pieces[first..].iter().take_while(|piece| piece.start < to);
        for piece in touched {
            let (from, to) = (piece.start.max(span.from), piece.end.min(to));
            let price = if span.billed {
                self.prices.at(from, span.kind, &span.rate)
            } else {
                Price::FREE
            };
            let key = Key {
                project: span.project.clone(),
                kind: span.kind,
                resource: span.resource.clone(),
                state: self.by_state.then(|| span.state.clone()),
                rate: span.rate.clone(),
                quantity: span.quantity,
                billed: span.billed,
                price,
            };
            let sum = self.lines.entry(key).or_insert_with(|| Sum {
                name: (from, span.name.clone()),
                first: from,
                micros: 0,
            });
            sum.micros += to - from;
            sum.first = sum.first.min(from);
            if sum.name.0 < from {
                sum.name = (from, span.name.clone());
            }
        }
        if self.lines.len() > self.lines_max {
            return Err(TooManyLines(self.lines_max));
        }
        Ok(())
    }

    /// The lines: by project, kind and resource, and of one resource in the order in which they began.
    pub fn lines(self) -> Vec<UsageLine> {
        let mut lines: Vec<_> = self.lines.into_iter().collect();
        lines.sort_by(|(a, first), (b, second)| {
            let resource = (&a.project, a.kind, &a.resource).cmp(&(&b.project, b.kind, &b.resource));
            resource.then(first.first.cmp(&second.first))
        });
        let line = |(key, sum): (Key, Sum)| UsageLine {
            amount: Amount::of(key.price, key.quantity, sum.micros),
            project: key.project,
            kind: key.kind,
            resource: key.resource,
            name: sum.name.1,
            rate: key.rate,
            state: key.state,
            billed: key.billed,
            quantity: key.quantity,
            micros: sum.micros,
            price: key.price,
        };
        lines.into_iter().map(line).collect()
    }
}
