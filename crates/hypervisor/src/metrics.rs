//! How long libvirt takes to answer, by what it is asked.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::HypervisorError;

/// From a call that only reads what libvirt has in memory to one that waits for QEMU, in seconds.
const BUCKETS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

/// What libvirt is asked; the words of the calls are ours, and few.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Call {
    call: &'static str,
}

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FailedCall {
    call: &'static str,
    reason: &'static str,
}

/// The calls so far; clones count together.
#[derive(Debug, Clone)]
pub struct Metrics {
    calls: Family<Call, Histogram, fn() -> Histogram>,
    failed: Family<FailedCall, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            calls: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            failed: Family::default(),
        }
    }
}

impl Metrics {
    /// Has them told with what else is in a registry.
    pub fn register(&self, registry: &mut Registry) {
        let help = "Time that a call to libvirt took as its caller saw it, waiting for a free connection included";
        registry.register_with_unit("berth_libvirt_call_duration", help, Unit::Seconds, self.calls.clone());
        let help = "Calls to libvirt that failed: it was away, too slow, or refused";
        registry.register("berth_libvirt_call_failures", help, self.failed.clone());
    }

    pub(crate) fn count<T>(&self, call: &'static str, took: Duration, answer: &Result<T, HypervisorError>) {
        self.calls.get_or_create(&Call { call }).observe(took.as_secs_f64());
        let reason = match answer {
            Ok(_) => return,
            Err(HypervisorError::Unavailable { .. }) => "away",
            Err(HypervisorError::Deadline { .. }) => "deadline",
            Err(HypervisorError::Refused { .. } | HypervisorError::Xml(_)) => "refused",
            Err(HypervisorError::Broken(_)) => "broken",
        };
        self.failed.get_or_create(&FailedCall { call, reason }).inc();
    }
}
