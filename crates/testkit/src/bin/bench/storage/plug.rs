//! A volume attached to a running guest, and detached from it.

use std::thread::sleep;
use std::time::Duration;

use berth_testkit::{Daemon, Guest, Key};

use super::twin::Twin;
use super::{QUICK, medians, row};
use crate::timed;

/// How long an emulated guest may take to find a disk that was plugged in: until then it gives none back.
const FOUND_WITHIN: Duration = Duration::from_secs(3);

/// Two instances of the same kind that have booted: `web` is Berth's, `twin` is virsh's.
pub(super) fn guests(daemon: &Daemon<'_>, key: &Key) {
    for name in ["web", "twin"] {
        daemon.ok([
            "instance", "create", name, "--image", "tiny", "--type", "t1.nano", "--key", &key.name,
        ]);
    }
    for name in ["web", "twin"] {
        Guest::of(daemon, name).ssh(key, "true");
    }
}

pub(super) fn measure(daemon: &Daemon<'_>) {
    daemon.ok(["volume", "create", "data", "--size", "1"]);
    daemon.ok(["volume", "attach", "data", "web"]);
    let twin = Twin::of(daemon, "twin");
    let id = daemon.json(["volume", "show", "data"])["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let disk = twin.disk_like(&daemon.id("web"), &id[..20]);
    sleep(FOUND_WITHIN);
    daemon.ok(["volume", "detach", "data"]);
    let [attach, attach_floor, detach, detach_floor] = medians(QUICK, || {
        let attach = timed(|| drop(daemon.ok(["volume", "attach", "data", "web"])));
        let attach_floor = timed(|| twin.attach(&disk));
        sleep(FOUND_WITHIN);
        let detach = timed(|| drop(daemon.ok(["volume", "detach", "data"])));
        let detach_floor = timed(|| twin.detach(&disk));
        sleep(FOUND_WITHIN);
        [attach, attach_floor, detach, detach_floor]
    });
    row("attach, running", attach, attach_floor, "virsh attach-device");
    row(
        "detach, running",
        detach,
        detach_floor,
        "virsh detach-device, until it is gone",
    );
    daemon.ok(["volume", "delete", "data"]);
}
