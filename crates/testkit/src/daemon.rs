//! A real berthd on a private host.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use berth_client::Client;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::host::child_of;
use crate::{Caller, Host, program};

/// How a daemon is to be started.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Lines of its configuration file.
    pub config: String,
    /// More arguments.
    pub args: Vec<String>,
    /// Whether the tiny image is imported, as `tiny`.
    pub tiny: bool,
}

/// A berthd that runs on a host. Dropping it kills it; its guests go with the host.
pub struct Daemon<'a> {
    host: &'a Host,
    nsenter: Child,
    pid: Pid,
    args: Vec<String>,
}

impl<'a> Daemon<'a> {
    /// A daemon with the tiny image.
    pub fn start(host: &'a Host) -> Self {
        Self::start_with(
            host,
            Options {
                tiny: true,
                ..Options::default()
            },
        )
    }

    /// A daemon as the options say.
    ///
    /// # Panics
    /// If it doesn't answer within twenty seconds.
    pub fn start_with(host: &'a Host, options: Options) -> Self {
        let config = host.dir().join("berthd.toml");
        fs::write(&config, &options.config).expect("the daemon's configuration");
        let (nsenter, pid) = spawn(host, &options.args);
        let daemon = Self {
            host,
            nsenter,
            pid,
            args: options.args,
        };
        daemon.wait_until_it_answers();
        if options.tiny {
            let image = crate::tiny_image();
            let image = image.to_str().expect("a path in UTF-8");
            daemon.ok(["image", "import", image, "--name", "tiny"]);
        }
        daemon
    }

    /// The daemon's command line for a start that is expected to fail: runs it and waits for its end.
    ///
    /// # Panics
    /// If it can't be run at all.
    pub fn refused<const N: usize>(host: &Host, args: [&str; N]) -> Output {
        let mut command = host.command(program("berthd"));
        command.arg("--state-dir").arg(state_dir(host)).args(args);
        if !args.contains(&"--socket") {
            command.arg("--socket").arg(socket(host));
        }
        command.output().expect("berthd")
    }

    /// `kill -9`, and gone.
    pub fn kill(&mut self) {
        let _ = kill(self.pid, Signal::SIGKILL);
        let _ = self.nsenter.wait();
    }

    /// SIGTERM, and the daemon's end.
    ///
    /// # Panics
    /// If the daemon can't be waited for.
    pub fn terminate(&mut self) -> std::process::ExitStatus {
        let _ = kill(self.pid, Signal::SIGTERM);
        self.nsenter.wait().expect("the daemon's end")
    }

    /// Has it die, or a step fail, at the points that these lines name: see `berth_ops::fault`. None for no point.
    ///
    /// # Panics
    /// If that can't be written down.
    pub fn faults(&self, lines: &[&str]) {
        fs::write(faults(self.host), lines.join("\n")).expect("the file of fault points");
    }

