//! qemu-img, confined: an argument vector, no environment, no input, a deadline, and limits on what it may use.
//!
//! On files that others made it runs further confined, by the tools of util-linux rather than by unsafe code of our
//! own between fork and exec: without a network (`unshare --net`), as QEMU's own user without the way back
//! (`setpriv`), with limits on memory, time and open files (`prlimit`).

use std::ffi::{OsStr, OsString};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::StorageError;
use crate::files::Owner;

/// How long it may take. A convert of the largest image that is read here stays far below it.
const DEADLINE: Duration = Duration::from_mins(30);

/// The limits on a run over foreign files: 4 GiB of address space, 30 minutes of CPU, 64 files, no core dump.
const LIMITS: [&str; 4] = ["--as=4294967296", "--cpu=1800", "--nofile=64", "--core=0"];

/// How much of its stderr is kept.
const STDERR_MAX: u64 = 4096;

/// qemu-img, and how it is confined on this host.
#[derive(Debug)]
pub(crate) struct QemuImg {
    program: PathBuf,
    cage: Vec<OsString>,
}

impl QemuImg {
    /// Finds the program and the tools that confine it.
    pub(crate) fn find(program: &Path, owner: Owner) -> Result<Self, StorageError> {
        let missing = |name: &str, package: &str| {
            StorageError::Missing(format!(
                "{name} is not installed (package {package}); scripts/install-deps installs it"
            ))
        };
        let program = which(program).ok_or_else(|| missing("qemu-img", "qemu-utils"))?;
        let prlimit = which(Path::new("prlimit")).ok_or_else(|| missing("prlimit", "util-linux"))?;
        let mut cage: Vec<OsString> = Vec::new();
        if let Some((user, group)) = owner.ids() {
            let unshare = which(Path::new("unshare")).ok_or_else(|| missing("unshare", "util-linux"))?;
            let setpriv = which(Path::new("setpriv")).ok_or_else(|| missing("setpriv", "util-linux"))?;
            cage.extend([unshare.into(), "--net".into(), "--".into(), setpriv.into()]);
            cage.extend([format!("--reuid={user}").into(), format!("--regid={group}").into()]);
            cage.extend(["--clear-groups", "--no-new-privs", "--"].map(OsString::from));
        }
        cage.push(prlimit.into());
        cage.extend(LIMITS.map(OsString::from));
        cage.push("--".into());
        Ok(Self { program, cage })
    }

    /// Runs it on files that are our own.
    pub(crate) fn run<S: AsRef<OsStr>>(&self, verb: &str, args: &[S]) -> Result<(), StorageError> {
        let mut command = Command::new(&self.program);
        command.arg(verb).args(args);
        finish(command, verb)
    }

    /// Runs it on a file that somebody else made.
    pub(crate) fn run_caged<S: AsRef<OsStr>>(&self, verb: &str, args: &[S]) -> Result<(), StorageError> {
        let Some((first, rest)) = self.cage.split_first() else {
            return self.run(verb, args);
        };
        let mut command = Command::new(first);
        command.args(rest).arg(&self.program).arg(verb).args(args);
        finish(command, verb)
    }
}

fn finish(mut command: Command, verb: &str) -> Result<(), StorageError> {
    command
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .current_dir("/");
    let wrong = |error: std::io::Error| StorageError::QemuImg {
        verb: verb.to_owned(),
        message: error.to_string(),
    };
    let mut child = command.spawn().map_err(wrong)?;
    let stderr = child.stderr.take();
    let reader = std::thread::spawn(move || {
        let mut said = String::new();
        if let Some(stderr) = stderr {
            // What can't be read is not worth more than an empty message.
            let _ = stderr.take(STDERR_MAX).read_to_string(&mut said);
        }
        said
    });
    let deadline = Instant::now() + DEADLINE;
    let mut pause = Duration::from_micros(500);
    let status = loop {
        if let Some(status) = child.try_wait().map_err(wrong)? {
            break status;
        }
        if Instant::now() > deadline {
            let _ = child.kill();
            let _ = child.wait();
            return Err(StorageError::Deadline {
                verb: verb.to_owned(),
                seconds: DEADLINE.as_secs(),
            });
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    };
    let said = reader.join().unwrap_or_default();
    if status.success() {
        return Ok(());
    }
    let message = if said.trim().is_empty() {
        status.to_string()
    } else {
        said.trim().to_owned()
    };
    if message.contains("No space left on device") {
        return Err(StorageError::Full {
            what: format!("run qemu-img {verb} in"),
            path: PathBuf::from("the state directory"),
        });
    }
    Err(StorageError::QemuImg {
        verb: verb.to_owned(),
        message,
    })
}

/// A program on `PATH` or in the directories of the superuser, by its absolute path.
fn which(program: &Path) -> Option<PathBuf> {
    if program.is_absolute() {
        return program.is_file().then(|| program.to_owned());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(usual)
        .map(|dir| dir.join(program))
        .find(|path| path.is_file())
}
