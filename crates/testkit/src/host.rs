//! A private host: new namespaces for network, mounts and processes, with a libvirtd of its own.
//!
//! The first process of the process namespace is the host's life: when it is killed the kernel kills everything in
//! it, so that no failed test leaves a QEMU, a dnsmasq or a libvirtd behind.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// What the first process of the host does: take the host's own directories for libvirt and namespaces, and stay.
const INIT: &str = r#"
set -eu
mount --make-rprivate /
ip link set lo up
for pair in etc:/etc/libvirt run:/run/libvirt lib:/var/lib/libvirt log:/var/log/libvirt cache:/var/cache/libvirt netns:/run/netns; do
  mkdir -p "$1/${pair%%:*}" "${pair#*:}"
  mount --bind "$1/${pair%%:*}" "${pair#*:}"
done
echo ready
exec 1>&-
# The first process has to reap what is orphaned: libvirt takes a zombie for a QEMU that has not ended.
while :; do sleep 1000 & wait; done
"#;

/// QEMU runs unprivileged, as on a production host; there are no cgroups in here.
const QEMU_CONF: &str = r#"
stdio_handler = "logd"
security_driver = "none"
remember_owner = 0
cgroup_controllers = []
namespaces = []
"#;

/// The cap on a console log in bytes: small, so that a test can reach it.
const VIRTLOGD_CONF: &str = "max_size = 65536\nmax_backups = 3\n";

/// A private host. Dropping it ends every process on it and removes its directory.
pub struct Host {
    dir: TempDir,
    unshare: Child,
    init: u32,
}

/// The libvirt of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Libvirt {
    /// Its own libvirtd and virtlogd are started.
    Started,
    /// None: as on a host where libvirtd has not come up.
    Absent,
}

impl Host {
    /// Listens on a port of this host's own loopback.
    ///
    /// # Panics
    /// If its network can't be entered.
    pub fn listen(&self) -> std::net::TcpListener {
        let namespace = fs::File::open(format!("/proc/{}/ns/net", self.init)).expect("the host's network");
        let listen = move || {
            nix::sched::setns(namespace, nix::sched::CloneFlags::CLONE_NEWNET).expect("the host's network");
            std::net::TcpListener::bind("127.0.0.1:0").expect("a port")
        };
        // A socket stays in the network that it was made in; the thread that went there ends.
        std::thread::spawn(listen).join().expect("a listener")
    }

    /// A new host.
    ///
    /// # Panics
    /// If this isn't run as root, or a program is missing: there is no test without a host.
    pub fn new(libvirt: Libvirt) -> Self {
        assert!(
            nix::unistd::geteuid().is_root(),
            "whole-system tests need root: run scripts/test as root"
        );
        let dir = TempDir::with_prefix_in("bt", "/tmp").expect("a directory for the host");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("a directory that QEMU can enter");
        for (file, text) in [("etc/qemu.conf", QEMU_CONF), ("etc/virtlogd.conf", VIRTLOGD_CONF)] {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().expect("a parent")).expect("the host's etc");
            fs::write(path, text).expect("libvirt's configuration");
        }
        let mut unshare = Command::new("unshare")
            .args([
                "--net",
                "--mount",
                "--pid",
                "--fork",
                "--kill-child",
                "--mount-proc",
                "--propagation",
                "unchanged",
            ])
            .args(["sh", "-c", INIT, "sh"])
            .arg(dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare, of util-linux");
        let stdout = unshare.stdout.take().expect("a pipe");
        let ready = BufReader::new(stdout).lines().next();
        assert!(
            matches!(ready, Some(Ok(line)) if line == "ready"),
            "the private host did not come up"
        );
        let init = child_of(unshare.id()).expect("the host's first process");
        let host = Self { dir, unshare, init };
        if libvirt == Libvirt::Started {
            host.start_libvirt();
        }
        host
    }

