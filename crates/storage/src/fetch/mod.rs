//! Fetching an image over http or https, on a client's behalf, without being used for more than that.
//!
//! ```text
//!   url ──▶ address: scheme, name, every address it has ──▶ answer: redirects, one by one, each looked at again
//!            ▲                                                │
//!            └── a pause, twice as long each time ◀── broken ─┴──▶ part: downloads/<id>.part, from where it was left
//! ```
//!
//! It blocks. What it reads it neither believes nor opens: `import_image` does that with the file it leaves.

mod address;
mod answer;
mod part;

use std::io::Read as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use berth_model::{ImageId, VOLUME_MAX};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, Body};
use url::Url;

use self::address::{Vetting, not_fetched, shown};
use self::answer::{Answer, Trouble, ask, refused};
use self::part::{Origin, Part};
use crate::error::Amount;
use crate::{DOWNLOADS, Storage, StorageError, files, inventory};

/// What an operator allows, and how patient we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchPolicy {
    /// Whether addresses that are not public are fetched from too.
    pub allow_private: bool,
    /// How many bytes a file may have.
    pub size_max: u64,
    /// How often in a row a server may break off without a byte between.
    pub attempts: u32,
    /// How long to wait after the first of them; then twice as long each time.
    pub pause: Duration,
}

impl Default for FetchPolicy {
    /// Public addresses only, as much as a volume holds, and half a minute of patience.
    fn default() -> Self {
        Self {
            allow_private: false,
            size_max: VOLUME_MAX.bytes(),
            attempts: 6,
            pause: Duration::from_secs(1),
        }
    }
}

/// How long a name, a connection, and the beginning of an answer may take each.
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);

/// How long a server may be silent in the middle; a caller who cancels waits no longer than that.
const SILENT_FOR: Duration = Duration::from_secs(15);

/// How much is read at a time, in bytes.
const CHUNK: usize = 1 << 18;

/// How often is looked whether a pause was cancelled.
const LOOK: Duration = Duration::from_millis(50);

impl Storage {
    /// Fetches a file, or what is missing of it since the last time, and says where it is. `cancelled` is asked between
    /// chunks; `progress` is told the bytes so far, and of how many if that is known. Whatever goes wrong, what came
    /// stays for the next time, until [`Storage::forget_download`].
    pub fn fetch(
        &self,
        id: ImageId,
        url: &str,
        policy: &FetchPolicy,
        cancelled: &dyn Fn() -> bool,
        progress: &mut dyn FnMut(u64, Option<u64>),
    ) -> Result<PathBuf, StorageError> {
        let url = parse(url)?;
        let agent = agent(policy);
        let mut part = Part::open(self, id, &url)?;
        let (mut failures, mut pause) = (0, policy.pause);
        loop {
            let before = part.have;
            let mut fetching = Fetching {
                part: &mut part,
                policy,
                cancelled,
                progress,
            };
            let why = match fetching.go_on(&agent, &url) {
                Ok(()) => return part.into_path(),
                Err(Trouble::Lasting(error)) => return Err(error),
                Err(Trouble::Passing(why)) => why,
            };
            if part.have > before {
                (failures, pause) = (0, policy.pause);
            }
            failures += 1;
            if failures >= policy.attempts {
                let why = format!("{why} ({failures} times in a row)");
                return Err(StorageError::Fetch {
                    address: shown(&url),
                    why,
                });
            }
            tracing::info!(%id, address = shown(&url), have = part.have, why, "the download broke off and goes on");
            rest(pause, cancelled)?;
            pause *= 2;
        }
    }

    /// Refuses what is no address that is fetched from, or has a password in it: before it is written down anywhere.
    /// Whether it may be connected to is seen when it is.
    pub fn check_address(url: &str) -> Result<(), StorageError> {
        parse(url).map(drop)
    }

    /// Makes sure that nothing is left of a download.
    pub fn forget_download(&self, id: ImageId) -> Result<(), StorageError> {
        let (file, origin) = part::paths(self, id);
        // The file is what a download is on the list by: it goes last.
        files::remove(&origin)?;
        files::remove(&file)
    }

