//! A disk that is nearly full: who has no room is told before anything is written, and a disk that fills up meanwhile
//! leaves nothing half made and what was there whole.

use std::cell::Cell;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use berth_model::{Code, Gib, ImageId, LayerId};
use berth_storage::{ImageFacts, ImageSource, ImportChecks, Settings, Storage, StorageError, Under};
use tempfile::TempDir;

use crate::place::{Place, settings};

/// A state directory on a small disk of its own, which goes with the test.
struct Small {
    storage: Storage,
    dir: TempDir,
}

impl Small {
    /// None, and it is said, where nothing can be mounted.
    fn new(megabytes: u64, low_space: u64) -> Option<Self> {
        if !nix::unistd::geteuid().is_root() {
            eprintln!("SKIPPED: a small disk is mounted only by root");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        fs::create_dir(&state).unwrap();
        let size = format!("size={megabytes}m,mode=755");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&state);
        assert!(mount.status().unwrap().success());
        let settings = Settings {
            low_space,
            ..settings(dir.path())
        };
        let storage = Storage::open(settings).unwrap();
        Some(Self { storage, dir })
    }

    fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    fn import(&self, source: ImageSource) -> Result<(ImageId, ImageFacts), StorageError> {
        self.import_while(ImageId::new(), source, &|| false)
    }

    fn import_while(
        &self,
        id: ImageId,
        source: ImageSource,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<(ImageId, ImageFacts), StorageError> {
        let checks = ImportChecks::default();
        let facts = self
            .storage
            .import_image(id, source, &checks, cancelled, &mut |_, _| {})?;
        Ok((id, facts))
    }

    /// Fills the disk until that many bytes are left at most, whoever writes at the same time.
    fn leave(&self, bytes: u64) {
        for part in 0.. {
            let free = self.storage.space().unwrap().free;
            if free <= bytes {
                return;
            }
            let length = (free - bytes).max(free / 2).to_string();
            let mut fallocate = Command::new("fallocate");
            fallocate
                .args(["-l", &length])
                .arg(self.state().join(format!("filler{part}")));
            let _ = fallocate.output().unwrap();
        }
    }

    fn empty(&self) {
        for part in 0..100 {
            let _ = fs::remove_file(self.state().join(format!("filler{part}")));
        }
    }

    fn nothing_is_half_made(&self) {
        assert_eq!(fs::read_dir(self.state().join("tmp")).unwrap().count(), 0);
        assert_eq!(self.storage.space().unwrap().reserved, 0);
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.state()).status();
    }
}

/// So many bytes that are no zeros.
fn bytes(megabytes: u64) -> Box<dyn Read + Send> {
    Box::new(std::io::repeat(7).take(megabytes << 20))
}

#[test]
fn what_is_reserved_is_no_longer_there_for_others() {
    let Some(small) = Small::new(64, 16 << 20) else { return };
    let storage = &small.storage;
    let whole = storage.space().unwrap();
    assert_eq!((whole.reserved, whole.low_space), (0, 16 << 20));
    let mut first = storage.reserve(30 << 20).unwrap();
    let error = storage.reserve(30 << 20).unwrap_err();
    assert_eq!(error.code(), Code::StorageFull);
    assert_eq!(
        error.to_string(),
        "no room for 30.0 MiB: 64.0 MiB are free, of which 30.0 MiB are reserved for what is being written and 16.0 MiB are \
         kept free (low_space)"
    );
    assert!(first.grow(30 << 20).is_err());
    assert_eq!(first.left(), 30 << 20, "what it had stays");
    first.spend(10 << 20);
    assert_eq!(storage.space().unwrap().reserved, 20 << 20);
    drop(first);
    assert_eq!(storage.space().unwrap(), whole);
    drop(storage.reserve(40 << 20).unwrap());
}

#[test]
fn reservations_of_many_threads_are_never_more_than_there_is() {
    let Some(small) = Small::new(64, 0) else { return };
    let storage = &small.storage;
    let granted: usize = std::thread::scope(|scope| {
        let tries: Vec<_> = (0..32)
            .map(|_| scope.spawn(|| storage.reserve(10 << 20).ok()))
            .collect();
        let kept: Vec<_> = tries.into_iter().filter_map(|thread| thread.join().unwrap()).collect();
        kept.len()
    });
    assert!((6..=32).contains(&granted));
    assert_eq!(storage.space().unwrap().reserved, 0);
}

#[test]
fn an_import_that_does_not_fit_is_refused_before_it_is_written() {
    let Some(small) = Small::new(32, 0) else { return };
    for length in [Some(40 << 20), None] {
        let error = small.import(ImageSource::Reader(bytes(40), length)).unwrap_err();
        assert_eq!(error.code(), Code::StorageFull, "{error}");
        assert!(error.to_string().starts_with("no room for"), "{error}");
        small.nothing_is_half_made();
    }
    // What was brought fits, and what it becomes does not fit beside it.
    let error = small
        .import(ImageSource::Reader(bytes(20), Some(20 << 20)))
        .unwrap_err();
    assert!(
        matches!(error, StorageError::NoRoom { wanted, .. } if wanted > 20 << 20),
        "{error}"
    );
    small.nothing_is_half_made();
    // Less than what is reserved ahead is enough for what is less.
    small.import(ImageSource::Reader(bytes(10), None)).unwrap();
}