    /// The host's directory; it is the same path inside and outside.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A command that runs on the host.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args(["-t", &self.init.to_string(), "-n", "-m", "-p", "--"])
            .arg(program)
            .stdin(Stdio::null());
        command
    }

    /// Runs a command on the host and returns what it printed.
    ///
    /// # Panics
    /// If it can't be run or fails.
    pub fn run<const N: usize>(&self, program: &str, args: [&str; N]) -> String {
        let output = self.try_run(program, args);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {args:?} failed: {stderr}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs a command on the host, whatever becomes of it.
    ///
    /// # Panics
    /// If it can't be run at all.
    pub fn try_run<const N: usize>(&self, program: &str, args: [&str; N]) -> Output {
        self.command(program)
            .args(args)
            .output()
            .expect("a command on the host")
    }

    /// What virsh says.
    pub fn virsh<const N: usize>(&self, args: [&str; N]) -> String {
        let mut all = vec!["-q", "-c", "qemu:///system"];
        all.extend(args);
        let output = self.command("virsh").args(&all).output().expect("virsh");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Starts libvirtd and virtlogd, and waits until libvirtd answers.
    ///
    /// # Panics
    /// If it doesn't within ten seconds.
    pub fn start_libvirt(&self) {
        // Their pid files are locks, and /run itself is the machine's.
        let pid_file = |name: &str| self.dir().join(name).display().to_string();
        self.try_run("virtlogd", ["-d", "-p", &pid_file("virtlogd.pid")]);
        self.run("libvirtd", ["-d", "-p", &pid_file("libvirtd.pid")]);
        let deadline = Instant::now() + Duration::from_secs(10);
        while !self
            .try_run("virsh", ["-q", "-c", "qemu:///system", "list"])
            .status
            .success()
        {
            assert!(Instant::now() < deadline, "libvirtd does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Sends a signal to libvirtd.
    pub fn signal_libvirtd(&self, signal: &str) {
        self.try_run("pkill", [signal, "-x", "libvirtd"]);
    }

    /// All that is on the host and could have been left over: domains, files of the state directory, taps,
    /// namespaces, DHCP servers. One line each, sorted.
    pub fn inventory(&self, state_dir: &Path) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        found.extend(lines(&self.virsh(["list", "--all", "--name"])).map(|name| format!("domain {name}")));
        for kind in ["volumes", "instances", "images", "tmp", "network"] {
            found.extend(
                files(&state_dir.join(kind))
                    .into_iter()
                    .map(|path| format!("file {}", path.display())),
            );
        }
        let namespaces = self.run("ip", ["-o", "netns", "list"]);
        let namespaces: Vec<_> = lines(&namespaces).filter_map(|line| line.split(' ').next()).collect();
        for namespace in &namespaces {
            let taps = self.run("ip", ["-n", namespace, "-o", "link", "show", "type", "tun"]);
            found.extend(lines(&taps).map(|line| format!("tap in {namespace}: {line}")));
        }
        found.extend(namespaces.iter().map(|name| format!("namespace {name}")));
        let taps = self.run("ip", ["-o", "link", "show", "type", "tun"]);
        found.extend(lines(&taps).map(|line| format!("tap {line}")));
        let processes = self.try_run("pgrep", ["-a", "-f", "qemu-system|dnsmasq"]).stdout;
        found.extend(lines(&String::from_utf8_lossy(&processes)).map(|line| {
            let command = line.split_once(' ').map_or(line, |(_, command)| command);
            format!("process {}", command.chars().take(60).collect::<String>())
        }));
        found.sort();
        found
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.unshare.kill();
        let _ = self.unshare.wait();
    }
}

/// The first child of a process, once it has one.
pub(crate) fn child_of(parent: u32) -> Option<u32> {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).ok()?;
        if let Some(child) = children.split_ascii_whitespace().next() {
            return child.parse().ok();
        }
        if Instant::now() > deadline {
            return None;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty())
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for entry in entries.flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => {
                found.extend(files(&path));
                found.push(path);
            }
            Ok(_) | Err(_) => found.push(path),
        }
    }
    found
}
