//! One case on its volumes: what is there before, what is asked, and how all of it goes again.

use berth_api_types::SaveVolume;
use berth_model::{Labels, VolumeAction};
use berth_testkit::{Daemon, Guest, Key};

use super::cases::{Case, Variant};
use super::check;
use crate::volume::{id, on};

/// A case, with the names of its volumes.
pub(super) struct Scene<'a> {
    pub(super) case: &'a Case,
    pub(super) number: usize,
    key: &'a Key,
}

impl<'a> Scene<'a> {
    pub(super) fn new(number: usize, case: &'a Case, key: &'a Key) -> Self {
        Self { case, number, key }
    }

    /// The volume with the data: the one that the action is about, or that a new one is made of.
    pub(super) fn volume(&self) -> String {
        format!("vol{}", self.number)
    }

    /// The volume that the action is about.
    pub(super) fn subject(&self) -> String {
        match self.case.action {
            VolumeAction::Create => format!("new{}", self.number),
            _ => self.volume(),
        }
    }

    /// The snapshot, or the image, that the action makes.
    pub(super) fn made(&self) -> String {
        format!("made{}", self.number)
    }

    /// Whether there is a volume with data.
    pub(super) fn has_volume(&self) -> bool {
        !matches!(self.case.variant, Variant::Blank | Variant::FromImage)
    }

    /// Whether the guest has it, before the action.
    fn is_used(&self) -> bool {
        matches!(
            self.case.variant,
            Variant::Used | Variant::AllOfInstance | Variant::FromVolume
        )
    }

    /// What the volume begins with: another letter in each case.
    pub(super) fn letter(&self) -> char {
        char::from(b'A' + u8::try_from(self.number % 26).unwrap())
    }

    /// The volume, with its data, and the guest that has it, as the variant says.
    pub(super) fn arrange(&self, daemon: &Daemon<'_>) {
        if !self.has_volume() {
            return;
        }
        let (volume, letter) = (self.volume(), self.letter());
        daemon.ok(["volume", "create", &volume, "--size", "1"]);
        if self.is_used() {
            daemon.ok(["volume", "attach", &volume, "web"]);
            self.in_guest(daemon, &write(letter));
        } else {
            let path = check::path(daemon, &volume);
            let pattern = format!("write -P {} 0 8M", letter as u32);
            daemon.host().run("qemu-io", ["-c", &pattern, path.to_str().unwrap()]);
        }
        if self.case.variant == Variant::FromSnapshot {
            daemon.ok(["snapshot", "create", "source", "--volume", &volume]);
        }
    }

    /// Asks for the action; the daemon may die of it before it answers.
    pub(super) fn ask(&self, daemon: &Daemon<'_>) {
        let (subject, volume, made) = (self.subject(), self.volume(), self.made());
        let from = ["volume", "create", &subject];
        let args: Vec<&str> = match (self.case.action, self.case.variant) {
            (VolumeAction::Create, Variant::FromImage) => [&from[..], &["--image", "tiny"]].concat(),
            (VolumeAction::Create, Variant::FromSnapshot) => [&from[..], &["--snapshot", "source"]].concat(),
            (VolumeAction::Create, Variant::FromVolume) => [&from[..], &["--volume", &volume]].concat(),
            (VolumeAction::Create, _) => [&from[..], &["--size", "1"]].concat(),
            (VolumeAction::Attach, _) => vec!["volume", "attach", &volume, "web"],
            (VolumeAction::Detach, _) => vec!["volume", "detach", &volume],
            (VolumeAction::Extend, _) => vec!["volume", "extend", &volume, "2"],
            (VolumeAction::Snapshot, Variant::AllOfInstance) => {
                vec!["snapshot", "create", &made, "--instance", "web"]
            }
            (VolumeAction::Snapshot, _) => vec!["snapshot", "create", &made, "--volume", &volume],
            (VolumeAction::SaveAsImage, _) => return save(daemon, &volume, &made),
            (VolumeAction::Delete, _) => vec!["volume", "delete", &volume],
        };
        let mut command = daemon.berth([]);
        command.args(args).arg("--no-wait").output().unwrap();
    }

    /// Runs a command in the guest, where `$d` is the volume's disk.
    pub(super) fn in_guest(&self, daemon: &Daemon<'_>, command: &str) -> String {
        let guest = Guest::of(daemon, "web");
        on(&guest, self.key, &id(daemon, &self.volume()), command)
    }
}

/// Shell that fills the beginning of `$d`, and goes on writing further back until it is told to stop or the disk is
/// gone. It writes by a node of its own: in place of one that went with its disk it would make a file.
fn write(letter: char) -> String {
    format!(
        "dd if=/dev/zero bs=1M count=8 2>/dev/null | tr '\\0' {letter} | dd of=$d bs=1M 2>/dev/null; sync; \
         rm -f /tmp/stop /tmp/disk; mknod /tmp/disk b $(tr : ' ' </sys/block/${{d#/dev/}}/dev); \
         (while [ ! -e /tmp/stop ] && dd if=/dev/urandom of=/tmp/disk bs=64k seek=256 count=8 conv=notrunc; do \
         sync; sleep 0.3; done) </dev/null >/dev/null 2>&1 &"
    )
}

/// Has a volume saved as an image: there is no command for that.
fn save(daemon: &Daemon<'_>, volume: &str, name: &str) {
    let how = SaveVolume {
        name: name.parse().unwrap(),
        labels: Labels::default(),
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _ = runtime.block_on(daemon.client().save_volume(volume, &how));
}

/// Deletes what a case has made.
pub(super) fn clear(daemon: &Daemon<'_>) {
    for kind in ["snapshot", "image", "volume"] {
        let listed = daemon.json([kind, "list"]);
        for one in listed.as_array().unwrap() {
            let name = one["name"].as_str().unwrap();
            if name == "web" || name == "tiny" {
                continue;
            }
            if one["state"] == "In-use" {
                daemon.ok(["volume", "detach", name]);
            }
            daemon.ok([kind, "delete", name]);
        }
    }
}
