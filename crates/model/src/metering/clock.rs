//! The clock of metering: from what the host's clocks show to metered time, and from windows of wall time to it.
//!
//! ```text
//!   metered   0 ────────────▶ 70 ──────────▶ 130 ─────────▶        never steps, stands still while the host is off
//!   boots     [ boot a        ][ boot b                            a boot ends at the last sign of life in it
//!   wall      9:00      10:10   12:00   13:00╱11:00                the host was off; the clock was set back
//!   anchors   ▲                 ▲            ▲                     entries of the ledger: metered time ↔ wall time
//! ```
//!
//! Time belongs to the window that the wall clock showed meanwhile. An hour that it showed twice is billed twice in
//! that window, for it was there twice; an hour that it left out is in none. So windows that follow each other have
//! neither gap nor overlap, whatever was done to the clock.

use std::ops::Range;

/// How far the wall clock may be from where its last anchor has it, in microseconds, before it is anchored anew.
pub const CLOCK_STEP: i64 = 1_000_000;

/// What the host's clocks show at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The boot of the host, as the kernel names it.
    pub boot: String,
    /// `CLOCK_MONOTONIC` in microseconds: no step changes it, and it stands still while the host is suspended.
    pub mono: i64,
    /// The wall clock, in microseconds since the epoch.
    pub wall: i64,
}

/// How the host's clocks and metered time go together since the last anchor. All numbers are microseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meter {
    /// The boot it is of.
    pub boot: String,
    /// Metered time less the monotonic clock.
    pub shift: i64,
    /// The wall clock less metered time, at the last anchor.
    pub skew: i64,
    /// The metered time up to which this boot is known to have lasted.
    pub alive: i64,
}

/// The meter, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tick {
    /// The meter from now on.
    pub meter: Meter,
    /// The metered time.
    pub elapsed: i64,
    /// Whether an anchor has to be written down, and why.
    pub anchor: Option<Anchor>,
}

/// Why the wall clock is anchored anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// The host has booted: the boot before ended where it was last known to be alive.
    Boot,
    /// The wall clock was set, or the host was suspended.
    Step,
}

impl Anchor {
    /// Its word in the ledger.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Boot => "boot",
            Self::Step => "step",
        }
    }
}

impl Meter {
    /// Reads the meter; the first one there is begins at nothing.
    ///
    /// A monotonic clock that went back in what claims to be the same boot (a restored machine) tells nothing of the time
    /// in between: it is taken for another boot.
    pub fn tick(before: Option<Self>, now: &Reading) -> Tick {
        let goes_on = |meter: &Self| meter.boot == now.boot && now.mono.saturating_add(meter.shift) >= meter.alive;
        let (shift, skew, anchor) = match &before {
            Some(meter) if goes_on(meter) => {
                let skew = now.wall - (now.mono + meter.shift);
                let stepped = (skew - meter.skew).abs() > CLOCK_STEP;
                let kept = if stepped { skew } else { meter.skew };
                (meter.shift, kept, stepped.then_some(Anchor::Step))
            }
            other => {
                let elapsed = other.as_ref().map_or(0, |meter| meter.alive);
                (elapsed - now.mono, now.wall - elapsed, Some(Anchor::Boot))
            }
        };
        let elapsed = now.mono + shift;
        let meter = Self {
            boot: now.boot.clone(),
            shift,
            skew,
            alive: elapsed,
        };
        Tick { meter, elapsed, anchor }
    }
}

/// A window of wall time: from its beginning on and up to its end, in microseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Window {
    /// Its beginning; none for all there was before.
    pub from: Option<i64>,
    /// Its end; none for all there is.
    pub to: Option<i64>,
}

/// What the wall clock showed, for all metered time up to now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeline {
    /// Metered time, and the wall clock less metered time from there on.
    anchors: Vec<(i64, i64)>,
    now: i64,
}

impl Timeline {
    /// From the anchors of a ledger, metered time and wall time of each in their order, and the metered time of now.
    pub fn new(anchors: impl IntoIterator<Item = (i64, i64)>, now: i64) -> Self {
        let skewed = |(elapsed, wall): (i64, i64)| (elapsed, wall - elapsed);
        Self {
            anchors: anchors.into_iter().map(skewed).collect(),
            now,
        }
    }

    /// The metered time of now.
    pub fn now(&self) -> i64 {
        self.now
    }

    /// The metered time that the wall clock spent in a window: ranges in their order, apart from each other.
    pub fn cut(&self, window: Window) -> Vec<Range<i64>> {
        let ends = self.anchors.iter().skip(1).map(|(at, _)| *at).chain([self.now]);
        let mut cut: Vec<Range<i64>> = Vec::new();
        for ((at, skew), end) in self.anchors.iter().zip(ends) {
            let from = window.from.map_or(*at, |from| from.saturating_sub(*skew).max(*at));
            let to = window.to.map_or(end, |to| to.saturating_sub(*skew).min(end));
            if from >= to {
                continue;
            }
            match cut.last_mut() {
                Some(last) if last.end == from => last.end = to,
                _ => cut.push(from..to),
            }
        }
        cut
    }
}
