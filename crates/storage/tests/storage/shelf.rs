//! A volume is saved whole, or not at all, and is then as it was.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::process::Command;

use berth_model::{Gib, ImageId, LayerId};
use berth_storage::Under;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use crate::place::Place;

/// A volume of 1 GiB on an image, with something of its own in it.
fn volume(place: &Place) -> LayerId {
    let id = LayerId::new();
    place
        .storage
        .ensure_layer(id, Under::Image(place.imported()), Gib(1))
        .unwrap();
    let write = Command::new("qemu-io")
        .args(["-f", "qcow2", "-c", "write -P 9 300M 20M"])
        .arg(place.storage.layer_path(id))
        .output()
        .unwrap();
    assert!(write.status.success());
    id
}

#[test]
fn what_is_saved_is_the_volume_and_stands_alone() {
    let place = Place::new();
    let (volume, image) = (volume(&place), ImageId::new());
    let path = place.storage.layer_path(volume);
    let before = (fs::read(&path).unwrap(), fs::metadata(&path).unwrap().uid());
    let facts = place.storage.save_volume(volume, image, &|| false).unwrap();
    assert_eq!(facts.virtual_size, 1 << 30);
    assert!(
        facts.file_size < 2 << 20,
        "{} bytes for what compresses well",
        facts.file_size
    );
    let [from, to] = [&path, &place.storage.image_path(image)].map(|path| path.to_str().unwrap().to_owned());
    Place::qemu_img(&["compare", "-q", "-f", "qcow2", "-F", "qcow2", &from, &to]);
    Place::qemu_img(&["check", "-q", "-f", "qcow2", &to]);

    let found = fs::metadata(&path).unwrap();
    assert!(fs::read(&path).unwrap() == before.0, "the volume was changed");
    // 65534: the user whom the tests call QEMU's.
    if nix::unistd::geteuid().is_root() {
        assert_eq!(
            (found.uid(), found.gid(), found.permissions().mode() & 0o777),
            (65534, 65534, 0o600)
        );
    }
    // Asked again, it is there already.
    assert_eq!(place.storage.save_volume(volume, image, &|| false).unwrap(), facts);
    assert_eq!(place.storage.space().unwrap().reserved, 0);
}

#[test]
fn a_guest_that_broke_its_qemu_gets_no_file_of_the_host() {
    let place = Place::new();
    let (volume, image) = (volume(&place), ImageId::new());
    let path = place.storage.layer_path(volume);
    let canary = place.path("canary");
    fs::write(&canary, vec![7; 1 << 20]).unwrap();
    let link = place.path("state/volumes/link.qcow2");
    std::os::unix::fs::symlink(&canary, &link).unwrap();
    let watch = Inotify::init(InitFlags::IN_NONBLOCK).unwrap();
    watch.add_watch(&canary, AddWatchFlags::IN_OPEN).unwrap();
    let names = [
        canary.to_str().unwrap(),
        "../../canary",
        "link.qcow2",
        "json:{}",
        "nbd:x:1",
        "../tmp/../../canary",
    ];
    for name in names {
        let rebase = ["rebase", "-q", "-u", "-f", "qcow2", "-F", "raw", "-b", name];
        Place::qemu_img(&[&rebase[..], &[path.to_str().unwrap()]].concat());
        let error = place
            .storage
            .save_volume(volume, image, &|| false)
            .unwrap_err()
            .to_string();
        assert!(error.contains("no file of this installation"), "{name}: {error}");
        assert!(watch.read_events().is_err(), "{name} was opened");
        assert!(!place.storage.image_path(image).exists());
    }
}
