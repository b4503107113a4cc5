//! A state directory of a test's own, and files to bring into it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use berth_model::ImageId;
use berth_storage::{ImageFacts, ImageSource, ImportChecks, Settings, Storage, StorageError};
use tempfile::TempDir;

pub(crate) struct Place {
    pub(crate) dir: TempDir,
    pub(crate) storage: Storage,
}

pub(crate) fn settings(dir: &Path) -> Settings {
    Settings {
        state_dir: dir.join("state"),
        // An unprivileged user that every machine has; files are given away only by root.
        qemu_user: Some("nobody".to_owned()),
        image_user: None,
        low_space: 0,
        qemu_img: "qemu-img".into(),
    }
}

impl Place {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let storage = Storage::open(settings(dir.path())).unwrap();
        Self { dir, storage }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn qemu_img(args: &[&str]) {
        let status = Command::new("qemu-img").args(args).status().unwrap();
        assert!(status.success(), "qemu-img {args:?}");
    }

    /// A qcow2 file of 64 MiB, made by the real qemu-img with these options.
    pub(crate) fn qcow2(&self, options: &[&str]) -> PathBuf {
        let path = self.path("given.qcow2");
        let mut args = vec!["create", "-q", "-f", "qcow2"];
        args.extend(options);
        args.extend([path.to_str().unwrap(), "64M"]);
        Self::qemu_img(&args);
        path
    }

    pub(crate) fn import(&self, path: &Path) -> (ImageId, Result<ImageFacts, StorageError>) {
        let id = ImageId::new();
        let source = ImageSource::File(path.to_owned());
        (
            id,
            self.storage
                .import_image(id, source, &ImportChecks::default(), &|| false, &mut |_, _| {}),
        )
    }

    pub(crate) fn imported(&self) -> ImageId {
        let (id, facts) = self.import(&self.qcow2(&[]));
        facts.unwrap();
        id
    }

    pub(crate) fn nothing_is_left(&self) {
        assert_eq!(
            fs::read_dir(self.path("state/tmp")).unwrap().count(),
            0,
            "something is left in tmp/"
        );
        assert_eq!(self.storage.inventory().unwrap(), berth_storage::Inventory::default());
    }
}
