//! Metering with a virtual clock: random lives on a host whose clock is set, that sleeps, that goes off, under a daemon
//! that dies, counted a second time by a model that knows nothing of ledgers.

#![allow(clippy::unwrap_used, reason = "tests")]

mod life;
mod reports;

use std::collections::BTreeMap;

use berth_model::InstanceState;
use berth_model::metering::{
    Chain, Head, LedgerEntry, LedgerHash, LedgerKind, Price, PriceList, Prices, Report, Window,
};
use proptest::prelude::*;

use life::{Happens, happens, live};

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
