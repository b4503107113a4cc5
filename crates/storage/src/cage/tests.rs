//! What a program in the cage can and can't do: a shell tries.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::process::Output;

use tempfile::TempDir;

use super::*;

/// A state directory with what a caged program is given, and what it isn't.
struct Den {
    cage: Cage,
    dir: TempDir,
}

impl Den {
    /// None, and it is said, where there is no cage.
    fn new() -> Option<Self> {
        if !nix::unistd::geteuid().is_root() {
            eprintln!("SKIPPED: only root can put a program in a cage");
            return None;
        }
        let (cage, dir) = (Cage::find(None).unwrap(), tempfile::tempdir().unwrap());
        for file in ["given", "secret", "unlent"] {
            fs::write(dir.path().join(file), file).unwrap();
            fs::set_permissions(dir.path().join(file), fs::Permissions::from_mode(0o600)).unwrap();
        }
        cage.lend(&dir.path().join("given"), Owner::named(None, "").unwrap())
            .unwrap();
        cage.ensure_work_dir(&dir.path().join("work")).unwrap();
        Some(Self { cage, dir })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs a script, with the test's directory in `$1`.
    fn run(&self, script: &str) -> Output {
        let (given, unlent, work) = (self.path("given"), self.path("unlent"), self.path("work"));
        let reach = Reach {
            reads: &[&given, &unlent],
            work: Some(&work),
            file_max: 4096,
        };
        let mut command = self.cage.command(Path::new("/usr/bin/sh"), reach);
        command.args(["-c", script, "sh"]).arg(self.dir.path());
        command.env_clear().env("PATH", "/usr/bin");
        self.cage.start(&mut command).unwrap().wait_with_output().unwrap()
    }

    fn prints(&self, script: &str) -> String {
        String::from_utf8(self.run(script).stdout).unwrap().trim().to_owned()
    }

    #[track_caller]
    fn fails(&self, script: &str, says: &str) {
        let output = self.run(script);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{script} worked");
        assert!(said.contains(says), "{script} said {said:?}");
    }
}

#[test]
fn what_is_given_is_read_and_the_work_is_written() {
    let Some(den) = Den::new() else { return };
    assert_eq!(den.prints("cat $1/given; echo made > $1/work/made"), "given");
    let made = fs::metadata(den.path("work/made")).unwrap();
    assert_eq!((made.uid(), made.gid(), made.len()), (IMAGE_ID, IMAGE_ID, 5));
}

#[test]
fn nothing_else_is_there() {
    let Some(den) = Den::new() else { return };
    den.fails("cat /etc/passwd", "No such file");
    den.fails("cat $1/secret", "No such file");
    // It is shown, but nobody gave the user leave.
    den.fails("cat $1/unlent", "Permission denied");
    for path in [
        "/proc",
        "/sys",
        "/home",
        "/root",
        "/var",
        "/run",
        "/etc/shadow",
        "/dev/kvm",
        "/dev/vda",
    ] {
        den.fails(&format!("ls -d {path}"), "No such file");
    }
    assert_eq!(den.prints("ls $1"), "given\nunlent\nwork");
    assert_eq!(den.prints("ls /dev /etc"), "/dev:\nnull\n\n/etc:\nld.so.cache");
    den.fails("echo x > $1/given", "Read-only");
    for path in ["$1/new", "/new", "/dev/new", "/usr/bin/new"] {
        den.fails(&format!("touch {path}"), "Read-only");
    }
}

#[test]
fn there_is_no_network_no_other_process_and_no_way_back() {
    let Some(den) = Den::new() else { return };
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let connect = format!("bash -c 'echo > /dev/tcp/127.0.0.1/{port}'");
    den.fails(&connect, "");
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "the cage reached the host's loopback");
    // Its own init, and itself.
    assert_eq!(den.prints("echo $$"), "2");
    den.fails("kill -0 3", "No such process");
    assert_eq!(den.prints("id -u; id -G"), format!("{IMAGE_ID}\n{IMAGE_ID}"));
    den.fails("setpriv --reuid=0 true", "Operation not permitted");
    den.fails("unshare --mount true", "Operation not permitted");
    assert_eq!(
        den.prints("setpriv --dump | grep -c -e 'no_new_privs: 1' -e 'Ambient capabilities: .none'"),
        "2"
    );
}

#[test]
fn a_file_grows_no_further_than_was_reserved() {
    let Some(den) = Den::new() else { return };
    den.fails(
        "head -c 5000 /dev/zero > $1/work/large || head -c 5000 /usr/bin/sh > $1/work/large",
        "",
    );
    assert_eq!(fs::metadata(den.path("work/large")).unwrap().len(), 4096);
    assert_eq!(den.prints("ulimit -c; ulimit -n; ulimit -v"), "0\n64\n4194304");
}

#[test]
fn a_program_elsewhere_is_shown_too() {
    let Some(den) = Den::new() else { return };
    let program = den.path("program");
    fs::copy("/usr/bin/id", &program).unwrap();
    let reach = Reach {
        reads: &[],
        work: None,
        file_max: 0,
    };
    let mut command = den.cage.command(&program, reach);
    let child = den.cage.start(command.arg("-u")).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), IMAGE_ID.to_string());
}

#[test]
fn nothing_runs_for_a_daemon_that_is_gone() {
    let Some(den) = Den::new() else { return };
    let reach = Reach {
        reads: &[],
        work: None,
        file_max: 0,
    };
    let mut command = den.cage.command(Path::new("/usr/bin/echo"), reach);
    // Nobody is there to answer.
    let output = command.arg("ran").stdin(Stdio::null()).output().unwrap();
    assert!(!output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stdout), READY);
}

#[test]
fn the_user_has_to_be_there() {
    let error = Cage::find(Some("no-such-user")).unwrap_err().to_string();
    assert_eq!(error, "there is no user 'no-such-user' on this host: set image_user");
}
