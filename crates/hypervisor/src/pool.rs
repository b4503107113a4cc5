//! The threads that call libvirt: so many, each with a connection of its own, each call with a deadline.
//!
//! A connection each, because libvirtd serves only five requests of one connection at a time (`max_client_requests`)
//! and reads nothing from it meanwhile, keepalives included: a few slow calls on a shared connection would end it.
//!
//! A call that takes too long is given up by its caller; its thread is stuck until libvirt answers or the keepalive
//! ends the connection. A call that was given up before a thread took it is never made.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use virt::connect::Connect;
use virt::error::Error;

use crate::link::{Shared, open};
use crate::{HypervisorError, Metrics, Settings};

type Job = Box<dyn FnOnce(&mut Line) + Send>;

/// The threads, and the queue to them.
pub(crate) struct Pool {
    jobs: Mutex<Sender<Job>>,
    deadline: Duration,
    pub(crate) metrics: Metrics,
}

impl Pool {
    pub(crate) fn start(settings: &Settings, shared: &Arc<Shared>) -> Result<Self, HypervisorError> {
        let (jobs, queue) = channel::<Job>();
        let queue = Arc::new(Mutex::new(queue));
        for number in 0..settings.threads.max(1) {
            let mut line = Line {
                uri: settings.uri.clone(),
                link: Arc::clone(shared),
                connection: None,
            };
            let queue = Arc::clone(&queue);
            let thread = thread::Builder::new().name(format!("libvirt-{number}"));
            let spawned = thread.spawn(move || work(&queue, &mut line));
            spawned.map_err(|error| HypervisorError::Broken(format!("a thread that calls libvirt: {error}")))?;
        }
        Ok(Self {
            jobs: Mutex::new(jobs),
            deadline: settings.call_deadline,
            metrics: Metrics::default(),
        })
    }

    /// Makes a call and waits for its answer, for no longer than the deadline. `call` completes *asked to …*.
    pub(crate) fn call<T: Send + 'static>(
        &self,
        call: &'static str,
        work: impl FnOnce(&Connect) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, HypervisorError> {
        self.call_within(call, self.deadline, work)
    }

    /// Likewise, but for no longer than that.
    pub(crate) fn call_within<T: Send + 'static>(
        &self,
        call: &'static str,
        deadline: Duration,
        work: impl FnOnce(&Connect) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, HypervisorError> {
        let (begun, deadline) = (Instant::now(), deadline.min(self.deadline));
        let answer = self.ask(call, deadline, work);
        self.metrics.count(call, begun.elapsed(), &answer);
        answer
    }

    fn ask<T: Send + 'static>(
        &self,
        call: &'static str,
        deadline: Duration,
        work: impl FnOnce(&Connect) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, HypervisorError> {
        let (reply, answer) = sync_channel(1);
        let given_up = Arc::new(AtomicBool::new(false));
        let still_wanted = Arc::clone(&given_up);
        let job: Job = Box::new(move |line| {
            if !still_wanted.load(Ordering::Acquire) {
                // Nobody may wait any more; then the answer is nobody's.
                let _ = reply.send(line.call(call, work));
            }
        });
        let broken = || HypervisorError::Broken(format!("the call to {call} broke off"));
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).clone();
        jobs.send(job).map_err(|_| broken())?;
        match answer.recv_timeout(deadline) {
            Ok(result) => result,
            Err(RecvTimeoutError::Timeout) => {
                given_up.store(true, Ordering::Release);
                Err(HypervisorError::Deadline { call, after: deadline })
            }
            Err(RecvTimeoutError::Disconnected) => Err(broken()),
        }
    }
}

/// The life of a thread: ends when the pool is dropped.
fn work(queue: &Mutex<Receiver<Job>>, line: &mut Line) {
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        // The `virt` crate panics when a reference can't be counted; the thread and its fellows go on.
        if catch_unwind(AssertUnwindSafe(|| job(line))).is_err() {
            tracing::error!("a call to libvirt panicked; its connection is renewed");
            line.connection = None;
        }
    }
}

/// A thread's connection, opened when it is needed first and renewed when the link was.
struct Line {
    uri: String,
    link: Arc<Shared>,
    connection: Option<(u64, Connect)>,
}

impl Line {
    fn call<T>(
        &mut self,
        call: &'static str,
        work: impl FnOnce(&Connect) -> Result<T, Error>,
    ) -> Result<T, HypervisorError> {
        let epoch = self.link.epoch()?;
        let connection = match self.connection.take() {
            Some((opened, connection)) if opened == epoch && connection.is_alive().unwrap_or(false) => connection,
            _ => open(&self.uri).map_err(|error| unavailable(&error))?,
        };
        match work(&connection) {
            Err(error) if !connection.is_alive().unwrap_or(false) => Err(unavailable(&error)),
            result => {
                self.connection = Some((epoch, connection));
                result.map_err(|error| HypervisorError::refused(call, &error))
            }
        }
    }
}

fn unavailable(error: &Error) -> HypervisorError {
    HypervisorError::Unavailable {
        reason: error.message().to_owned(),
    }
}
