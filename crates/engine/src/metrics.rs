//! The engine's own numbers, and those of what it stands on, for whoever scrapes them.

use std::time::{Duration, Instant};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::Engine;
use crate::readings::Readings;

/// From an event that finds nothing to do to one that waits for a look that waits for libvirt; in seconds.
const LAG_BUCKETS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5, 30.0];

/// From a host of few guests to one of thousands; in seconds.
const RECONCILE_BUCKETS: [f64; 8] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

/// What the engine counts itself.
#[derive(Debug)]
pub(crate) struct Metrics {
    lag: Histogram,
    rounds: Histogram,
    failed_rounds: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            lag: Histogram::new(LAG_BUCKETS),
            rounds: Histogram::new(RECONCILE_BUCKETS),
            failed_rounds: Counter::default(),
        }
    }
}

impl Metrics {
    /// An event that was heard of then is adopted, or told to the operation under way.
    pub(crate) fn heard(&self, at: Instant) {
        self.lag.observe(at.elapsed().as_secs_f64());
    }

    /// A round of the reconciler has ended.
    pub(crate) fn reconciled(&self, took: Duration, well: bool) {
        self.rounds.observe(took.as_secs_f64());
        if !well {
            self.failed_rounds.inc();
        }
    }

    fn register(&self, registry: &mut Registry) {
        let help =
            "Time from hearing of an event of libvirt to its adoption, or to telling it to the operation under way";
        registry.register_with_unit("berth_event_lag", help, Unit::Seconds, self.lag.clone());
        let help = "Time that a comparison of the host with the records took, repairs included";
        registry.register_with_unit("berth_reconcile_duration", help, Unit::Seconds, self.rounds.clone());
        let help = "Comparisons of the host with the records that broke off";
        registry.register("berth_reconcile_failures", help, self.failed_rounds.clone());
    }
}

impl Engine {
    /// Puts all numbers that there are at this moment into a registry. What can't be found out is absent; a libvirt that
    /// hangs is waited for a few seconds.
    pub async fn register_metrics(&self, registry: &mut Registry) {
        self.world.metrics.register(registry);
        self.world.store.metrics().register(registry);
        self.world.hypervisor.metrics().register(registry);
        registry.register_collector(Box::new(Readings::take(self).await));
    }
}
