//! A machine with a systemd of its own, in namespaces: a fresh Debian into which the package was installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use berth_testkit::tiny_image;

/// How long it may take to be installed and booted, on a machine that is busy with other tests.
const BOOT: Duration = Duration::from_mins(5);

/// Such a machine. Dropping it ends all its processes.
pub(super) struct Machine {
    dir: tempfile::TempDir,
    cgroup: PathBuf,
    unshare: Child,
    init: u32,
}

impl Machine {
    /// Builds the package, installs it and boots.
    pub(super) fn boot() -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = here.join("..");
        let package = root.join(printed(Command::new(root.join("scripts/package")).arg("--debug")));
        let package = package.canonicalize().unwrap();
        let tree = printed(Command::new(here.join("system/package/tree")).arg(&package));
        let dir = tempfile::TempDir::with_prefix_in("bp", "/tmp").unwrap();
        // systemd makes its groups below the one it is started in, where that is all it sees.
        let cgroup = cgroups().join(dir.path().file_name().unwrap());
        fs::create_dir(&cgroup).unwrap();
        let unshare = Command::new("sh")
            .args(["-ec", r#"echo $$ >"$1"; shift; exec unshare "$@""#, "sh"])
            .arg(cgroup.join("cgroup.procs"))
            .args(["--net", "--mount", "--uts", "--ipc", "--cgroup", "--pid"])
            .args(["--fork", "--kill-child", "--mount-proc"])
            .arg(here.join("system/package/boot"))
            .args([Path::new(&tree), dir.path(), &package, &tiny_image()])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let mut machine = Self {
            dir,
            cgroup,
            unshare,
            init: 0,
        };
        machine.wait_until_installed();
        machine.wait_for("systemctl is-active berthd.service");
        machine
    }

    /// Waits until the first process is about to become systemd.
    fn wait_until_installed(&mut self) {
        let deadline = Instant::now() + BOOT;
        while !self.log().lines().any(|line| line == "installed") {
            let ended = self.unshare.try_wait().unwrap();
            let goes_on = ended.is_none() && Instant::now() < deadline;
            assert!(goes_on, "it isn't installed: {}", self.log());
            std::thread::sleep(Duration::from_millis(100));
        }
        let children = format!("/proc/{0}/task/{0}/children", self.unshare.id());
        self.init = fs::read_to_string(children).unwrap().trim().parse().unwrap();
    }

    /// How far it has got.
    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("boot.log")).unwrap_or_default()
    }

    /// Runs a shell's script on it, whatever becomes of it.
    pub(super) fn try_sh(&self, script: &str) -> Output {
        let init = self.init.to_string();
        let mut command = Command::new("nsenter");
        command.args(["-t", &init, "-n", "-m", "-u", "-i", "-p", "-r", "-w", "--"]);
        command.args(["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"]);
        command.args(["LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive", "sh", "-ec", script]);
        command.stdin(Stdio::null()).output().unwrap()
    }

    /// Runs a shell's script on it that succeeds, and returns what it prints.
    pub(super) fn sh(&self, script: &str) -> String {
        let output = self.try_sh(script);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        if !output.status.success() {
            let journal = self.try_sh("journalctl --no-pager --lines 60 --unit berthd.service --unit berthd.socket");
            panic!(
                "{script}: {stdout}\n{stderr}\n--- the journal ---\n{}",
                text(&journal.stdout)
            );
        }
        stdout
    }

    /// Waits until a script succeeds.
    pub(super) fn wait_for(&self, script: &str) {
        let deadline = Instant::now() + Duration::from_mins(1);
        while !self.try_sh(script).status.success() {
            if Instant::now() > deadline {
                let log = self.log();
                let last: Vec<_> = log.lines().rev().take(20).collect();
                panic!("it boots no further: {last:?}\n{}", self.sh(script));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.unshare.kill();
        let _ = self.unshare.wait();
        remove(&self.cgroup);
    }
}

/// Where the unified hierarchy of control groups is, beside the older ones or alone.
fn cgroups() -> PathBuf {
    let unified = PathBuf::from("/sys/fs/cgroup/unified");
    if unified.is_dir() {
        unified
    } else {
        PathBuf::from("/sys/fs/cgroup")
    }
}

/// Removes a group and those below it, once what was in them is gone.
fn remove(group: &Path) {
    let below = fs::read_dir(group).into_iter().flatten().flatten();
    for entry in below.filter(|entry| entry.path().is_dir()) {
        remove(&entry.path());
    }
    let deadline = Instant::now() + Duration::from_secs(5);
    while fs::remove_dir(group).is_err() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What a program prints.
fn printed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
