//! Where an example is run: a host with a daemon, and a home directory with what a reader has lying about.

use std::fs;
use std::path::PathBuf;

use berth_testkit::{Daemon, Host, Libvirt, Options, program, tiny_image};

/// The reader's own key.
const PUBLIC_KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILWUZFbfOo4usQbeWQNRV33C6cyTrYAtRC9lRNLjjrRh reader@laptop\n";

/// A public IP of every pool that examples could mean.
const CONFIG: &str = "\
[[public_ip_pools]]
name = \"office\"
ranges = [\"203.0.113.2-203.0.113.254\"]
";

/// What takes a real host: what libvirt's test driver lacks, what is asked of a system that runs, more memory than 3 GiB.
const REAL: &[&str] = &[
    " attach",
    " detach",
    " extend",
    "snapshot ",
    "m2.large",
    "instance stop",
    "resize",
    "shelve",
    "instance ssh",
    "console",
    "create-from-volume",
];

pub(super) struct World {
    host: Host,
    real: bool,
}

impl World {
    /// A host that this example can be run on.
    pub(super) fn new(line: &str) -> Self {
        let real = REAL.iter().any(|words| line.contains(words)) && !line.contains("berth public-ip");
        let host = Host::new(if real { Libvirt::Started } else { Libvirt::Absent });
        let home = Self { host, real };
        fs::create_dir_all(home.home().join(".ssh")).unwrap();
        for image in ["tiny.qcow2", "debian.qcow2", "win.qcow2", "disk.qcow2"] {
            std::os::unix::fs::symlink(tiny_image(), home.home().join(image)).unwrap();
        }
        fs::write(home.home().join(".ssh/id_ed25519.pub"), PUBLIC_KEY).unwrap();
        home
    }

    fn home(&self) -> PathBuf {
        self.host.dir().join("home")
    }

    pub(super) fn daemon(&self) -> Daemon<'_> {
        let mut config = CONFIG.to_owned();
        if !self.real {
            config = format!("libvirt_uri = \"test:///default\"\n{config}");
        }
        Daemon::start_with(
            &self.host,
            Options {
                config,
                ..Options::default()
            },
        )
    }

    /// Has the reader's shell run a line; what it says if it fails.
    pub(super) fn shell(&self, daemon: &Daemon<'_>, line: &str) -> Result<(), String> {
        let berth = program("berth").parent().unwrap().display().to_string();
        let path = format!("{berth}:{}", std::env::var("PATH").unwrap());
        let mut command = self.host.command("env");
        command.arg("-C").arg(self.home()).args(["bash", "-c", line]);
        command
            .env("PATH", path)
            .env("HOME", self.home())
            .env("BERTH_SOCKET", daemon.socket());
        for variable in ["BERTH_CONTEXT", "BERTH_PROJECT", "XDG_CONFIG_HOME", "XDG_STATE_HOME"] {
            command.env_remove(variable);
        }
        let output = command.output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        if output.status.success() {
            return Ok(());
        }
        Err(String::from_utf8_lossy(&said).into_owned())
    }
}
