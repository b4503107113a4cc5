//! Images, volumes and seed disks on a real disk, with the real qemu-img.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

use std::fs;
use std::io::{Cursor, Read};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use berth_model::{Code, DiskFormat, Gib, ImageId, InstanceId, VolumeId};
use berth_storage::{ImageFacts, ImageSource, Seed, Settings, Storage, StorageError};
use tempfile::TempDir;

struct Place {
    dir: TempDir,
    storage: Storage,
}

fn settings(dir: &Path) -> Settings {
    Settings {
        state_dir: dir.join("state"),
        // An unprivileged user that every machine has; files are given away only by root.
        qemu_user: Some("nobody".to_owned()),
        qemu_img: "qemu-img".into(),
    }
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let storage = Storage::open(settings(dir.path())).unwrap();
        Self { dir, storage }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn qemu_img(args: &[&str]) {
        let status = Command::new("qemu-img").args(args).status().unwrap();
        assert!(status.success(), "qemu-img {args:?}");
    }

    /// A qcow2 file of 64 MiB, made by the real qemu-img with these options.
    fn qcow2(&self, options: &[&str]) -> PathBuf {
        let path = self.path("given.qcow2");
        let mut args = vec!["create", "-q", "-f", "qcow2"];
        args.extend(options);
        args.extend([path.to_str().unwrap(), "64M"]);
        Self::qemu_img(&args);
        path
    }

    fn import(&self, path: &Path) -> (ImageId, Result<ImageFacts, StorageError>) {
        let id = ImageId::new();
        let source = ImageSource::File(path.to_owned());
        (id, self.storage.import_image(id, source, &|| false, &mut |_, _| {}))
    }

    fn imported(&self) -> ImageId {
        let (id, facts) = self.import(&self.qcow2(&[]));
        facts.unwrap();
        id
    }

    fn nothing_is_left(&self) {
        assert_eq!(
            fs::read_dir(self.path("state/tmp")).unwrap().count(),
            0,
            "something is left in tmp/"
        );
        assert_eq!(self.storage.inventory().unwrap(), berth_storage::Inventory::default());
    }
}

#[test]
fn a_qcow2_is_taken_as_it_is_and_a_raw_disk_is_converted() {
    let place = Place::new();
    let (id, facts) = place.import(&place.qcow2(&[]));
    let facts = facts.unwrap();
    assert_eq!((facts.format, facts.virtual_size), (DiskFormat::Qcow2, 64 << 20));
    let sum = Command::new("sha256sum")
        .arg(place.path("given.qcow2"))
        .output()
        .unwrap()
        .stdout;
    assert!(String::from_utf8(sum).unwrap().starts_with(&facts.sha256));
    let mode = fs::metadata(place.storage.image_path(id)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o444, "an image is never written again");

    let raw = place.path("disk.raw");
    fs::write(&raw, vec![7; 3 << 20]).unwrap();
    let (id, facts) = place.import(&raw);
    assert_eq!(facts.unwrap().format, DiskFormat::Raw);
    let back = place.path("back.raw");
    let image = place.storage.image_path(id);
    Place::qemu_img(&[
        "convert",
        "-f",
        "qcow2",
        "-O",
        "raw",
        image.to_str().unwrap(),
        back.to_str().unwrap(),
    ]);
    assert_eq!(fs::read(raw).unwrap(), fs::read(back).unwrap());
}

#[test]
fn hostile_images_are_refused_and_leave_nothing() {
    let place = Place::new();
    let refused = |path: &Path, says: &str| {
        let (_, result) = place.import(path);
        let error = result.unwrap_err();
        assert_eq!(error.code(), Code::InvalidImage, "{error}");
        assert!(error.to_string().contains(says), "{error} does not say {says:?}");
        place.nothing_is_left();
    };
    refused(&place.qcow2(&["-u", "-b", "/etc/shadow", "-F", "raw"]), "backing file");
    refused(
        &place.qcow2(&["-u", "-b", "json:{\"driver\":\"nbd\"}", "-F", "raw"]),
        "backing file",
    );
    let data = format!("data_file={},data_file_raw=on", place.path("data.raw").display());
    refused(&place.qcow2(&["-o", &data]), "in another file");
    refused(
        &place.qcow2(&[
            "-o",
            "encrypt.format=luks,encrypt.key-secret=s",
            "--object",
            "secret,id=s,data=x",
        ]),
        "encrypted",
    );

    let mut bytes = fs::read(place.qcow2(&[])).unwrap();
    let whole = bytes.clone();
    let path = place.path("changed");
    bytes[24..32].copy_from_slice(&u64::MAX.to_be_bytes());
    fs::write(&path, &bytes).unwrap();
    refused(&path, "a volume at most");
    bytes = whole.clone();
    bytes[72..80].copy_from_slice(&(1_u64 << 40).to_be_bytes());
    fs::write(&path, &bytes).unwrap();
    refused(&path, "not known");
    // The refcount table is somewhere else than the header says.
    bytes = whole.clone();
    bytes[48..56].copy_from_slice(&(1_u64 << 50).to_be_bytes());
    fs::write(&path, &bytes).unwrap();
    refused(&path, "qemu-img check says");
    fs::write(&path, &whole[..40]).unwrap();
    refused(&path, "cut off");
    fs::write(&path, b"KDMV and more").unwrap();
    refused(&path, "vmdk");
    fs::write(&path, b"hello").unwrap();
    refused(&path, "no whole sectors");
    fs::write(&path, b"").unwrap();
    refused(&path, "no bytes");
}

