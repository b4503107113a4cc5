//! Development only: what whole-system tests stand on.
//!
//! ```text
//!   Host    a private host: its own network, mounts, processes, libvirtd and virtlogd; gone with the test
//!   Daemon  a real berthd on it, that can be killed and started again
//!   Guest   a guest of images/tiny: its console, its ssh
//!   Terminal  a program on a terminal of its own
//!   Caller  somebody who speaks HTTP to the daemon: a local user, or one with a token
//! ```
//!
//! Nothing is mocked: libvirtd, QEMU, namespaces and files are the real ones, in a place of their own.

#![allow(clippy::print_stderr, reason = "tests tell people what a failed daemon logged")]
#![allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a test without its host has nothing to go on with"
)]

mod caller;
mod daemon;
mod guest;
mod host;
mod http;
mod terminal;

use std::path::{Path, PathBuf};

pub use caller::{Answer, Caller};
pub use daemon::{Daemon, Options};
pub use guest::{Guest, Key};
pub use host::{Host, Libvirt};
pub use http::{Whole, ask, exchange};
pub use terminal::Terminal;

/// Where `scripts/test` and `scripts/quickstart` put the images they build.
const IMAGES: &str = "/var/cache/berth/images";

/// The tiny image, built by `scripts/test`; or `BERTH_TINY_IMAGE`.
pub fn tiny_image() -> PathBuf {
    image("BERTH_TINY_IMAGE", "tiny.qcow2")
}

/// The Debian image, built on demand; or `BERTH_DEBIAN_IMAGE`.
pub fn debian_image() -> PathBuf {
    image("BERTH_DEBIAN_IMAGE", "debian.qcow2")
}

fn image(variable: &str, file: &str) -> PathBuf {
    std::env::var_os(variable).map_or_else(|| PathBuf::from(IMAGES).join(file), PathBuf::from)
}

/// A program of this workspace, as the build that runs the tests has made it.
///
/// # Panics
/// If it isn't built.
pub fn program(name: &str) -> PathBuf {
    let me = std::env::current_exe().unwrap_or_default();
    let beside = me.parent().unwrap_or(Path::new(""));
    // Tests are in `deps/` of the profile's directory, programs in that directory itself.
    let profile = beside.parent().filter(|_| beside.ends_with("deps")).unwrap_or(beside);
    let path = profile.join(name);
    assert!(
        path.exists(),
        "{} is not built: run 'cargo build --workspace --bins' or scripts/test",
        path.display()
    );
    path
}
