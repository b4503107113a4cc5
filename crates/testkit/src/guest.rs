//! A guest of `images/tiny`, as a test sees it: its console and its ssh.

use std::path::PathBuf;
use std::process::Output;
use std::time::{Duration, Instant};

use crate::Daemon;

/// How long a tiny guest may take to boot under emulation on a machine that is busy with other tests.
const BOOT_WITHIN: Duration = Duration::from_mins(2);

/// How long a whole distribution may take.
const SLOW_BOOT_WITHIN: Duration = Duration::from_mins(10);

/// An ssh key pair, made by the daemon and imported nowhere else.
#[derive(Debug, Clone)]
pub struct Key {
    /// Its name in Berth.
    pub name: String,
    file: PathBuf,
}

impl Key {
    /// Has the daemon make a key pair and keeps the private half in the host's directory.
    ///
    /// # Panics
    /// If the daemon refuses.
    pub fn create(daemon: &Daemon<'_>, name: &str) -> Self {
        let file = daemon.host().dir().join(name);
        daemon.ok([
            "keypair",
            "create",
            name,
            "--out",
            file.to_str().expect("a path in UTF-8"),
        ]);
        Self {
            name: name.to_owned(),
            file,
        }
    }
}

/// A guest.
pub struct Guest<'a> {
    daemon: &'a Daemon<'a>,
    name: String,
    patience: Duration,
}

impl<'a> Guest<'a> {
    /// The guest of an instance.
    pub fn of(daemon: &'a Daemon<'_>, name: &str) -> Self {
        Self {
            daemon,
            name: name.to_owned(),
            patience: BOOT_WITHIN,
        }
    }

    /// The same guest, given the time that a whole distribution takes to boot.
    #[must_use]
    pub fn slow(self) -> Self {
        Self {
            patience: SLOW_BOOT_WITHIN,
            ..self
        }
    }

    /// What it wrote to its console, as far as that is kept.
    pub fn console(&self) -> String {
        self.daemon.ok(["instance", "console", &self.name, "--log"])
    }

    /// Waits until its console has said something so many times.
    ///
    /// # Panics
    /// If it doesn't in time.
    pub fn wait_for(&self, text: &str, times: usize) {
        let deadline = Instant::now() + self.patience;
        while self.console().matches(text).count() < times {
            assert!(
                Instant::now() < deadline,
                "{} never said {text:?}: {}",
                self.name,
                self.console()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Waits until it has booted so many times.
    pub fn wait_for_boot(&self, times: usize) {
        self.wait_for("TINY-BOOTED", times);
    }

    /// Runs a command in it by ssh and returns what it prints, once ssh is up.
    ///
    /// # Panics
    /// If it never succeeds.
    pub fn ssh(&self, key: &Key, command: &str) -> String {
        let deadline = Instant::now() + self.patience;
        loop {
            let output = self.try_ssh(key, command);
            if output.status.success() {
                return String::from_utf8_lossy(&output.stdout).into_owned();
            }
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(Instant::now() < deadline, "ssh to {} failed: {stderr}", self.name);
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Runs a command in it by ssh, whatever becomes of it.
    ///
    /// # Panics
    /// If `berth` can't be run at all.
    pub fn try_ssh(&self, key: &Key, command: &str) -> Output {
        let file = key.file.to_str().expect("a path in UTF-8");
        self.daemon
            .berth(["instance", "ssh", &self.name, "-i", file, "--", command])
            .output()
            .expect("berth")
    }
}