/// A sender that goes away.
struct Breaks;

impl Read for Breaks {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        Err(std::io::ErrorKind::ConnectionReset.into())
    }
}

#[test]
fn an_import_that_breaks_off_leaves_nothing() {
    let place = Place::new();
    let bytes = fs::read(place.qcow2(&[])).unwrap();
    let length = bytes.len() as u64;
    let import = |source, cancelled: bool| {
        let result = place
            .storage
            .import_image(ImageId::new(), source, &move || cancelled, &mut |_, _| {});
        assert!(matches!(result, Err(StorageError::Cancelled)), "{result:?}");
        place.nothing_is_left();
    };
    import(ImageSource::Reader(Box::new(Breaks), None), false);
    import(
        ImageSource::Reader(Box::new(Cursor::new(bytes.clone())), Some(length + 1)),
        false,
    );
    import(ImageSource::Reader(Box::new(Cursor::new(bytes)), None), true);
}

#[test]
fn a_volume_is_an_overlay_that_may_be_asked_for_again() {
    let place = Place::new();
    let (image, id) = (place.imported(), VolumeId::new());
    let made = place.storage.ensure_volume(id, image, Gib(2)).unwrap();
    assert_eq!(made.virtual_size, 2 << 30);
    assert!(
        made.allocated < 1 << 20,
        "{} bytes for an empty overlay",
        made.allocated
    );
    assert_eq!(place.storage.ensure_volume(id, image, Gib(2)).unwrap(), made);
    let path = place.storage.volume_path(id);
    Place::qemu_img(&["check", "-q", path.to_str().unwrap()]);

    let other = place.storage.ensure_volume(id, image, Gib(3)).unwrap_err();
    assert!(other.to_string().contains("not what it should be"), "{other}");
    place.storage.delete_volume(id).unwrap();
    place.storage.delete_volume(id).unwrap();
    assert_eq!(place.storage.volume_info(id).unwrap(), None);
}

#[test]
fn a_volume_smaller_than_its_image_is_refused() {
    let place = Place::new();
    let path = place.path("large.qcow2");
    Place::qemu_img(&["create", "-q", "-f", "qcow2", path.to_str().unwrap(), "3G"]);
    let (image, facts) = place.import(&path);
    facts.unwrap();
    let error = place.storage.ensure_volume(VolumeId::new(), image, Gib(2)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a volume of 2 GiB is too small for an image of 3 GiB"
    );
}

#[test]
fn what_a_crash_left_half_made_is_replaced() {
    let place = Place::new();
    let (image, id) = (place.imported(), VolumeId::new());
    fs::write(place.path(&format!("state/tmp/{id}.qcow2")), "half").unwrap();
    place.storage.ensure_volume(id, image, Gib(1)).unwrap();
    fs::write(place.path("state/tmp/other"), "half").unwrap();
    let again = Storage::open(settings(place.dir.path())).unwrap();
    assert_eq!(fs::read_dir(place.path("state/tmp")).unwrap().count(), 0);
    let found = again.inventory().unwrap();
    assert_eq!((found.images, found.volumes), (vec![image], vec![id]));
}

#[test]
fn what_is_not_ours_is_listed_and_nothing_else_done() {
    let place = Place::new();
    let note = place.path("state/volumes/README");
    fs::write(&note, "an operator's note").unwrap();
    assert_eq!(place.storage.inventory().unwrap().unknown, [note]);
}

