//! libvirt's event loop, on a thread of its own: one for the process, for as long as it lives.
//!
//! It reads the sockets of all connections, sends and answers keepalives, and calls the callbacks. It has to be there
//! before the first connection is opened; libvirt has no way to take it back.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::HypervisorError;

/// The pause after an error of the loop itself, so that one that stays doesn't burn a CPU.
const PAUSE: Duration = Duration::from_millis(100);

/// How often it gives a sign of life, in milliseconds.
const BEAT: i32 = 1000;

/// When it gave the last one.
static LAST_BEAT: Mutex<Option<Instant>> = Mutex::new(None);

fn beat() {
    *LAST_BEAT.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
}

/// For how long it has given no sign of life; none if it was never started. It gives one a second.
pub(crate) fn silent_for() -> Option<Duration> {
    let last = *LAST_BEAT.lock().unwrap_or_else(PoisonError::into_inner);
    last.map(|last| last.elapsed())
}

/// Makes sure that the event loop runs.
pub(crate) fn ensure() -> Result<(), HypervisorError> {
    static STARTED: OnceLock<Result<(), String>> = OnceLock::new();
    STARTED.get_or_init(start).clone().map_err(HypervisorError::Broken)
}

fn start() -> Result<(), String> {
    // Errors come back as values; libvirt would print each to stderr as well.
    virt::error::clear_error_callback();
    virt::event::event_register_default_impl().map_err(|error| format!("libvirt's event loop: {error}"))?;
    beat();
    virt::event::event_add_timeout(BEAT, |_, _| beat(), std::ptr::null_mut())
        .map_err(|error| format!("a timer of libvirt's event loop: {error}"))?;
    let thread = thread::Builder::new().name("libvirt-events".to_owned()).spawn(run);
    thread
        .map(drop)
        .map_err(|error| format!("the thread of libvirt's event loop: {error}"))
}

fn run() {
    loop {
        if let Err(error) = virt::event::event_run_default_impl() {
            tracing::error!(%error, "libvirt's event loop failed; it goes on");
            thread::sleep(PAUSE);
        }
    }
}
