//! What was committed, counted: operations by how they ended, their steps, and how long writing takes.
//!
//! A transaction notes what it writes down and tells it once it is committed, as it does with events: what is rolled
//! back is not counted, and what a crash makes to be done again is counted when it is done.

use std::time::Duration;

use berth_model::Work;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::Phase;

/// From a record that is written to a guest that takes its time to shut down, or an image that is fetched; in seconds.
const BUCKETS: [f64; 12] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 300.0, 1800.0];

/// From a page in the cache to a disk that is busy; in seconds.
const WRITE_BUCKETS: [f64; 10] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5];

/// What an operation is: `instance`, `volume` or `image`, and a word of its table.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ActionOf {
    resource: &'static str,
    action: &'static str,
}

/// How an operation ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    resource: &'static str,
    action: &'static str,
    outcome: &'static str,
}

/// A step: the state it shows, and its number, since several may show one state.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StepOf {
    resource: &'static str,
    action: &'static str,
    step: u64,
    state: &'static str,
}

type Durations<L> = Family<L, Histogram, fn() -> Histogram>;

/// What was committed since the store was opened; clones count together.
#[derive(Debug, Clone)]
pub struct Metrics {
    ended: Family<Ended, Counter>,
    operations: Durations<ActionOf>,
    steps: Durations<StepOf>,
    writes: Histogram,
}

impl Default for Metrics {
    fn default() -> Self {
        let durations = || Histogram::new(BUCKETS);
        Self {
            ended: Family::default(),
            operations: Family::new_with_constructor(durations),
            steps: Family::new_with_constructor(durations),
            writes: Histogram::new(WRITE_BUCKETS),
        }
    }
}

impl Metrics {
    /// Has them told with what else is in a registry.
    pub fn register(&self, registry: &mut Registry) {
        let help = "Operations that have ended, by what they did and how they ended";
        registry.register("berth_operations", help, self.ended.clone());
        let help = "Time from asking for an operation to its end, however it ended";
        registry.register_with_unit("berth_operation_duration", help, Unit::Seconds, self.operations.clone());
        let help = "Time that a step of an operation took until it was done, attempts that failed included";
        registry.register_with_unit("berth_operation_step_duration", help, Unit::Seconds, self.steps.clone());
        let help = "Time that a transaction of the database took, waiting for its turn included";
        registry.register_with_unit("berth_store_write_duration", help, Unit::Seconds, self.writes.clone());
    }

    pub(crate) fn count(&self, counted: Counted, took: Duration) {
        self.writes.observe(took.as_secs_f64());
        for (work, took) in counted.steps {
            let step = StepOf {
                resource: work.kind(),
                action: work.action(),
                step: work.step() as u64,
                state: work.state().unwrap_or_default(),
            };
            self.steps.get_or_create(&step).observe(took.as_secs_f64());
        }
        for (work, phase, took) in counted.ended {
            let (resource, action) = (work.kind(), work.action());
            let outcome = match phase {
                Phase::Succeeded => "succeeded",
                Phase::Cancelled => "cancelled",
                Phase::Failed | Phase::Running | Phase::Undoing => "failed",
            };
            let ended = Ended {
                resource,
                action,
                outcome,
            };
            self.ended.get_or_create(&ended).inc();
            let operation = ActionOf { resource, action };
            self.operations.get_or_create(&operation).observe(took.as_secs_f64());
        }
    }
}

/// What a transaction has to tell of once it is committed.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    /// The steps that are done.
    pub(crate) steps: Vec<(Work, Duration)>,
    /// The operations that have ended, in that phase, so long after they were asked for.
    pub(crate) ended: Vec<(Work, Phase, Duration)>,
}
