//! What has to be so after a case: the states, libvirt's view, the data, and the files.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use berth_model::{VolumeAction, VolumeState};
use berth_store::{Database, Store, VolumeRecord};
use berth_testkit::Daemon;
use serde_json::Value;

use super::cases::Variant;
use super::scene::Scene;
use crate::volume::{READ, id};

/// How long what is done in the background may take.
const SOON: Duration = Duration::from_secs(30);

/// Waits until it is so; says what it was last if it never is.
fn until(told: &str, mut wrong: impl FnMut() -> Option<String>) {
    let deadline = Instant::now() + SOON;
    while let Some(what) = wrong() {
        assert!(Instant::now() < deadline, "{told}: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Waits until a volume rests: what is shown of it, or none if it is gone.
pub(super) fn rests(daemon: &Daemon<'_>, name: &str) -> Option<Value> {
    let mut found = None;
    until(name, || {
        let listed = daemon.json(["volume", "list"]);
        found = listed
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["name"] == name)
            .cloned();
        let operation = found.as_ref().and_then(|one| one.get("operation"));
        operation.map(|operation| format!("stranded by {operation}"))
    });
    found
}

/// Makes sure that all is as it has to be after a case.
pub(super) fn check(daemon: &Daemon<'_>, scene: &Scene<'_>) {
    let (case, told) = (scene.case, scene.case.told());
    let shown = rests(daemon, &scene.subject());
    let state = shown.as_ref().map(|shown| shown["state"].as_str().unwrap());
    let ends = case.ends().map(VolumeState::as_str);
    assert_eq!(state, ends, "{told}: {shown:?}\n{}", daemon.log());
    if let (Some(shown), false) = (&shown, case.succeeds) {
        assert!(shown["fault"]["message"].is_string(), "{told}: failed without a reason");
    }
    if case.variant == Variant::FromVolume {
        let source = rests(daemon, &scene.volume()).unwrap();
        assert_eq!(source["state"], "In-use", "{told}: {source}");
    }
    if let (VolumeAction::Extend, Some(shown)) = (case.action, &shown) {
        size(daemon, scene, shown);
    }
    let volumes = daemon.json(["volume", "list"]);
    for volume in volumes.as_array().unwrap() {
        libvirt_agrees(daemon, volume, &told);
    }
    nothing_found(daemon, &told);
    data(daemon, scene);
    made(daemon, scene);
}

/// The live disk and the one of the definition are the record's newest layer; a volume that isn't in use has neither.
fn libvirt_agrees(daemon: &Daemon<'_>, volume: &Value, told: &str) {
    let (name, id) = (volume["name"].as_str().unwrap(), volume["id"].as_str().unwrap());
    let expected = (volume["state"] == "In-use").then(|| path(daemon, name).display().to_string());
    for which in ["--security-info", "--inactive"] {
        let xml = daemon.host().virsh(["dumpxml", &daemon.id("web"), which]);
        let disk = xml
            .split("<disk ")
            .find(|disk| disk.contains(&format!("<serial>{id}</serial>")));
        // The first source is the newest; those beneath it follow.
        let file = disk.and_then(|disk| disk.split("<source file='").nth(1)?.split('\'').next());
        assert_eq!(file, expected.as_deref(), "{told}: {name}, {which}: {xml}");
    }
}

/// The size is what was asked for, or as before; the guest sees the record's.
fn size(daemon: &Daemon<'_>, scene: &Scene<'_>, shown: &Value) {
    let told = scene.case.told();
    let size = shown["size"].as_u64().unwrap();
    if scene.case.succeeds {
        assert_eq!(size, 2, "{told}");
    }
    if scene.case.variant == Variant::Used {
        let sectors = scene.in_guest(daemon, "cat /sys/block/${d#/dev/}/size");
        assert_eq!(sectors.trim(), (size << 21).to_string(), "{told}");
    } else {
        assert_eq!(size, if scene.case.succeeds { 2 } else { 1 }, "{told}");
        let info = image_info(daemon, &path(daemon, &scene.volume()));
        assert_eq!(info["virtual-size"], size << 30, "{told}");
    }
}

fn image_info(daemon: &Daemon<'_>, file: &std::path::Path) -> Value {
    let file = file.to_str().unwrap();
    let info = daemon.host().run("qemu-img", ["info", "-U", "--output=json", file]);
    serde_json::from_str(&info).unwrap()
}

/// What was written before is there: for the guest if it has the volume, in the files if nothing has it.
fn data(daemon: &Daemon<'_>, scene: &Scene<'_>) {
    let told = scene.case.told();
    if scene.has_volume()
        && let Some(volume) = rests(daemon, &scene.volume())
    {
        match volume["state"].as_str().unwrap() {
            "In-use" => {
                let sum = scene.in_guest(daemon, &format!("touch /tmp/stop; sleep 1; {READ}"));
                assert_eq!(sum, sum_of(daemon, scene.letter()), "{told}: other data in the guest");
            }
            "Available" => holds(daemon, scene, &path(daemon, &scene.volume())),
            _ => {}
        }
    }
    if !scene.case.succeeds {
        return;
    }
    match scene.case.variant {
        Variant::FromSnapshot | Variant::FromVolume => holds(daemon, scene, &path(daemon, &scene.subject())),
        Variant::FromImage => {
            let image = daemon.json(["image", "show", "tiny"])["id"]
                .as_str()
                .unwrap()
                .to_owned();
            let image = daemon.state_dir().join(format!("images/{image}.qcow2"));
            let new = path(daemon, &scene.subject());
            daemon.host().run(
                "qemu-img",
                ["compare", "-U", new.to_str().unwrap(), image.to_str().unwrap()],
            );
        }
        _ => {}
    }
}

/// The snapshot or the image that the action makes: whole, or not there at all.
fn made(daemon: &Daemon<'_>, scene: &Scene<'_>) {
    let kind = match scene.case.action {
        VolumeAction::Snapshot => "snapshot",
        VolumeAction::SaveAsImage => "image",
        _ => return,
    };
    let (told, made) = (scene.case.told(), scene.made());
    let listed = daemon.json([kind, "list"]);
    let named = |one: &&Value| one["name"].as_str().unwrap().starts_with(&made);
    let count = listed.as_array().unwrap().iter().filter(named).count();
    let several = if scene.case.variant == Variant::AllOfInstance {
        2
    } else {
        1
    };
    assert_eq!(count, if scene.case.succeeds { several } else { 0 }, "{told}: {listed}");
    if count == 0 {
        return;
    }
    // Of an instance's snapshots the one of the data volume is called after it.
    let made = if count == 2 {
        format!("{made}-{}", scene.volume())
    } else {
        made
    };
    daemon.ok(["volume", "create", "copy", &format!("--{kind}"), &made]);
    holds(daemon, scene, &path(daemon, "copy"));
    daemon.ok(["volume", "delete", "copy"]);
}

fn sum_of(daemon: &Daemon<'_>, letter: char) -> String {
    let noise = format!("head -c 8388608 /dev/zero | tr '\\0' {letter} | sha256sum");
    daemon.host().run("sh", ["-c", &noise])
}

/// A file that nobody writes to, and what it stands on, begins with the scene's letter.
fn holds(daemon: &Daemon<'_>, scene: &Scene<'_>, file: &std::path::Path) {
    let pattern = format!("read -P {} 0 8M", scene.letter() as u32);
    let read = daemon
        .host()
        .run("qemu-io", ["-r", "-U", "-c", &pattern, file.to_str().unwrap()]);
    assert!(!read.contains("failed"), "{}: other data: {read}", scene.case.told());
}

/// A check of the host finds nothing about files; what the start after a crash puts right may take a moment.
fn nothing_found(daemon: &Daemon<'_>, told: &str) {
    until(told, || {
        let found = daemon.json(["host", "check"]);
        let found = found["findings"].as_array().unwrap();
        (!found.is_empty()).then(|| format!("found {found:?}\n{}", daemon.log()))
    });
}

/// What is on the host. The layers of the guest's root volume are other ones after a snapshot of it: they have no names.
pub(super) fn held(daemon: &Daemon<'_>) -> Vec<String> {
    let unnamed = |line: String| match line.split_once("/volumes/") {
        Some((dir, _)) => format!("{dir}/volumes/"),
        None => line,
    };
    daemon.inventory().into_iter().map(unnamed).collect()
}

/// Waits until nothing is left of a case: layers are merged in the background.
pub(super) fn comes_to(daemon: &Daemon<'_>, before: &[String], told: &str) {
    until(told, || {
        let held = held(daemon);
        (held != before).then(|| format!("something is left: {held:?}\n{}", daemon.log()))
    });
}

/// The newest layer of a volume, as its record has it.
pub(super) fn path(daemon: &Daemon<'_>, volume: &str) -> PathBuf {
    let record = record(daemon, &id(daemon, volume));
    let layer = record.layer.unwrap_or_else(|| panic!("{volume} has no data"));
    daemon.state_dir().join(format!("volumes/{layer}.qcow2"))
}

/// A volume's record, read from a copy of the database: the daemon has the database itself, and a copy that is made
/// while it writes may be none.
fn record(daemon: &Daemon<'_>, id: &str) -> VolumeRecord {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let copy = daemon.host().dir().join("copy");
    let mut found = None;
    until(id, || {
        let _ = std::fs::remove_dir_all(&copy);
        std::fs::create_dir(&copy).unwrap();
        for file in ["berth.db", "berth.db-wal"] {
            let _ = std::fs::copy(daemon.state_dir().join(file), copy.join(file));
        }
        let read = runtime.block_on(async {
            let store = Store::open(&Database::Sqlite(copy.join("berth.db"))).await?;
            store.volume(id.parse().unwrap()).await
        });
        match read {
            Ok(volume) => {
                found = volume;
                found.is_none().then(|| "no record of it".to_owned())
            }
            Err(error) => Some(error.to_string()),
        }
    });
    found.unwrap()
}
