//! The floor of what is done to a running guest: an instance like the other, on whose disks only virsh acts.

use std::fs;
use std::path::{Path, PathBuf};

use berth_testkit::{Daemon, Host};

use super::data::text;

/// Such an instance. Berth is not told of anything, and its records of it are of no use from then on.
pub(super) struct Twin<'a> {
    host: &'a Host,
    id: String,
    layers: usize,
}

impl<'a> Twin<'a> {
    pub(super) fn of(daemon: &'a Daemon<'_>, name: &str) -> Self {
        Self {
            host: daemon.host(),
            id: daemon.id(name),
            layers: 0,
        }
    }

    /// A blank disk, described in the words that another domain has for the one with that serial number.
    pub(super) fn disk_like(&self, domain: &str, serial: &str) -> PathBuf {
        let xml = self.host.virsh(["dumpxml", "--inactive", domain]);
        let disks = xml.split("<disk ").skip(1);
        let disk = disks.filter_map(|rest| rest.split("</disk>").next());
        let disk = { disk }.find(|disk| disk.contains(serial)).expect("the volume's disk");
        let blank = self.host.dir().join("floor-disk.qcow2");
        self.host
            .run("qemu-img", ["create", "-q", "-f", "qcow2", text(&blank), "1G"]);
        let source = format!("<source file='{}'/>", blank.display());
        let lines = disk.lines().filter(|line| !line.contains("<address"));
        let lines = lines.map(|line| if line.contains("<source") { &source } else { line });
        let described = format!("<disk {}</disk>\n", lines.collect::<Vec<_>>().join("\n"));
        let path = self.host.dir().join("floor-disk.xml");
        fs::write(&path, described).unwrap();
        path
    }

    pub(super) fn attach(&self, disk: &Path) {
        self.virsh(&["attach-device", &self.id, text(disk), "--live"]);
    }

    /// Asks for the disk back, and waits until the guest has let go of it.
    pub(super) fn detach(&self, disk: &Path) {
        let ask = ["detach-device", &self.id, text(disk), "--live"];
        self.virsh(&ask);
        while self.disks().contains("floor-disk") {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }

    /// Takes an instant of its first disk; `quiesce` for one with the guest's file systems frozen.
    pub(super) fn snapshot(&mut self, quiesce: bool) {
        let disks = self.disks();
        let mut args = vec![
            "snapshot-create-as",
            &self.id,
            "--disk-only",
            "--atomic",
            "--no-metadata",
        ];
        self.layers += 1;
        let layer = self.host.dir().join(format!("floor-layer{}.qcow2", self.layers));
        let specs = disks.lines().enumerate().map(|(number, line)| {
            let target = line.split_whitespace().next().unwrap_or_default();
            let what = if number == 0 {
                format!("file={}", layer.display())
            } else {
                "snapshot=no".to_owned()
            };
            format!("{target},{what}")
        });
        let specs: Vec<_> = specs.collect();
        for spec in &specs {
            args.extend(["--diskspec", spec]);
        }
        if quiesce {
            args.push("--quiesce");
        }
        self.virsh(&args);
    }

    fn disks(&self) -> String {
        self.host.virsh(["domblklist", &self.id])
    }

    fn virsh(&self, args: &[&str]) {
        let mut command = self.host.command("virsh");
        let output = { command.args(["-q", "-c", "qemu:///system"]).args(args) }
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "virsh {args:?} failed: {stderr}");
    }
}
