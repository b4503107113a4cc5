//! The only crate that speaks to libvirt: verbs, events, what the host can do.
//!
//! libvirt is blocking C with callbacks. Here it becomes calls with a deadline and a stream of notices:
//!
//! ```text
//!   caller ──call──▶ pool: N threads, each with a connection of its own ──▶ libvirtd
//!          ◀─answer, or DeadlineExceeded─┘                                     │
//!                                                                              │ events, end of the connection
//!   engine ◀──Notice── link: the one connection that listens ◀── event loop ◀──┘ (its own thread)
//!                       └─ lost? tries again, each time more patiently
//! ```
//!
//! - [`Hypervisor`]'s verbs are *make sure it is so*: a domain that is off already was destroyed, one that isn't there
//!   was undefined. Called twice they do no harm, which is what the steps of a recipe need.
//! - A verb answers or fails within its deadline, also when libvirtd hangs. While the link is down it fails at once.
//! - Events are told in order and never lost while the link is up; after [`Notice::Up`] everything is to be looked at,
//!   since nobody knows what happened meanwhile.
//!
//! Architecture invariant: the only `virt`, the only `virt-sys`, and (in `ffi` and its fellows) the only `unsafe` that speaks to it.

mod disks;
mod error;
mod event;
mod event_loop;
mod ffi;
mod ffi_block;
mod ffi_stats;
mod host;
mod kvm;
mod link;
mod metrics;
mod plug;
mod pool;
mod stats;
mod status;
mod verbs;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

pub use error::HypervisorError;
pub use host::HostFacts;
pub use kvm::{AccelChoice, KvmFacts, choose};
pub use link::{DomainEvent, Link, Notice};
pub use metrics::Metrics;
pub use stats::{DiskStats, GuestStats};
pub use verbs::DomainSummary;

use crate::link::Keeper;
use crate::pool::Pool;

/// How libvirt is to be spoken to.
#[derive(Debug, Clone)]
pub struct Settings {
    /// libvirt's URI, e.g. `qemu:///system`.
    pub uri: String,
    /// How long one call may take before the caller is told that it took too long.
    pub call_deadline: Duration,
    /// How many calls may be under way at once.
    pub threads: usize,
}

/// libvirt, within reach or not; cheap to clone. All its methods block, for no longer than the deadline.
#[derive(Clone)]
pub struct Hypervisor {
    pool: Arc<Pool>,
    keeper: Arc<Keeper>,
}

impl Hypervisor {
    /// Starts the threads that speak to libvirt. libvirt itself needn't be there yet: the notices tell when it is.
    pub fn start(settings: Settings) -> Result<(Self, UnboundedReceiver<Notice>), HypervisorError> {
        event_loop::ensure()?;
        let (sender, notices) = unbounded_channel();
        let keeper = Keeper::start(settings.uri.clone(), sender)?;
        let pool = Pool::start(&settings, &keeper.link())?;
        Ok((
            Self {
                pool: Arc::new(pool),
                keeper: Arc::new(keeper),
            },
            notices,
        ))
    }

    /// Whether libvirt is reached.
    pub fn link(&self) -> Link {
        self.keeper.link().now()
    }

    /// How long libvirt takes to answer.
    pub fn metrics(&self) -> &Metrics {
        &self.pool.metrics
    }

    /// For how long libvirt's event loop has given no sign of life, which it does once a second.
    pub fn loop_silent_for(&self) -> Duration {
        event_loop::silent_for().unwrap_or(Duration::MAX)
    }

    /// Waits until libvirt is reached, for so long at the most.
    pub fn wait_up(&self, within: Duration) -> Result<(), HypervisorError> {
        self.keeper.link().wait_up(within)
    }
}
