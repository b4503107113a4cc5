//! qemu-img: an argument vector, no environment, no input, a deadline; on what others made it runs caged (`cage`).

use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::StorageError;
use crate::cage::{Cage, Reach, tool};
use crate::convert::Disk;

/// How long it may take. A convert of the largest image that is read here stays far below it.
const DEADLINE: Duration = Duration::from_mins(30);

/// How much is kept of what it prints.
const PRINTED_MAX: u64 = 4096;

/// qemu-img, and how it is confined on this host.
#[derive(Debug)]
pub(crate) struct QemuImg {
    program: PathBuf,
    cage: Cage,
}

impl QemuImg {
    /// Finds the program.
    pub(crate) fn find(program: &Path, cage: Cage) -> Result<Self, StorageError> {
        let program = tool(program, "qemu-utils")?;
        Ok(Self { program, cage })
    }

    /// The cage it runs in.
    pub(crate) fn cage(&self) -> &Cage {
        &self.cage
    }

    /// Runs it on files that are our own.
    pub(crate) fn run<S: AsRef<OsStr>>(&self, verb: &str, args: &[S]) -> Result<(), StorageError> {
        let mut command = Command::new(&self.program);
        command.arg(verb).args(args);
        finish(command, verb, &|| false, start).map(drop)
    }

    /// Runs it on files that somebody else made, until `cancelled` says so, and returns what it printed.
    pub(crate) fn run_caged<S: AsRef<OsStr>>(
        &self,
        verb: &str,
        args: &[S],
        reach: Reach<'_>,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<String, StorageError> {
        let mut command = self.cage.command(&self.program, reach);
        command.arg(verb).args(args);
        finish(command, verb, cancelled, |command| self.cage.start(command))
    }

    /// How many bytes a disk takes at most once it is one qcow2 file, not compressed.
    pub(crate) fn measure(&self, disk: &Disk<'_>) -> Result<u64, StorageError> {
        #[derive(serde::Deserialize)]
        struct Measured {
            required: u64,
        }
        let flags = ["--output=json", "-O", "qcow2", "-f", disk.format.qemu_name()].map(OsStr::new);
        let args = [&flags[..], &[disk.path.as_os_str()]].concat();
        let reach = Reach {
            reads: disk.reads,
            work: None,
            file_max: 0,
        };
        let printed = self.run_caged("measure", &args, reach, disk.cancelled)?;
        let measured: Measured = serde_json::from_str(&printed).map_err(|error| StorageError::QemuImg {
            verb: "measure".to_owned(),
            message: format!("it printed {printed:?}: {error}"),
        })?;
        Ok(measured.required)
    }
}

fn start(command: &mut Command) -> std::io::Result<Child> {
    let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    piped.stdin(Stdio::null()).spawn()
}

fn finish(
    mut command: Command,
    verb: &str,
    cancelled: &dyn Fn() -> bool,
    start: impl FnOnce(&mut Command) -> std::io::Result<Child>,
) -> Result<String, StorageError> {
    command.env_clear().current_dir("/").process_group(0);
    let mut child = start(&mut command).map_err(wrong(verb))?;
    let (stdout, stderr) = (reader(child.stdout.take()), reader(child.stderr.take()));
    let ended = wait(&mut child, verb, cancelled);
    // Its output ends only with the last process of the cage: from then on nobody writes its files.
    let (printed, said) = (stdout.join().unwrap_or_default(), stderr.join().unwrap_or_default());
    let status = ended?;
    if status.success() {
        return Ok(printed);
    }
    let message = match said.trim() {
        "" => status.to_string(),
        said => said.to_owned(),
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

fn wrong(verb: &str) -> impl Fn(std::io::Error) -> StorageError {
    move |error| StorageError::QemuImg {
        verb: verb.to_owned(),
        message: error.to_string(),
    }
}

/// Reads what a process prints, to its end.
fn reader(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        if let Some(mut pipe) = pipe {
            // What can't be read is not worth more than an empty message; what is too much is read and dropped.
            let _ = pipe.by_ref().take(PRINTED_MAX).read_to_end(&mut kept);
            let _ = std::io::copy(&mut pipe, &mut std::io::sink());
        }
        String::from_utf8_lossy(&kept).into_owned()
    })
}

/// Waits until it ends by itself, or has to.
fn wait(child: &mut Child, verb: &str, cancelled: &dyn Fn() -> bool) -> Result<ExitStatus, StorageError> {
    let deadline = Instant::now() + DEADLINE;
    let mut pause = Duration::from_micros(500);
    loop {
        if let Some(status) = child.try_wait().map_err(wrong(verb))? {
            return Ok(status);
        }
        let stopped = if cancelled() {
            Some(StorageError::Cancelled)
        } else {
            (Instant::now() > deadline).then(|| StorageError::Deadline {
                verb: verb.to_owned(),
                seconds: DEADLINE.as_secs(),
            })
        };
        if let Some(error) = stopped {
            kill_all(child);
            return Err(error);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// Kills it with its group: a bwrap that is killed while it starts leaves its first child waiting for it for ever.
fn kill_all(child: &mut Child) {
    let group = i32::try_from(child.id()).map(Pid::from_raw);
    if group.is_ok_and(|group| killpg(group, Signal::SIGKILL).is_err()) {
        let _ = child.kill();
    }
    let _ = child.wait();
}