#[test]
fn the_seed_disk_says_what_it_was_told_and_nothing_can_break_out() {
    let place = Place::new();
    let id = InstanceId::new();
    let seed = Seed {
        hostname: "web".to_owned(),
        ssh_keys: vec!["ssh-ed25519 AAAA you@host\"\nevil: true".to_owned()],
        user_data: Some(vec![b'#'; 16 * 1024]),
    };
    place.storage.ensure_instance_dir(id).unwrap();
    let path = place.storage.ensure_seed(id, &seed).unwrap();
    let first = fs::read(&path).unwrap();
    let written = fs::metadata(&path).unwrap().modified().unwrap();
    assert_eq!(place.storage.ensure_seed(id, &seed).unwrap(), path);
    assert_eq!(
        fs::metadata(&path).unwrap().modified().unwrap(),
        written,
        "the same seed was written again"
    );

    let disk = fatfs::FileSystem::new(Cursor::new(first), fatfs::FsOptions::new()).unwrap();
    assert_eq!(disk.volume_label_as_bytes().trim_ascii_end(), b"CIDATA");
    let read = |name: &str| {
        let mut bytes = Vec::new();
        disk.root_dir()
            .open_file(name)
            .unwrap()
            .read_to_end(&mut bytes)
            .unwrap();
        bytes
    };
    let meta: serde_json::Value = serde_json::from_slice(&read("meta-data")).unwrap();
    assert_eq!(
        (&meta["instance-id"], &meta["local-hostname"]),
        (&id.to_string().into(), &"web".into())
    );
    assert_eq!(meta["public-keys"][0], seed.ssh_keys[0].as_str());
    assert!(meta.get("evil").is_none());
    assert_eq!(read("user-data"), seed.user_data.clone().unwrap());

    let large = Seed {
        user_data: Some(vec![0; 16 * 1024 + 1]),
        ..seed
    };
    assert_eq!(
        place.storage.ensure_seed(id, &large).unwrap_err().code(),
        Code::TooLarge
    );
}

#[test]
fn qemus_user_reads_images_writes_volumes_and_nobody_else_does() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("SKIPPED: files are given to another user only by root");
        return;
    }
    let place = Place::new();
    let (image, volume, instance) = (place.imported(), VolumeId::new(), InstanceId::new());
    place.storage.ensure_volume(volume, image, Gib(1)).unwrap();
    place.storage.ensure_instance_dir(instance).unwrap();
    let may = |user: &str, test: &str, path: &Path| {
        let status = Command::new("setpriv")
            .args([
                &format!("--reuid={user}"),
                "--regid=65534",
                "--clear-groups",
                "test",
                test,
            ])
            .arg(path)
            .status();
        status.unwrap().success()
    };
    let (image, volume) = (place.storage.image_path(image), place.storage.volume_path(volume));
    let dir = place.storage.instance_dir(instance).dir;
    for (user, expected) in [("nobody", true), ("daemon", false)] {
        assert!(may(user, "-r", &image), "{user} can't read the image");
        assert_eq!(may(user, "-r", &volume), expected, "{user} reads the volume");
        assert_eq!(may(user, "-w", &volume), expected, "{user} writes the volume");
        assert_eq!(may(user, "-w", &dir), expected, "{user} makes sockets");
    }
    assert!(!may("nobody", "-w", &image), "an image may be written");
}

/// A mount that goes with the test.
struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_is_said_and_nothing_is_left() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("SKIPPED: a small disk is mounted only by root");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    fs::create_dir(&state).unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"])
        .arg(&state)
        .status()
        .unwrap();
    assert!(mounted.success());
    let guard = Mounted(state.clone());
    let storage = Storage::open(settings(dir.path())).unwrap();
    assert!(!storage.space().unwrap().total.is_multiple_of(8 << 20));
    let bytes: Box<dyn Read + Send> = Box::new(std::io::repeat(7).take(8 << 20));
    let result = storage.import_image(
        ImageId::new(),
        ImageSource::Reader(bytes, None),
        &|| false,
        &mut |_, _| {},
    );
    assert_eq!(result.unwrap_err().code(), Code::StorageFull);
    assert_eq!(fs::read_dir(state.join("tmp")).unwrap().count(), 0);
    drop(guard);
}

#[test]
fn what_is_missing_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let missing = |settings: Settings| Storage::open(settings).unwrap_err().to_string();
    let without = Settings {
        qemu_img: "/nowhere/qemu-img".into(),
        ..settings(dir.path())
    };
    assert!(missing(without).contains("qemu-utils"));
    let nobody = Settings {
        qemu_user: Some("no-such-user".to_owned()),
        ..settings(dir.path())
    };
    assert!(missing(nobody).contains("no-such-user"));
    fs::write(dir.path().join("file"), "").unwrap();
    let file = Settings {
        state_dir: dir.path().join("file"),
        ..settings(dir.path())
    };
    assert!(missing(file).contains("make the directory"));
}
