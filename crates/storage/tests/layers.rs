//! Chains of layers on a real disk, with the real qemu-img and qemu-io.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::process::Command;

use berth_model::{Gib, LayerId};
use berth_storage::{Settings, Storage, Under};
use tempfile::TempDir;

struct Place {
    storage: Storage,
    _dir: TempDir,
}

impl Place {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let settings = Settings {
            state_dir: dir.path().join("state"),
            qemu_user: None,
            image_user: None,
            low_space: 0,
            qemu_img: "qemu-img".into(),
        };
        let storage = Storage::open(settings).unwrap();
        Self { storage, _dir: dir }
    }

    /// A layer on another, with its own pattern in its own MiB.
    fn layer(&self, under: Under, pattern: u8) -> LayerId {
        let id = LayerId::new();
        self.storage.ensure_layer(id, under, Gib(1)).unwrap();
        io(
            &self.storage.layer_path(id),
            &format!("write -P {pattern} {pattern}M 1M"),
        );
        id
    }

    fn reads(&self, id: LayerId, pattern: u8) {
        io(
            &self.storage.layer_path(id),
            &format!("read -P {pattern} {pattern}M 1M"),
        );
    }
}

fn io(path: &Path, command: &str) {
    let output = Command::new("qemu-io")
        .args(["-f", "qcow2", "-c", command])
        .arg(path)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && !said.contains("failed"), "{command}: {said}");
}

#[test]
fn a_layer_that_was_pulled_has_all_and_needs_nothing_between() {
    let place = Place::new();
    let first = place.layer(Under::Nothing, 1);
    let second = place.layer(Under::Layer(first), 2);
    let third = place.layer(Under::Layer(second), 3);
    for _ in 0..2 {
        place.storage.pull_layer(third, Under::Layer(first)).unwrap();
    }
    assert_eq!(
        place.storage.layer_info(third).unwrap().unwrap().under,
        Under::Layer(first)
    );
    place.storage.delete_layers(&[second]).unwrap();
    place.storage.pull_layer(third, Under::Nothing).unwrap();
    place.storage.delete_layers(&[first]).unwrap();
    for pattern in 1..=3 {
        place.reads(third, pattern);
    }
}

#[test]
fn a_layer_grows_and_what_grew_in_vain_goes_back() {
    let place = Place::new();
    let id = place.layer(Under::Nothing, 1);
    place.storage.grow_layer(id, Gib(3)).unwrap();
    place.storage.grow_layer(id, Gib(2)).unwrap();
    assert_eq!(place.storage.layer_info(id).unwrap().unwrap().virtual_size, 3 << 30);
    place.storage.shrink_layer_back(id, Gib(1)).unwrap();
    assert_eq!(place.storage.layer_info(id).unwrap().unwrap().virtual_size, 1 << 30);
    place.reads(id, 1);
}

#[test]
fn a_layer_on_a_larger_one_is_refused() {
    let place = Place::new();
    let large = LayerId::new();
    place.storage.ensure_layer(large, Under::Nothing, Gib(2)).unwrap();
    let small = place.storage.ensure_layer(LayerId::new(), Under::Layer(large), Gib(1));
    assert!(small.unwrap_err().to_string().contains("too small"));
}