    /// Waits until it has died by itself.
    ///
    /// # Panics
    /// If it doesn't within a minute.
    pub fn wait_until_it_dies(&mut self) {
        let deadline = Instant::now() + Duration::from_mins(1);
        while self.nsenter.try_wait().expect("the daemon's end").is_none() {
            assert!(Instant::now() < deadline, "berthd lives on: {}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Starts it again after it was killed.
    pub fn start_again(&mut self) {
        (self.nsenter, self.pid) = spawn(self.host, &self.args);
        self.wait_until_it_answers();
    }

    /// The memory it has in use, in KiB.
    ///
    /// # Panics
    /// If it doesn't run.
    pub fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).expect("the daemon's status");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .expect("VmRSS");
        let number = line.trim().trim_end_matches(" kB");
        number.parse().expect("a number of KiB")
    }

    /// The host it runs on.
    pub fn host(&self) -> &Host {
        self.host
    }

    /// Its state directory.
    pub fn state_dir(&self) -> PathBuf {
        state_dir(self.host)
    }

    /// Its socket.
    pub fn socket(&self) -> PathBuf {
        socket(self.host)
    }

    /// A client of its API.
    ///
    /// # Panics
    /// If none can be made.
    pub fn client(&self) -> Client {
        Client::new(self.socket()).expect("a client")
    }

    /// Somebody who speaks to it: the superuser, until it is said who else.
    pub fn caller(&self) -> Caller {
        Caller::root(self.socket())
    }

    /// The `berth` command with these arguments.
    pub fn berth<const N: usize>(&self, args: [&str; N]) -> Command {
        let mut command = Command::new(program("berth"));
        command
            .arg("--socket")
            .arg(self.socket())
            .args(args)
            .stdin(Stdio::null());
        command.env("XDG_STATE_HOME", self.host.dir().join("xdg"));
        command
    }

    /// The `berth` command as somebody on this host's network types it who has no socket: with contexts of their own, in
    /// the directory `home`.
    pub fn from_elsewhere<const N: usize>(&self, home: &str, args: [&str; N]) -> Command {
        let mut command = self.host.command(program("berth"));
        let home = self.host.dir().join(home);
        command
            .args(args)
            .env("XDG_CONFIG_HOME", home.join("config"))
            .env("XDG_STATE_HOME", home.join("state"));
        for variable in ["BERTH_SOCKET", "BERTH_CONTEXT", "BERTH_TOKEN", "BERTH_PROJECT"] {
            command.env_remove(variable);
        }
        command
    }

    /// SIGHUP: it reads files again.
    ///
    /// # Panics
    /// If it isn't there any more.
    pub fn hang_up(&self) {
        kill(self.pid, Signal::SIGHUP).expect("the daemon");
    }

    /// Runs a `berth` command that succeeds, and returns what it prints.
    ///
    /// # Panics
    /// If it fails.
    pub fn ok<const N: usize>(&self, args: [&str; N]) -> String {
        let output = self.berth(args).output().expect("berth");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "berth {args:?} failed: {stderr}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs a `berth` command that succeeds, and returns the JSON it prints.
    ///
    /// # Panics
    /// If it fails, or what it prints isn't JSON.
    pub fn json<const N: usize>(&self, args: [&str; N]) -> Value {
        let output = self.berth(["-o", "json"]).args(args).output().expect("berth");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "berth -o json {args:?} failed: {stderr}");
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    /// Runs a `berth` command that is refused, and returns the problem it prints and its exit code.
    ///
    /// # Panics
    /// If it succeeds, or doesn't print a problem.
    pub fn refuses<const N: usize>(&self, args: [&str; N]) -> (Value, i32) {
        let output = self.berth(["-o", "json"]).args(args).output().expect("berth");
        assert!(!output.status.success(), "berth {args:?} succeeded");
        let stderr = String::from_utf8_lossy(&output.stderr);
        let problem = stderr.find('{').and_then(|at| serde_json::from_str(&stderr[at..]).ok());
        (
            problem.unwrap_or_else(|| panic!("no problem on stderr: {stderr}")),
            output.status.code().unwrap_or(-1),
        )
    }

    /// An instance's id.
    ///
    /// # Panics
    /// If there is no such instance.
    pub fn id(&self, name: &str) -> String {
        let instance = self.json(["instance", "show", name]);
        instance["id"].as_str().expect("an id").to_owned()
    }

    /// The file that the first disk of an instance is written to, as libvirt has it.
    ///
    /// # Panics
    /// If libvirt has no such domain.
    pub fn disk_file(&self, name: &str) -> PathBuf {
        let disks = self.host.virsh(["domblklist", &self.id(name)]);
        let first = disks.lines().find(|line| line.contains("/volumes/"));
        let path = first.and_then(|line| line.split_whitespace().last());
        path.expect("a disk of the instance").into()
    }

    /// Makes an instance of the tiny image, Active when this returns; its id.
    ///
    /// # Panics
    /// If it doesn't get there.
    pub fn create(&self, name: &str) -> String {
        self.ok(["instance", "create", name, "--image", "tiny", "--type", "t1.nano"]);
        self.id(name)
    }

    /// Asks for an instance of the tiny image and doesn't wait for it; the id of its operation.
    ///
    /// # Panics
    /// If it is refused.
    pub fn begin_create(&self, name: &str) -> String {
        let create = [
            "instance",
            "create",
            name,
            "--image",
            "tiny",
            "--type",
            "t1.nano",
            "--no-wait",
        ];
        self.ok(create).trim().to_owned()
    }

    /// An instance's documented state, as the API shows it.
    pub fn state(&self, name: &str) -> String {
        let instance = self.json(["instance", "show", name]);
        instance["state"].as_str().unwrap_or_default().to_owned()
    }

    /// All that is on the host and could have been left over.
    pub fn inventory(&self) -> Vec<String> {
        self.host.inventory(&self.state_dir())
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.host.dir().join("berthd.log")).unwrap_or_default()
    }

    fn wait_until_it_answers(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        let mut answer = self.berth(["host", "show"]).output().expect("berth");
        while !answer.status.success() {
            assert!(Instant::now() < deadline, "berthd does not answer: {}", self.log());
            std::thread::sleep(Duration::from_millis(50));
            answer = self.berth(["host", "show"]).output().expect("berth");
        }
    }
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the log of berthd ---\n{}", self.log());
        }
        self.kill();
    }
}

fn faults(host: &Host) -> PathBuf {
    host.dir().join("faults")
}

fn state_dir(host: &Host) -> PathBuf {
    host.dir().join("state")
}

fn socket(host: &Host) -> PathBuf {
    host.dir().join("berth.sock")
}

fn spawn(host: &Host, args: &[String]) -> (Child, Pid) {
    let log: &Path = &host.dir().join("berthd.log");
    let log = File::options()
        .create(true)
        .append(true)
        .open(log)
        .expect("the daemon's log");
    let mut command = command(host, args);
    let nsenter = command
        .arg("--config")
        .arg(host.dir().join("berthd.toml"))
        .stderr(log)
        .spawn()
        .expect("berthd");
    let pid = child_of(nsenter.id()).expect("the daemon's process");
    (nsenter, Pid::from_raw(i32::try_from(pid).expect("a process id")))
}

fn command(host: &Host, args: &[String]) -> Command {
    let mut command = host.command(program("berthd"));
    command
        .arg("--state-dir")
        .arg(state_dir(host))
        .arg("--socket")
        .arg(socket(host))
        .args(args);
    command.env("BERTH_FAULT_FILE", faults(host));
    command.env("BERTHD_LOG__FILTER", "debug,sqlx=warn,hyper=warn");
    command
}
