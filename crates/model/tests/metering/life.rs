//! A host whose clock is set, that sleeps, that goes off; the ledger that its daemon would write; and a naive account.

use std::collections::BTreeMap;

use berth_model::InstanceState;
use berth_model::metering::{
    LedgerEntry, LedgerHash, LedgerKind, Meter, Prices, Reading, Report, Span, Timeline, Window,
};
use proptest::prelude::*;

/// What happens. Durations are in microseconds. A daemon that dies is none of it: it keeps nothing of this in memory.
#[derive(Debug, Clone)]
pub(crate) enum Happens {
    /// The host runs for so long.
    Runs(i64),
    /// The host sleeps: guests stand still, and so does the monotonic clock.
    Sleeps(i64),
    /// The power is cut, and comes back after so long.
    Reboots(i64),
    /// Somebody sets the wall clock by so much.
    ClockSet(i64),
    /// An instance is in another state.
    Becomes(usize, Option<InstanceState>),
}

const RESOURCES: usize = 3;
const TYPES: [&str; RESOURCES] = ["t1.nano", "t1.nano", "m2.large"];

pub(crate) fn happens() -> impl Strategy<Value = Happens> {
    let minutes = 60_000_000_i64;
    let state = prop::option::weighted(0.85, prop::sample::select(InstanceState::ALL));
    prop_oneof![
        4 => (1..300 * minutes).prop_map(Happens::Runs),
        1 => (1..90 * minutes).prop_map(Happens::Sleeps),
        1 => (1..90 * minutes).prop_map(Happens::Reboots),
        1 => (-90 * minutes..90 * minutes).prop_map(Happens::ClockSet),
        4 => (0..RESOURCES, state).prop_map(|(which, state)| Happens::Becomes(which, state)),
    ]
}

/// A piece of time that an instance spent in a state, by the wall clock.
struct Piece {
    which: usize,
    state: InstanceState,
    wall: i64,
    length: i64,
}

/// The host, its daemon's ledger, and the naive account.
pub(crate) struct Life {
    now: Reading,
    meter: Option<Meter>,
    pub(crate) ledger: Vec<LedgerEntry>,
    pub(crate) last: BTreeMap<String, i64>,
    states: [Option<InstanceState>; RESOURCES],
    /// What is sure: the daemon has seen the host alive after it.
    account: Vec<Piece>,
    /// What is lost if the power is cut before the daemon looks.
    unseen: Vec<Piece>,
    boots: u32,
}

impl Life {
    fn new() -> Self {
        let mut life = Self {
            now: Reading {
                boot: "boot 0".to_owned(),
                mono: 5_000_000,
                wall: 1_700_000_000_000_000,
            },
            meter: None,
            ledger: Vec::new(),
            last: BTreeMap::new(),
            states: [None; RESOURCES],
            account: Vec::new(),
            unseen: Vec::new(),
            boots: 0,
        };
        life.beat();
        life
    }

    /// The daemon looks at the clock, and writes down an anchor if there has to be one.
    pub(crate) fn beat(&mut self) -> i64 {
        let tick = Meter::tick(self.meter.take(), &self.now);
        self.meter = Some(tick.meter);
        if let Some(why) = tick.anchor {
            self.append(
                LedgerKind::Clock,
                (self.now.boot.clone(), None),
                why.as_str(),
                tick.elapsed,
            );
        }
        self.account.append(&mut self.unseen);
        tick.elapsed
    }

    fn append(&mut self, kind: LedgerKind, (resource, state): (String, Option<InstanceState>), rate: &str, at: i64) {
        let before = self.ledger.last();
        let metered = kind == LedgerKind::Instance;
        let ends = self.last.remove(&resource).filter(|_| metered);
        let entry = LedgerEntry {
            number: before.map_or(1, |before| before.number + 1),
            elapsed: at,
            at: self.now.wall,
            kind,
            project: "p".to_owned(),
            name: resource.clone(),
            state: state.map(|state| state.to_string()),
            billed: state.is_some_and(InstanceState::billed),
            rate: rate.to_owned(),
            quantity: 1,
            ends,
            previous: before.map(|before| before.hash).unwrap_or_default(),
            hash: LedgerHash::default(),
            resource,
        };
        if metered && state.is_some() {
            self.last.insert(entry.resource.clone(), entry.number);
        }
        self.ledger.push(entry.sealed());
    }

    pub(crate) fn step(&mut self, happens: &Happens) {
        match happens {
            Happens::Runs(length) => {
                for (which, state) in self.states.iter().enumerate() {
                    self.unseen.extend(state.map(|state| Piece {
                        which,
                        state,
                        wall: self.now.wall,
                        length: *length,
                    }));
                }
                self.now.mono += length;
                self.now.wall += length;
            }
            Happens::Sleeps(length) | Happens::ClockSet(length) => {
                // What was before belongs to the hours that the clock showed then.
                self.beat();
                self.now.wall += length;
                self.beat();
            }
            Happens::Reboots(length) => {
                self.unseen.clear();
                self.boots += 1;
                self.now.boot = format!("boot {}", self.boots);
                (self.now.mono, self.now.wall) = (7_000_000, self.now.wall + length);
                self.beat();
            }
            Happens::Becomes(which, state) => {
                if self.states[*which] != *state {
                    let at = self.beat();
                    self.states[*which] = *state;
                    self.append(LedgerKind::Instance, (which.to_string(), *state), TYPES[*which], at);
                }
            }
        }
    }

    pub(crate) fn spans(&self) -> Vec<Span> {
        let entry = |number: i64| &self.ledger[usize::try_from(number - 1).unwrap()];
        let span = |from: &LedgerEntry, to: Option<i64>| Span {
            kind: from.kind,
            project: from.project.clone(),
            resource: from.resource.clone(),
            name: from.name.clone(),
            state: from.state.clone().unwrap(),
            billed: from.billed,
            rate: from.rate.clone(),
            quantity: 1,
            from: from.elapsed,
            to,
        };
        let ended = self
            .ledger
            .iter()
            .filter_map(|to| Some(span(entry(to.ends?), Some(to.elapsed))));
        let open = self.last.values().map(|number| span(entry(*number), None));
        ended.chain(open).collect()
    }

    pub(crate) fn timeline(&self) -> Timeline {
        let clock = self.ledger.iter().filter(|entry| entry.kind == LedgerKind::Clock);
        let now = self.meter.as_ref().unwrap().alive;
        Timeline::new(clock.map(|entry| (entry.elapsed, entry.at)), now)
    }

    /// By the ledger: how long each instance was in each state in a window.
    pub(crate) fn reported(&self, window: Window) -> BTreeMap<(String, String), i64> {
        let mut report = Report::new(self.timeline().cut(window), Prices::default(), true, 1000);
        for span in self.spans() {
            report.add(&span).unwrap();
        }
        let lines = report.lines().into_iter();
        lines
            .map(|line| ((line.resource, line.state.unwrap()), line.micros))
            .collect()
    }

    /// By the account.
    pub(crate) fn counted(&self, window: Window) -> BTreeMap<(String, String), i64> {
        let mut sums = BTreeMap::new();
        for piece in &self.account {
            let from = piece.wall.max(window.from.unwrap_or(i64::MIN));
            let to = (piece.wall + piece.length).min(window.to.unwrap_or(i64::MAX));
            if from < to {
                *sums
                    .entry((piece.which.to_string(), piece.state.to_string()))
                    .or_default() += to - from;
            }
        }
        sums
    }
}

pub(crate) fn live(path: &[Happens]) -> Life {
    let mut life = Life::new();
    for happens in path {
        life.step(happens);
    }
    life.beat();
    life
}