#[test]
fn a_bomb_is_measured_and_never_goes_off() {
    let Some(small) = Small::new(64, 0) else { return };
    let dir = tempfile::tempdir().unwrap();
    let [raw, qcow2, vmdk] = ["raw", "qcow2", "vmdk"].map(|name| dir.path().join(name));
    std::io::copy(&mut bytes(200), &mut fs::File::create(&raw).unwrap()).unwrap();
    let name = |path: &Path| path.to_str().unwrap().to_owned();
    Place::qemu_img(&["convert", "-c", "-f", "raw", "-O", "qcow2", &name(&raw), &name(&qcow2)]);
    let options = ["-o", "subformat=streamOptimized", "-f", "raw", "-O", "vmdk"];
    Place::qemu_img(&[&["convert"], &options[..], &[&name(&raw), &name(&vmdk)]].concat());
    for bomb in [qcow2, vmdk] {
        assert!(fs::metadata(&bomb).unwrap().len() < 10 << 20, "no bomb");
        let error = small.import(ImageSource::File(bomb)).unwrap_err();
        assert!(
            matches!(error, StorageError::NoRoom { wanted, .. } if wanted > 190 << 20),
            "{error}"
        );
        small.nothing_is_half_made();
    }
}

#[test]
fn a_disk_that_fills_up_during_an_import() {
    let Some(small) = Small::new(64, 0) else { return };
    let (old, facts) = small.import(ImageSource::Reader(bytes(2), None)).unwrap();
    let filled = Cell::new(false);
    let fill = || {
        if !filled.replace(true) {
            small.leave(1 << 20);
        }
        false
    };
    // The first time it is asked is after the room was reserved.
    let stream = ImageSource::Reader(bytes(20), Some(20 << 20));
    let error = small.import_while(ImageId::new(), stream, &fill).unwrap_err();
    assert!(matches!(error, StorageError::Full { .. }), "{error}");
    small.nothing_is_half_made();
    assert_eq!(
        fs::metadata(small.storage.image_path(old)).unwrap().len(),
        facts.file_size
    );
}

#[test]
fn a_disk_that_fills_up_during_a_conversion() {
    let Some(small) = Small::new(300, 0) else { return };
    let (old, facts) = small.import(ImageSource::Reader(bytes(2), None)).unwrap();
    let id = ImageId::new();
    let made = small.state().join(format!("tmp/{id}/work/made.qcow2"));
    let filled = Cell::new(false);
    let fill = || {
        if made.exists() && !filled.replace(true) {
            small.leave(1 << 20);
        }
        false
    };
    let stream = ImageSource::Reader(bytes(100), Some(100 << 20));
    let error = small.import_while(id, stream, &fill).unwrap_err();
    assert!(filled.get());
    assert!(matches!(error, StorageError::Full { .. }), "{error}");
    small.nothing_is_half_made();
    assert_eq!(
        fs::metadata(small.storage.image_path(old)).unwrap().len(),
        facts.file_size
    );
    assert!(!small.storage.image_path(id).exists());
}

#[test]
fn a_conversion_is_cancelled_too() {
    let Some(small) = Small::new(300, 0) else { return };
    let id = ImageId::new();
    let work = small.state().join(format!("tmp/{id}/work"));
    let stream = ImageSource::Reader(bytes(100), None);
    let error = small.import_while(id, stream, &|| work.exists()).unwrap_err();
    assert!(matches!(error, StorageError::Cancelled), "{error}");
    small.nothing_is_half_made();
}

#[test]
fn a_volume_that_does_not_fit_on_the_shelf() {
    let Some(small) = Small::new(64, 0) else { return };
    let (old, _) = small.import(ImageSource::Reader(bytes(2), None)).unwrap();
    let kept = fs::read(small.storage.image_path(old)).unwrap();
    // A sparse volume on it, with more in it than there will be room for.
    let volume = LayerId::new();
    small.storage.ensure_layer(volume, Under::Image(old), Gib(1)).unwrap();
    let path = small.storage.layer_path(volume);
    let fill = Command::new("qemu-io")
        .args(["-f", "qcow2", "-c", "write -P 9 100M 20M"])
        .arg(&path)
        .output()
        .unwrap();
    assert!(fill.status.success());
    let held = fs::read(&path).unwrap();

    small.leave(4 << 20);
    let shelf = ImageId::new();
    let error = small.storage.save_volume(volume, shelf, &|| false).unwrap_err();
    assert!(
        matches!(error, StorageError::NoRoom { wanted, .. } if wanted > 20 << 20),
        "{error}"
    );
    small.nothing_is_half_made();
    assert!(!small.storage.image_path(shelf).exists());
    assert!(fs::read(&path).unwrap() == held, "the volume was changed");
    assert!(
        fs::read(small.storage.image_path(old)).unwrap() == kept,
        "the image was changed"
    );
    small.empty();
    small.storage.save_volume(volume, shelf, &|| false).unwrap();
}
