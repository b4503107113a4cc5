//! Metering with a virtual clock: random lives on a host whose clock is set, that sleeps, that goes off, under a daemon
//! that dies, counted a second time by a model that knows nothing of ledgers.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use berth_model::InstanceState;
use berth_model::metering::{
    Chain, Head, LedgerEntry, LedgerHash, LedgerKind, Meter, Price, PriceList, Prices, Reading, Report, Span, Timeline,
    Window,
};
use proptest::prelude::*;

/// What happens. Durations are in microseconds. A daemon that dies is none of it: it keeps nothing of this in memory.
#[derive(Debug, Clone)]
enum Happens {
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

fn happens() -> impl Strategy<Value = Happens> {
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
struct Life {
    now: Reading,
    meter: Option<Meter>,
    ledger: Vec<LedgerEntry>,
    last: BTreeMap<String, i64>,
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
    fn beat(&mut self) -> i64 {
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

    fn step(&mut self, happens: &Happens) {
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

    fn spans(&self) -> Vec<Span> {
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

    fn timeline(&self) -> Timeline {
        let clock = self.ledger.iter().filter(|entry| entry.kind == LedgerKind::Clock);
        let now = self.meter.as_ref().unwrap().alive;
        Timeline::new(clock.map(|entry| (entry.elapsed, entry.at)), now)
    }

    /// By the ledger: how long each instance was in each state in a window.
    fn reported(&self, window: Window) -> BTreeMap<(String, String), i64> {
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
    fn counted(&self, window: Window) -> BTreeMap<(String, String), i64> {
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

fn live(path: &[Happens]) -> Life {
    let mut life = Life::new();
    for happens in path {
        life.step(happens);
    }
    life.beat();
    life
}

/// Moments to cut at: some within the life, some outside.
fn cuts() -> impl Strategy<Value = Vec<i64>> {
    let start = 1_700_000_000_000_000_i64;
    prop::collection::vec(start - 100_000_000_000..start + 400_000_000_000, 0..6).prop_map(|mut cuts| {
        cuts.sort_unstable();
        cuts
    })
}

fn windows(cuts: &[i64]) -> Vec<Window> {
    let froms = [None].into_iter().chain(cuts.iter().copied().map(Some));
    let tos = cuts.iter().copied().map(Some).chain([None]);
    froms.zip(tos).map(|(from, to)| Window { from, to }).collect()
}

proptest! {
    /// However the clock is set and the power goes: each window is what the naive account says, to the microsecond.
    #[test]
    fn a_report_is_what_a_naive_account_says(
        path in prop::collection::vec(happens(), 0..80),
        cuts in cuts(),
    ) {
        let life = live(&path);
        prop_assert_eq!(life.reported(Window::default()), life.counted(Window::default()));
        for window in windows(&cuts) {
            prop_assert_eq!(life.reported(window), life.counted(window), "{:?}", window);
        }
    }

    /// Windows that follow each other sum up to the whole.
    #[test]
    fn windows_have_neither_gap_nor_overlap(
        path in prop::collection::vec(happens(), 0..80),
        cuts in cuts(),
    ) {
        let life = live(&path);
        let mut sums = BTreeMap::new();
        for window in windows(&cuts) {
            for (key, micros) in life.reported(window) {
                *sums.entry(key).or_default() += micros;
            }
        }
        prop_assert_eq!(sums, life.reported(Window::default()));
    }

    /// Whatever is changed in whichever entry, or taken out, or put elsewhere, is found, and not later than there.
    #[test]
    fn the_chain_finds_what_was_done_to_it(
        path in prop::collection::vec(happens(), 8..60),
        which in any::<prop::sample::Index>(),
        how in 0..8_u8,
    ) {
        let life = live(&path);
        let mut chain = Chain::new(None);
        for entry in &life.ledger {
            chain.follow(entry).unwrap();
        }
        let open = || life.last.iter().map(|(resource, number)| (resource.clone(), *number));
        prop_assert_eq!(chain.end(open()), Ok(()));

        let mut ledger = life.ledger.clone();
        let place = which.index(ledger.len());
        let entry = &mut ledger[place];
        match how {
            0 => entry.elapsed += 1,
            1 => entry.billed = !entry.billed,
            2 => entry.state = Some("Gone".to_owned()),
            3 => entry.rate.push('x'),
            4 => (entry.name, entry.resource) = (entry.name.clone() + "1", entry.resource.clone() + "1"),
            5 => entry.at -= 1,
            6 => { ledger.remove(place); }
            _ => {
                // Changed, and its own hash made to fit: then the next one's doesn't, or the noted head is missing.
                entry.quantity += 1;
                *entry = entry.clone().sealed();
            }
        }
        let noted = life.ledger.last().map(|last| Head { number: last.number, hash: last.hash });
        let mut chain = Chain::new(noted);
        let followed = ledger.iter().try_for_each(|entry| chain.follow(entry));
        let broken = followed.and_then(|()| chain.end(open())).unwrap_err();
        let number = i64::try_from(place).unwrap() + 1;
        prop_assert!(broken.number == number || how == 7 && broken.number == number + 1, "{:?}", broken);
    }
}

/// The seed's billing table, to the second, over a life with everything in it.
#[test]
fn a_scripted_life_is_billed_as_the_seed_says() {
    use InstanceState as S;
    let second = 1_000_000;
    let runs = |seconds: i64| Happens::Runs(seconds * second);
    let is = |state| Happens::Becomes(0, Some(state));
    let mut life = live(&[
        is(S::Building),
        runs(3),
        is(S::Active),
        runs(3600),
        // The daemon was down meanwhile, and somebody set the clock back.
        runs(600),
        Happens::ClockSet(-7200 * second),
        runs(60),
        is(S::PoweringOff),
        runs(5),
        is(S::Stopped),
        runs(100),
        is(S::ResizePrep),
        runs(7),
        is(S::Resized),
        runs(50),
        is(S::Stopped),
        runs(10),
        is(S::Shelving),
        runs(20),
        is(S::ShelvedOffloaded),
        runs(10_000),
        is(S::Unshelving),
        runs(4),
        is(S::Active),
        runs(1000),
        is(S::Active),
    ]);
    life.beat();
    // Off for an hour, which nobody pays.
    for happens in [
        Happens::Reboots(3600 * second),
        runs(30),
        is(S::Deleting),
        runs(2),
        Happens::Becomes(0, None),
    ] {
        life.step(&happens);
    }
    life.step(&runs(500));
    life.beat();
    let lines = life.reported(Window::default());
    let seconds = |state: S| {
        lines
            .get(&("0".to_owned(), state.to_string()))
            .map_or(0, |micros| micros / second)
    };
    let all = [
        (S::Building, 3),
        (S::Active, 3600 + 600 + 60 + 1000 + 30),
        (S::PoweringOff, 5),
        (S::Stopped, 100 + 10),
        (S::ResizePrep, 7),
        (S::Resized, 50),
        (S::Shelving, 20),
        (S::ShelvedOffloaded, 10_000),
        (S::Unshelving, 4),
        (S::Deleting, 2),
    ];
    for (state, expected) in all {
        assert_eq!(seconds(state), expected, "{state}");
    }
    let billed: i64 = all
        .iter()
        .filter(|(state, _)| state.billed())
        .map(|(_, seconds)| seconds)
        .sum();
    assert_eq!(billed, 5425);

    let nano: Price = "0.36".parse().unwrap();
    let list = PriceList {
        currency: "EUR".to_owned(),
        instance: [("t1.nano".to_owned(), nano)].into(),
        ..PriceList::default()
    };
    let prices = Prices::new(vec![(0, list)]);
    let mut report = Report::new(life.timeline().cut(Window::default()), prices, false, 10);
    for span in life.spans() {
        report.add(&span).unwrap();
    }
    let lines = report.lines();
    assert_eq!(lines.len(), 1, "one resource at one price is one line");
    assert_eq!(
        (lines[0].micros, lines[0].amount.to_string()),
        (5425 * second, "0.542500".to_owned())
    );
}

#[test]
fn a_new_price_list_changes_no_time_before_it() {
    let list = |price: &str, types: &[&str]| PriceList {
        instance: types
            .iter()
            .map(|name| ((*name).to_owned(), price.parse().unwrap()))
            .collect(),
        ..PriceList::default()
    };
    let hour = 3_600_000_000;
    // The last list doesn't name the type any more: what is left of it costs what it did.
    let prices = Prices::new(vec![
        (0, list("1", &["a"])),
        (2 * hour, list("3", &["a"])),
        (3 * hour, list("9", &["b"])),
    ]);
    let span = |from: i64, to| Span {
        kind: LedgerKind::Instance,
        project: "p".to_owned(),
        resource: "r".to_owned(),
        name: "web".to_owned(),
        state: "Active".to_owned(),
        billed: true,
        rate: "a".to_owned(),
        quantity: 1,
        from,
        to,
    };
    let mut report = Report::new(vec![0..4 * hour, 5 * hour..6 * hour], prices, false, 10);
    report.add(&span(hour, None)).unwrap();
    let lines: Vec<_> = report
        .lines()
        .into_iter()
        .map(|line| (line.price.to_string(), line.micros / hour, line.amount.to_string()))
        .collect();
    let line = |price: &str, hours, amount: &str| (price.to_owned(), hours, amount.to_owned());
    assert_eq!(lines, [line("1", 1, "1.000000"), line("3", 3, "9.000000")]);
}

#[test]
fn a_report_has_no_more_lines_than_it_may() {
    let span = |resource: usize| Span {
        kind: LedgerKind::Volume,
        project: "p".to_owned(),
        resource: resource.to_string(),
        name: "data".to_owned(),
        state: "Stored".to_owned(),
        billed: true,
        rate: "ssd".to_owned(),
        quantity: 10,
        from: 0,
        to: None,
    };
    let mut report = Report::new(std::iter::once(0..10).collect(), Prices::default(), false, 2);
    report.add(&span(1)).unwrap();
    report.add(&span(2)).unwrap();
    assert!(report.add(&span(3)).is_err());
}

/// The form that hashes are made of never changes: a ledger is for years.
#[test]
fn the_hash_of_an_entry_stays_what_it_was() {
    let entry = LedgerEntry {
        number: 1,
        elapsed: 2,
        at: 1_700_000_000_000_000,
        kind: LedgerKind::Instance,
        project: "default".to_owned(),
        resource: "0198f3c2-7a10-7e1b-9d0a-5c1f6f4e2b11".to_owned(),
        name: "web".to_owned(),
        state: Some("Active".to_owned()),
        billed: true,
        rate: "t1.nano".to_owned(),
        quantity: 1,
        ends: None,
        previous: LedgerHash::default(),
        hash: LedgerHash::default(),
    };
    insta::assert_snapshot!(entry.sealed().hash);
}
