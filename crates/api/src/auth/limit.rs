//! Failed logins are few: who fails too often waits, and nobody else does.
//!
//! A source has a bucket that each failure fills by one and time empties. While it is full, nothing that the source
//! sends is looked at. What is kept of a source is the moment at which its bucket is empty again (the generic cell
//! rate algorithm, ITU-T I.371); sources of which that has passed are forgotten, and if there are too many all the
//! same, the one that is nearest to it.
//!
//! ```text
//!   failures  ┃┃┃┃┃┃┃┃┃┃ full: refused │ one drains every 6 s: one attempt │ … │ empty: forgotten
//! ```

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::Source;

/// How many failures in a row a source has before it has to wait.
const FAILURES: u32 = 10;

/// How long it takes until that many are forgotten.
const WINDOW: Duration = Duration::from_mins(1);

/// How many sources are remembered: about 400 KiB.
const SOURCES: usize = 4096;

/// Who has failed how often.
#[derive(Debug)]
pub(crate) struct Limiter {
    buckets: Mutex<Buckets>,
}

impl Default for Limiter {
    fn default() -> Self {
        Self {
            buckets: Mutex::new(Buckets::new(FAILURES, WINDOW, SOURCES)),
        }
    }
}

impl Limiter {
    /// Whether an attempt of this source is looked at; else how long it has to wait until one is.
    pub(crate) fn check(&self, source: Source) -> Result<(), Duration> {
        self.lock().check(source, Instant::now())
    }

    /// Notes that an attempt of this source has failed.
    pub(crate) fn failed(&self, source: Source) {
        self.lock().failed(source, Instant::now());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Buckets> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The buckets, by a clock that the caller reads.
#[derive(Debug)]
struct Buckets {
    /// When each is empty again.
    empty_at: HashMap<Source, Instant>,
    /// The same, the first to be empty first.
    order: BTreeSet<(Instant, Source)>,
    /// How long one failure takes to drain.
    drain: Duration,
    /// How long a full bucket takes to be empty.
    full: Duration,
    /// How many there may be.
    sources: usize,
}

impl Buckets {
    fn new(failures: u32, window: Duration, sources: usize) -> Self {
        let drain = window / failures;
        Self {
            empty_at: HashMap::new(),
            order: BTreeSet::new(),
            drain,
            full: drain * failures,
            sources,
        }
    }

    fn check(&self, source: Source, now: Instant) -> Result<(), Duration> {
        let left = self
            .empty_at
            .get(&source)
            .map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
        // There is room for one more once what is left to drain has fallen by one below full.
        match (left + self.drain).saturating_sub(self.full) {
            Duration::ZERO => Ok(()),
            wait => Err(wait),
        }
    }

    fn failed(&mut self, source: Source, now: Instant) {
        let before = self.empty_at.remove(&source);
        if let Some(at) = before {
            self.order.remove(&(at, source));
        }
        self.make_room(now);
        // Attempts that were let in side by side may all fail: no bucket holds more than a full one.
        let at = before.map_or(now, |at| at.max(now)) + self.drain;
        let at = at.min(now + self.full);
        self.empty_at.insert(source, at);
        self.order.insert((at, source));
    }

    /// Forgets buckets that are empty, and then the emptiest ones while there are too many for one more.
    fn make_room(&mut self, now: Instant) {
        while let Some(&(at, source)) = self.order.first() {
            if at > now && self.order.len() < self.sources {
                return;
            }
            self.order.pop_first();
            self.empty_at.remove(&source);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    const ALICE: Source = Source::User(1000);
    const BOB: Source = Source::User(1001);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn who_fails_ten_times_waits_for_the_first_to_be_forgotten() {
        let mut buckets = Buckets::new(FAILURES, WINDOW, 8);
        let start = Instant::now();
        for _ in 0..10 {
            assert_eq!(buckets.check(ALICE, start), Ok(()));
            buckets.failed(ALICE, start);
        }
        assert_eq!(buckets.check(ALICE, start), Err(seconds(6)));
        assert_eq!(buckets.check(BOB, start), Ok(()), "others don't wait");
        assert_eq!(buckets.check(ALICE, start + seconds(5)), Err(seconds(1)));
        assert_eq!(buckets.check(ALICE, start + seconds(6)), Ok(()));
        buckets.failed(ALICE, start + seconds(6));
        assert_eq!(buckets.check(ALICE, start + seconds(6)), Err(seconds(6)));
        assert_eq!(buckets.check(ALICE, start + seconds(66)), Ok(()));
    }

    /// What happens: time passes, and then somebody fails if they are let in.
    fn attempts() -> impl Strategy<Value = Vec<(u64, u32)>> {
        prop::collection::vec((0u64..20_000, 0u32..12), 0..400)
    }

    proptest! {
        /// Whatever happens: few are remembered; of one source no more fail in any stretch of time than a full bucket
        /// and what drains meanwhile; and who waits as long as told is let in.
        #[test]
        fn failures_are_bounded_and_so_is_what_is_kept(attempts in attempts()) {
            let mut buckets = Buckets::new(4, WINDOW, 16);
            let start = Instant::now();
            let mut now = start;
            let mut failures: HashMap<Source, Vec<Instant>> = HashMap::new();
            for (millis, who) in attempts {
                now += Duration::from_millis(millis);
                let source = Source::User(who);
                match buckets.check(source, now) {
                    Ok(()) => {
                        buckets.failed(source, now);
                        failures.entry(source).or_default().push(now);
                    }
                    Err(wait) => {
                        prop_assert!(wait > Duration::ZERO && wait <= seconds(15));
                        prop_assert!(failures.contains_key(&source), "who never failed waits");
                        prop_assert_eq!(buckets.check(source, now + wait), Ok(()));
                    }
                }
                prop_assert!(buckets.empty_at.len() <= 16);
                prop_assert_eq!(buckets.empty_at.len(), buckets.order.len());
            }
            for times in failures.values() {
                for (first, from) in times.iter().enumerate() {
                    for (more, to) in times[first..].iter().enumerate() {
                        let more = u32::try_from(more).unwrap();
                        prop_assert!(seconds(15) * more <= seconds(15) * 3 + (*to - *from));
                    }
                }
            }
        }

        /// However many sources there are, no more are remembered than there may be, and the worst are not forgotten
        /// for the sake of those who fail once.
        #[test]
        fn a_flood_of_sources_does_not_wash_the_worst_away(flood in prop::collection::vec(any::<u64>(), 0..200)) {
            let mut buckets = Buckets::new(4, WINDOW, 8);
            let now = Instant::now();
            for _ in 0..4 {
                buckets.failed(ALICE, now);
            }
            for network in flood {
                buckets.failed(Source::V6(network), now);
                prop_assert!(buckets.empty_at.len() <= 8 && buckets.order.len() <= 8);
            }
            prop_assert_eq!(buckets.check(ALICE, now), Err(seconds(15)));
        }
    }
}
