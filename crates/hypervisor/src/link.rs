//! The link to libvirt: the one connection that listens, kept up for as long as the daemon lives.
//!
//! ```text
//!        ┌────────────── opened, callbacks registered ───────────────┐
//!        │                                                           ▼
//!      Down ◀── closed, keepalive unanswered, Hypervisor dropped ── Up
//!        │ ▲
//!        └─┘ can't be opened: again after a pause that doubles
//! ```
//!
//! The pool's threads have connections of their own; this one says whether it is worth trying. Its state is a mutex
//! and a condition: who waits for a change is woken by it.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use berth_model::{GuestEvent, InstanceId};
use tokio::sync::mpsc::UnboundedSender;
use virt::connect::Connect;

use crate::HypervisorError;
use crate::error::is;
use crate::ffi::{Listener, Said, Session};

/// The pause after the first failure to open a connection; each further one is twice as long …
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// … up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// libvirtd is asked for a sign of life every so many seconds …
const KEEPALIVE_SECONDS: i32 = 3;
/// … and the connection ends after so many signs are missing: after 12 s, well within a call's deadline.
const KEEPALIVE_MISSING: u32 = 3;

/// Whether libvirt is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// The connection stands.
    Up,
    /// It doesn't, for this reason.
    Down {
        /// What libvirt's client said.
        reason: String,
        /// Since when nothing was heard of libvirt.
        since: SystemTime,
    },
}

/// Something that libvirt says by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Something happened to a domain. It need not be one of ours.
    Event(DomainEvent),
    /// libvirt is reached. What happened before is not told: everything is to be looked at.
    Up,
    /// libvirt is away.
    Down {
        /// What libvirt's client said.
        reason: String,
    },
}

/// Something that happened to a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainEvent {
    /// The domain, by its UUID.
    pub domain: InstanceId,
    /// What happened.
    pub event: GuestEvent,
    /// When it was heard of.
    pub heard: Instant,
}

/// The state of the link, shared with who asks.
pub(crate) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    link: Link,
    /// Which connection is up, or was last: counts up. Connections of the pool that are older are renewed.
    epoch: u64,
    /// Why the connection of this epoch is at its end, once it is.
    lost: Option<&'static str>,
    stopping: bool,
}

impl Shared {
    /// Whether libvirt is reached.
    pub(crate) fn now(&self) -> Link {
        self.lock().link.clone()
    }

    /// The number of the connection that is up.
    pub(crate) fn epoch(&self) -> Result<u64, HypervisorError> {
        let state = self.lock();
        match &state.link {
            Link::Up => Ok(state.epoch),
            Link::Down { reason, .. } => Err(unavailable(reason)),
        }
    }

    /// Waits until libvirt is reached, for so long at the most.
    pub(crate) fn wait_up(&self, within: Duration) -> Result<(), HypervisorError> {
        let down = |state: &mut State| state.link != Link::Up && !state.stopping;
        let waited = self.changed.wait_timeout_while(self.lock(), within, down);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match &state.link {
            Link::Up => Ok(()),
            Link::Down { reason, .. } => Err(unavailable(reason)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and wakes who waits for it.
    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    /// The link is down; `false` if that is no news: it was, for the same reason.
    fn lose(&self, reason: &str) -> bool {
        let mut news = true;
        self.change(|state| {
            let since = match &state.link {
                Link::Up => SystemTime::now(),
                Link::Down { reason: before, since } => {
                    news = before != reason;
                    *since
                }
            };
            state.link = Link::Down {
                reason: reason.to_owned(),
                since,
            };
        });
        news
    }

    /// Waits until the connection is lost, or nobody wants it any more.
    fn until_lost(&self) -> &'static str {
        let kept = |state: &mut State| state.lost.is_none() && !state.stopping;
        let state = self.changed.wait_while(self.lock(), kept);
        let state = state.unwrap_or_else(PoisonError::into_inner);
        state.lost.unwrap_or("Berth is going down")
    }

    /// Waits before the next attempt; `false` if there is to be none.
    fn pause(&self, pause: Duration) -> bool {
        let deadline = Instant::now() + pause;
        let mut state = self.lock();
        while !state.stopping {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        false
    }
}

fn unavailable(reason: &str) -> HypervisorError {
    HypervisorError::Unavailable {
        reason: reason.to_owned(),
    }
}

/// Opens a connection that notices when the other end is gone or hangs.
pub(crate) fn open(uri: &str) -> Result<Connect, virt::error::Error> {
    let connection = Connect::open(Some(uri))?;
    match connection.set_keep_alive(KEEPALIVE_SECONDS, KEEPALIVE_MISSING) {
        // A driver within the process has no other end.
        Err(error) if !is(&error, virt_sys::VIR_ERR_NO_SUPPORT) => Err(error),
        Ok(()) | Err(_) => Ok(connection),
    }
}

/// Keeps the link up until it is dropped.
pub(crate) struct Keeper {
    shared: Arc<Shared>,
}

impl Keeper {
    pub(crate) fn start(uri: String, notices: UnboundedSender<Notice>) -> Result<Self, HypervisorError> {
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                link: Link::Down {
                    reason: "it was not tried yet".to_owned(),
                    since: SystemTime::now(),
                },
                epoch: 0,
                lost: None,
                stopping: false,
            }),
            changed: Condvar::new(),
        });
        let keeper = Self {
            shared: Arc::clone(&shared),
        };
        let thread = thread::Builder::new().name("libvirt-link".to_owned());
        let spawned = thread.spawn(move || keep(&uri, &shared, &notices));
        spawned.map_err(|error| HypervisorError::Broken(format!("the thread of libvirt's link: {error}")))?;
        Ok(keeper)
    }

    pub(crate) fn link(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.shared.change(|state| state.stopping = true);
    }
}

/// The life of the link's thread.
fn keep(uri: &str, shared: &Arc<Shared>, notices: &UnboundedSender<Notice>) {
    let mut pause = FIRST_PAUSE;
    let mut epoch = 0;
    // Nobody listens any more once the daemon goes down: what is not heard then is looked at by the next one.
    let tell = |notice| drop(notices.send(notice));
    let down = |reason: &str| {
        if shared.lose(reason) {
            tell(Notice::Down {
                reason: reason.to_owned(),
            });
        }
    };
    loop {
        epoch += 1;
        let listener = listener(Arc::downgrade(shared), epoch, notices.clone());
        shared.change(|state| (state.epoch, state.lost) = (epoch, None));
        let opened = open(uri).and_then(|connection| Session::listen(connection, &listener));
        match opened {
            Ok(session) => {
                pause = FIRST_PAUSE;
                shared.change(|state| state.link = Link::Up);
                tell(Notice::Up);
                down(shared.until_lost());
                drop(session);
            }
            Err(error) => down(error.message()),
        }
        if !shared.pause(pause) {
            return;
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Hands on what the connection of that epoch says. An older one has nothing to say about the end of a newer.
fn listener(shared: Weak<Shared>, epoch: u64, notices: UnboundedSender<Notice>) -> Listener {
    Arc::new(move |said| match said {
        Said::Event(domain, event) => {
            let heard = Instant::now();
            drop(notices.send(Notice::Event(DomainEvent { domain, event, heard })));
        }
        Said::Closed(reason) => {
            if let Some(shared) = shared.upgrade() {
                shared.change(|state| {
                    if state.epoch == epoch {
                        state.lost = Some(reason);
                    }
                });
            }
        }
    })
}
