//! The floor: the same domain, made by qemu-img and virsh alone.

use std::fs;
use std::path::PathBuf;

use berth_testkit::{Daemon, Host};

/// Another domain with the XML of an instance: its own id, files and tap.
pub(crate) struct Floor<'a> {
    host: &'a Host,
    id: String,
    xml: PathBuf,
    image: String,
    volume: String,
    tap: String,
}

impl<'a> Floor<'a> {
    /// The twin of an instance.
    pub(crate) fn of(daemon: &'a Daemon<'_>, name: &str) -> Self {
        let host = daemon.host();
        let shown = daemon.json(["instance", "show", name]);
        let text = |key: &str| shown[key].as_str().unwrap().to_owned();
        let (id, volume, image) = (text("id"), text("root_volume"), text("image"));
        let twin = "0198f3c2-7a10-7e1b-9d0a-5c1f6f4e2b11".to_owned();
        let mut xml = host.virsh(["dumpxml", "--inactive", &id]).replace(&id, &twin);
        let tap = between(&xml, "<target dev='", "' managed='no'");
        let twin_tap = "floor0".to_owned();
        let twin_volume = host.dir().join("floor.qcow2").display().to_string();
        xml = xml.replace(&tap, &twin_tap);
        xml = xml.replace(&daemon.disk_file(name).display().to_string(), &twin_volume);
        xml = xml.replace(&volume, "floor").replace(
            &between(&xml, "<mac address='", "'/>\n      <target dev='floor0'"),
            "52:54:00:00:00:01",
        );
        // virsh prints the boot disk's backing chain of a running domain only; the seed is shared, read only.
        let path = host.dir().join("floor.xml");
        fs::write(&path, &xml).unwrap();
        let instances = daemon.state_dir().join("instances");
        host.run(
            "cp",
            [
                "-a",
                instances.join(&id).to_str().unwrap(),
                instances.join(&twin).to_str().unwrap(),
            ],
        );
        host.run("ip", ["tuntap", "add", &twin_tap, "mode", "tap", "vnet_hdr"]);
        let image = daemon
            .state_dir()
            .join("images")
            .join(format!("{image}.qcow2"))
            .display()
            .to_string();
        Self {
            host,
            id: twin,
            xml: path,
            image,
            volume: twin_volume,
            tap: twin_tap,
        }
    }

    /// What create → Active is at the least: the overlay, and a started domain.
    pub(crate) fn create(&self) {
        self.overlay();
        self.host.virsh(["create", self.xml.to_str().unwrap()]);
    }

    /// The same domain with a definition, for what follows.
    pub(crate) fn create_defined(&self) {
        self.overlay();
        self.host.virsh(["define", self.xml.to_str().unwrap()]);
        self.start();
    }

    pub(crate) fn remove(&self) {
        self.destroy();
        let _ = fs::remove_file(&self.volume);
    }

    pub(crate) fn destroy(&self) {
        self.host.virsh(["destroy", &self.id]);
    }

    pub(crate) fn start(&self) {
        self.host.virsh(["start", &self.id]);
    }

    fn overlay(&self) {
        self.host.run(
            "qemu-img",
            [
                "create",
                "-q",
                "-f",
                "qcow2",
                "-F",
                "qcow2",
                "-b",
                &self.image,
                &self.volume,
                "1G",
            ],
        );
    }
}

impl Drop for Floor<'_> {
    fn drop(&mut self) {
        self.host.virsh(["destroy", &self.id]);
        self.host.virsh(["undefine", &self.id]);
        self.host.try_run("ip", ["link", "del", &self.tap]);
    }
}

/// What stands right before `after`, back to the nearest `before`.
fn between(text: &str, before: &str, after: &str) -> String {
    let end = text.find(after).expect("the twin's XML");
    let begin = text[..end].rfind(before).expect("the twin's XML") + before.len();
    text[begin..end].to_owned()
}
