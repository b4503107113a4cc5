//! Seed disks: what programs that know nothing of us find on them.

use std::fs;
use std::io::{Cursor, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use berth_model::{Code, InstanceId};

use super::place::Place;

fn files(user_data: &[u8]) -> Vec<(String, Vec<u8>)> {
    [
        ("openstack/latest/meta_data.json", &b"{}"[..]),
        ("openstack/latest/user_data", user_data),
        ("ec2/latest/meta-data.json", b""),
    ]
    .map(|(path, bytes)| (path.to_owned(), bytes.to_vec()))
    .to_vec()
}

#[test]
fn the_seed_disk_has_the_files_it_was_given() {
    let (place, id) = (Place::new(), InstanceId::new());
    let given = files(&[b'#'; 16 * 1024]);
    place.storage.ensure_instance_dir(id).unwrap();
    let path = place.storage.ensure_seed(id, &given).unwrap();
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600,
        "what a guest is told is its own"
    );
    let disk = fatfs::FileSystem::new(Cursor::new(fs::read(&path).unwrap()), fatfs::FsOptions::new()).unwrap();
    for (name, bytes) in &given {
        let mut found = Vec::new();
        disk.root_dir()
            .open_file(name)
            .unwrap()
            .read_to_end(&mut found)
            .unwrap();
        assert_eq!(&found, bytes, "{name}");
    }
}

#[test]
fn the_seed_disk_is_found_by_type_and_label() {
    let (place, id) = (Place::new(), InstanceId::new());
    place.storage.ensure_instance_dir(id).unwrap();
    let path = place.storage.ensure_seed(id, &files(b"")).unwrap();
    // As cloud-init looks for it.
    for (tag, value) in [("TYPE", "vfat"), ("LABEL", "config-2")] {
        let said = Command::new("blkid")
            .args(["-p", "-o", "value", "-s", tag])
            .arg(&path)
            .output()
            .unwrap();
        assert_eq!(String::from_utf8(said.stdout).unwrap().trim(), value);
    }
}

#[test]
fn the_same_files_are_the_same_disk_and_others_another() {
    let (place, id) = (Place::new(), InstanceId::new());
    place.storage.ensure_instance_dir(id).unwrap();
    let ensure = |data: &[u8]| place.storage.ensure_seed(id, &files(data)).unwrap();
    let path = ensure(b"one");
    let (first, written) = (
        fs::read(&path).unwrap(),
        fs::metadata(&path).unwrap().modified().unwrap(),
    );
    assert_eq!(ensure(b"one"), path);
    assert_eq!(
        fs::metadata(&path).unwrap().modified().unwrap(),
        written,
        "the same seed was written again"
    );
    ensure(b"two");
    assert_ne!(fs::read(&path).unwrap(), first);
    ensure(b"one");
    assert_eq!(fs::read(&path).unwrap(), first);
}

#[test]
fn what_does_not_fit_on_a_seed_disk_is_refused() {
    let (place, id) = (Place::new(), InstanceId::new());
    place.storage.ensure_instance_dir(id).unwrap();
    let error = place.storage.ensure_seed(id, &files(&vec![0; 128 * 1024])).unwrap_err();
    assert_eq!(error.code(), Code::TooLarge);
    place.storage.ensure_seed(id, &files(&vec![0; 128 * 1024 - 2])).unwrap();
}
