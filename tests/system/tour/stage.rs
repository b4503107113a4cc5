//! Where a section of the tour is acted: a host with a neighbour, a daemon, and two who type.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use berth_testkit::{Daemon, Host, Options, program, tiny_image};

use crate::crash::rests;
use crate::outside;
use crate::tour::shell::{Said, Shell};

/// How long a guest that has just been started may take until it can be reached.
const REACHED_WITHIN: Duration = Duration::from_mins(2);

pub(crate) struct Stage<'a> {
    host: &'a Host,
    daemon: Daemon<'a>,
    /// The operator's shell on the host.
    here: Shell,
    /// The neighbour's, on the network around it.
    there: Shell,
}

impl<'a> Stage<'a> {
    /// A host with this configuration of its daemon, the tiny image lying in the home directory.
    pub(crate) fn new(host: &'a Host, config: &str) -> Self {
        outside::join(host);
        let home = host.dir().join("home");
        for dir in [&home.join(".ssh"), &host.dir().join("etc/berth")] {
            fs::create_dir_all(dir).unwrap();
        }
        std::os::unix::fs::symlink(tiny_image(), home.join("tiny.qcow2")).unwrap();
        // The neighbour knows nobody yet, and asks nobody: ssh itself would look for that in root's own home.
        let options =
            "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o ConnectTimeout=5";
        let neighbours = programs(host, "neighbour", "ssh", &format!("/usr/bin/ssh {options}"));
        let config_file = host.dir().join("etc/berth/berthd.toml");
        let check = format!("{} --config {}", program("berthd").display(), config_file.display());
        let ours = programs(host, "operator", "berthd", &check);
        known(host, "hosts", "203.0.113.2 berth.example\n");
        known(host, "group", "berth:x:990:\n");
        known(host, "passwd", "alice:x:991:991::/:/bin/sh\n");

        let config = in_there(host, config);
        let daemon = Daemon::start_with(
            host,
            Options {
                config,
                ..Options::default()
            },
        );
        let shell = |netns: &[&str], path: String| {
            let mut command = host.command("env");
            command.args([
                "-u",
                "BERTH_CONTEXT",
                "-u",
                "BERTH_PROJECT",
                "-u",
                "XDG_CONFIG_HOME",
                "-u",
                "XDG_STATE_HOME",
            ]);
            command.arg("-C").arg(&home).args(netns).arg("bash");
            command.env("HOME", &home).env("PATH", path);
            command
        };
        let berth = program("berth").parent().unwrap().display().to_string();
        let path = format!("{berth}:{}", std::env::var("PATH").unwrap());
        let mut there = shell(&["ip", "netns", "exec", "outside"], format!("{neighbours}:{path}"));
        let mut here = shell(&[], format!("{ours}:{path}"));
        here.env("BERTH_SOCKET", daemon.socket());
        let (here, there) = (Shell::new(&mut here), Shell::new(&mut there));
        Self {
            host,
            daemon,
            here,
            there,
        }
    }

    /// A command that isn't shown. Those that begin with `@` aren't the shell's: `@crash POINT: COMMAND` runs a command
    /// with the daemon dying at a point of what it has begun, and starts it again; `@restart` only does that.
    pub(crate) fn prepare(&mut self, command: &str) {
        if let Some(how) = command.strip_prefix("@crash ") {
            let (point, command) = how.split_once(": ").expect("@crash POINT: COMMAND");
            self.daemon.faults(&[&format!("{point} die")]);
            self.here.run(&in_there(self.host, command));
            self.daemon.wait_until_it_dies();
            self.daemon.faults(&[]);
            self.daemon.start_again();
            let name = command.split(' ').nth(3).expect("berth instance VERB NAME");
            rests(&self.daemon, name);
        } else if command == "@restart" {
            self.daemon.terminate();
            self.daemon.start_again();
        } else {
            let said = self.here.run(&in_there(self.host, command));
            assert!(said.success, "{command}: {}", said.text);
        }
    }

    /// Looks at a configuration that is shown, or has the daemon started with it.
    pub(crate) fn configure(&mut self, text: &str, apply: bool) {
        let (file, shown) = (self.host.dir().join("berthd.toml"), self.host.dir().join("shown.toml"));
        let text = in_there(self.host, text);
        if apply {
            let known = fs::read_to_string(&file).unwrap();
            fs::write(&file, format!("{known}\n{text}")).unwrap();
            self.daemon.terminate();
            self.daemon.start_again();
            return;
        }
        fs::write(&shown, &text).unwrap();
        let berthd = program("berthd").display().to_string();
        let output = self
            .host
            .try_run(&berthd, ["--check", "--config", shown.to_str().unwrap()]);
        assert!(
            output.status.success(),
            "{}\n{text}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// What is answered to a command that is shown, in the words of an installed host. A guest that has just become Active
    /// is still booting: who wants to reach it tries again until it is as expected.
    pub(crate) fn type_in(&mut self, elsewhere: bool, command: &str, expected: impl Fn(&Said) -> bool) -> Said {
        let deadline = Instant::now() + REACHED_WITHIN;
        let typed = in_there(self.host, &until_interrupted(command));
        let shell = if elsewhere { &mut self.there } else { &mut self.here };
        loop {
            let mut said = shell.run(&typed);
            said.text = out_here(self.host, &said.text);
            if expected(&said) || !command.contains("ssh ") || Instant::now() > deadline {
                return said;
            }
            std::thread::sleep(Duration::from_millis(500));
        }
    }
}

/// A command that goes on until Ctrl-C, as its comment says, gets that after some seconds.
fn until_interrupted(command: &str) -> String {
    if command.contains("Ctrl-C") {
        format!("timeout --foreground -s INT 3 {command}")
    } else {
        command.to_owned()
    }
}

/// A directory with a program of that name, which runs another with more arguments.
fn programs(host: &Host, whose: &str, name: &str, runs: &str) -> String {
    let dir = host.dir().join(whose);
    fs::create_dir(&dir).unwrap();
    let file = dir.join(name);
    fs::write(&file, format!("#!/bin/sh\nexec {runs} \"$@\"\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    dir.display().to_string()
}

/// Adds lines to a file in `/etc` of this host, for this host alone.
fn known(host: &Host, file: &str, lines: &str) {
    let (here, there) = (host.dir().join(file), format!("/etc/{file}"));
    let others = fs::read_to_string(&there).unwrap();
    fs::write(&here, format!("{others}{lines}")).unwrap();
    host.run("mount", ["--bind", here.to_str().unwrap(), &there]);
}

/// Where on this host is what an installed one has elsewhere.
fn places(host: &Host) -> [(&'static str, String); 4] {
    let place = |path: &str| host.dir().join(path).display().to_string();
    [
        ("/run/berth/berth.sock", place("berth.sock")),
        ("/etc/berth", place("etc/berth")),
        ("/var/lib/berth", place("state")),
        ("~", place("home")),
    ]
}

fn in_there(host: &Host, text: &str) -> String {
    let path = places(host).into_iter().filter(|(known, _)| *known != "~");
    path.fold(text.to_owned(), |text, (known, place)| text.replace(known, &place))
}

fn out_here(host: &Host, text: &str) -> String {
    let places = places(host).into_iter();
    places.fold(text.to_owned(), |text, (known, place)| text.replace(&place, known))
}
