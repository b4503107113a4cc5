//! What a host must have: looked at, never changed.

use std::path::Path;

use anyhow::Context as _;
use nix::sys::statvfs::statvfs;
use nix::unistd::Group;

use super::{Init, config};
use crate::output::{self, lines, table};

/// With less room than this an image and a volume hardly fit.
const ROOM: u64 = 10 << 30;

/// The programs that the daemon runs, and the packages of Debian that have them.
const PROGRAMS: &[(&str, &str)] = &[
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("qemu-img", "qemu-utils"),
    ("bwrap", "bubblewrap"),
    ("dnsmasq", "dnsmasq-base"),
    ("nft", "nftables"),
    ("ip", "iproute2"),
    ("conntrack", "conntrack"),
];

/// Whether the daemon can work here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Fit,
    Unfit,
}

/// What was found of one thing.
enum Found {
    Good(String),
    /// It works, and somebody should know.
    Note(String),
    Bad(String),
}

/// Looks at the host and says what it is like.
pub(super) fn run(init: &Init) -> anyhow::Result<Verdict> {
    let state_dir = init
        .state_dir
        .clone()
        .unwrap_or_else(|| Path::new(config::STATE_DIR).to_owned());
    let found = [
        ("user", user()),
        ("kvm", kvm(Path::new("/dev/kvm"))),
        ("libvirt", libvirt()),
        ("programs", programs()),
        ("berthd", daemon()),
        ("disk", disk(&state_dir)),
        ("group", group()),
    ];
    let unfit = found.iter().any(|(_, found)| matches!(found, Found::Bad(_)));
    let row = |(what, found): (&str, Found)| {
        let (state, text) = match found {
            Found::Good(text) => ("good", text),
            Found::Note(text) => ("note", text),
            Found::Bad(text) => ("missing", text),
        };
        [what.to_owned(), state.to_owned(), text]
    };
    output::raw(lines(&table(["check", "is", "what"], found.into_iter().map(row))).as_bytes())?;
    output::line("")?;
    Ok(if unfit { Verdict::Unfit } else { Verdict::Fit })
}

fn user() -> Found {
    if nix::unistd::geteuid().is_root() {
        return Found::Good("root".to_owned());
    }
    Found::Bad("a host is set up by root: sudo berth init".to_owned())
}

fn kvm(device: &Path) -> Found {
    match std::fs::File::options().read(true).write(true).open(device) {
        Ok(_) => Found::Good(device.display().to_string()),
        Err(error) => Found::Note(format!(
            "{}: {error}; guests are emulated, many times slower: switch on VT-x or AMD-V in the firmware",
            device.display()
        )),
    }
}

fn libvirt() -> Found {
    let sockets = ["/run/libvirt/libvirt-sock", "/run/libvirt/virtqemud-sock"];
    match sockets.iter().find(|socket| Path::new(socket).exists()) {
        Some(socket) => Found::Good((*socket).to_owned()),
        None if which("libvirtd").or_else(|| which("virtqemud")).is_some() => {
            Found::Note("it is installed, and doesn't run: systemctl enable --now libvirtd".to_owned())
        }
        None => Found::Bad("apt-get install libvirt-daemon-system".to_owned()),
    }
}

fn programs() -> Found {
    let missing = PROGRAMS.iter().filter(|(program, _)| which(program).is_none());
    let packages: Vec<_> = missing.map(|(_, package)| *package).collect();
    if packages.is_empty() {
        return Found::Good("all that the daemon runs".to_owned());
    }
    Found::Bad(format!("apt-get install {}", packages.join(" ")))
}

fn daemon() -> Found {
    match config::berthd() {
        Ok(path) => Found::Good(path.display().to_string()),
        Err(error) => Found::Bad(error.to_string()),
    }
}

/// Room for the state, where it is or will be.
fn disk(state_dir: &Path) -> Found {
    let there = state_dir.ancestors().find(|path| path.exists());
    let free = there.context("no such directory").and_then(|path| {
        let disk = statvfs(path)?;
        Ok(disk.blocks_available() * disk.fragment_size())
    });
    match free {
        Ok(free) if free >= ROOM => Found::Good(format!("{} free at {}", output::bytes(free), state_dir.display())),
        Ok(free) => Found::Note(format!(
            "only {} free at {}: --state-dir puts it elsewhere",
            output::bytes(free),
            state_dir.display()
        )),
        Err(error) => Found::Bad(format!("{}: {error}", state_dir.display())),
    }
}

fn group() -> Found {
    match Group::from_name(config::GROUP) {
        Ok(Some(_)) => Found::Good(format!("members of '{}' may use the socket", config::GROUP)),
        _ => Found::Note(format!(
            "there is no group '{0}': only root may use the socket; groupadd --system {0}",
            config::GROUP
        )),
    }
}

/// Where a program is.
pub(super) fn which(program: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // What an ordinary user's path leaves out is where such programs are.
    let more = ["/usr/sbin", "/sbin"].map(std::path::PathBuf::from);
    let dirs = std::env::split_paths(&path).chain(more);
    dirs.map(|dir| dir.join(program)).find(|path| path.is_file())
}