    /// The downloads there are, whole or in part.
    pub fn downloads(&self) -> Result<Vec<ImageId>, StorageError> {
        inventory::list(&self.dir(DOWNLOADS), ".part", &mut Vec::new())
    }
}

fn parse(url: &str) -> Result<Url, StorageError> {
    let wrong = |error: url::ParseError| StorageError::Refused {
        address: "what was given".to_owned(),
        why: format!("it is no address: {error}; https://HOST/PATH would be one"),
    };
    let url = Url::parse(url).map_err(wrong)?;
    match not_fetched(&url) {
        Some(why) => Err(refused(&url, why.to_owned())),
        None => Ok(url),
    }
}

/// Without proxies: they would connect where we may not. Each redirect is followed by us, with a connection of its own.
fn agent(policy: &FetchPolicy) -> Agent {
    let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
    let config = Agent::config_builder()
        .tls_config(tls)
        .proxy(None)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .max_idle_connections(0)
        .timeout_resolve(Some(ANSWERS_WITHIN))
        .timeout_connect(Some(ANSWERS_WITHIN))
        .timeout_recv_response(Some(ANSWERS_WITHIN))
        .timeout_per_read(Some(SILENT_FOR))
        .build();
    let resolver = Vetting {
        allow_private: policy.allow_private,
    };
    Agent::with_parts(config, DefaultConnector::default(), resolver)
}

/// Waits, unless it is cancelled meanwhile.
fn rest(pause: Duration, cancelled: &dyn Fn() -> bool) -> Result<(), StorageError> {
    let until = Instant::now() + pause;
    while Instant::now() < until {
        if cancelled() {
            return Err(StorageError::Cancelled);
        }
        std::thread::sleep(LOOK.min(pause));
    }
    Ok(())
}

/// One attempt.
struct Fetching<'a> {
    part: &'a mut Part,
    policy: &'a FetchPolicy,
    cancelled: &'a dyn Fn() -> bool,
    progress: &'a mut dyn FnMut(u64, Option<u64>),
}

impl Fetching<'_> {
    fn go_on(&mut self, agent: &Agent, url: &Url) -> Result<(), Trouble> {
        if (self.cancelled)() {
            return Err(StorageError::Cancelled.into());
        }
        match ask(agent, url, self.part)? {
            Answer::Complete => Ok(()),
            Answer::Whole(body, origin) => {
                self.check_size(&origin)?;
                self.part.restart(origin)?;
                self.read(body)
            }
            Answer::Rest(body, origin) => {
                self.check_size(&origin)?;
                self.part.remember(origin)?;
                self.read(body)
            }
        }
    }

    fn check_size(&self, origin: &Origin) -> Result<(), StorageError> {
        self.within(origin.total.unwrap_or(0))
    }

    fn within(&self, bytes: u64) -> Result<(), StorageError> {
        let max = self.policy.size_max;
        if bytes > max {
            return Err(StorageError::Image(format!("it has more than {}", Amount(max))));
        }
        Ok(())
    }

    fn read(&mut self, body: Body) -> Result<(), Trouble> {
        self.part.make_ready()?;
        let total = self.part.origin.total;
        let mut reader = body.into_reader();
        let mut chunk = vec![0; CHUNK];
        loop {
            if (self.cancelled)() {
                return Err(StorageError::Cancelled.into());
            }
            let read = reader
                .read(&mut chunk)
                .map_err(|error| Trouble::Passing(error.to_string()))?;
            let Some(bytes) = chunk.get(..read).filter(|bytes| !bytes.is_empty()) else {
                break;
            };
            self.within(self.part.have + bytes.len() as u64)?;
            self.part.write(bytes)?;
            (self.progress)(self.part.have, total);
        }
        match total {
            Some(total) if total != self.part.have => Err(Trouble::Passing("the connection broke off".to_owned())),
            Some(_) | None => Ok(()),
        }
    }
}
