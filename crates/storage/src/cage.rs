//! The cage: where a program works on bytes that somebody else made.
//!
//! ```text
//!   berthd (root) ──▶ prlimit ──▶ bwrap ──▶ setpriv ──▶ qemu-img
//!                     memory,     new mount, pid, net,   a user who owns nothing else,
//!                     CPU, files  ipc, uts namespaces    no capability, no way back
//! ```
//!
//! Inside there are the programs and libraries of the host, read only, `/dev/null`, the files to be read, and one
//! directory to write in. No `/proc`, `/sys`, `/etc`, `/home`, no network and no other process. What the parsers
//! (`format`) let through by mistake finds nothing to open here. It is put together from the tools of util-linux and
//! bubblewrap, rather than by unsafe code of our own between fork and exec.
//!
//! The user is not QEMU's, who may read every volume. Without `image_user` it is a number that needs no account: above
//! all that Debian, Ubuntu and systemd give to users (up to 65535), below the subordinate ids of containers (from
//! 100000). Nobody logs in with it, nothing runs as it, and it owns what is in the cage and no more.
//!
//! All of it ends with the daemon, even by SIGKILL at any moment: the kernel tells each process of its parent's death,
//! once it has asked for that. So the program starts only when the daemon answers that everything is set up (`start`).
//!
//! A daemon that isn't root can't change users nor namespaces: then only the limits hold.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::StorageError;
use crate::files::{self, Owner};

/// Who works in the cage if no user is named.
const IMAGE_ID: u32 = 77_017;

/// 4 GiB of address space, 30 minutes of CPU, 64 files, no core dump.
const LIMITS: [&str; 4] = ["--as=4294967296", "--cpu=1800", "--nofile=64", "--core=0"];

/// What is said then.
const READY: &str = "ready\n";

/// Says that the cage is set up, and waits for the answer of a daemon that is still there.
const GATE: &str = r#"echo ready; read -r go && exec "$@" </dev/null"#;

/// What bwrap is to do before it knows of any file. The capabilities are those that setpriv needs, and gives up.
const NAMESPACES: [&str; 12] = [
    "--unshare-ipc",
    "--unshare-pid",
    "--unshare-net",
    "--unshare-uts",
    "--unshare-cgroup-try",
    "--die-with-parent",
    "--cap-drop",
    "ALL",
    "--cap-add",
    "CAP_SETUID",
    "--cap-add",
    "CAP_SETGID",
];

/// Where programs and libraries are; most are links into `/usr` by now.
const SYSTEM: [&str; 6] = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64"];

/// What a caged program may reach besides the system's programs and libraries, by the same path as outside.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reach<'a> {
    /// The files it reads.
    pub(crate) reads: &'a [&'a Path],
    /// The directory it writes in.
    pub(crate) work: Option<&'a Path>,
    /// How large a file may grow that it writes, in bytes.
    pub(crate) file_max: u64,
}

/// How programs are confined on this host.
#[derive(Debug)]
pub(crate) struct Cage {
    user: Owner,
    prlimit: PathBuf,
    /// bwrap and setpriv with what is always given to them; none if the daemon isn't root.
    walls: Option<(Vec<OsString>, Vec<OsString>)>,
}

impl Cage {
    /// Finds the tools, and the user.
    pub(crate) fn find(image_user: Option<&str>) -> Result<Self, StorageError> {
        let user = match image_user {
            Some(_) => Owner::named(image_user, "image_user")?,
            None => Owner::number(IMAGE_ID),
        };
        let walls = match user.ids() {
            Some((uid, gid)) => {
                let mut bwrap = vec![tool("bwrap", "bubblewrap")?.into_os_string()];
                bwrap.extend(NAMESPACES.map(OsString::from));
                bwrap.extend(system());
                let mut setpriv = vec![tool("setpriv", "util-linux")?.into_os_string()];
                setpriv.extend([format!("--reuid={uid}").into(), format!("--regid={gid}").into()]);
                setpriv.extend(["--clear-groups", "--no-new-privs", "--inh-caps=-all", "--"].map(OsString::from));
                Some((bwrap, setpriv))
            }
            None => None,
        };
        Ok(Self {
            user,
            prlimit: tool("prlimit", "util-linux")?,
            walls,
        })
    }

    /// A command that runs the program caged, once it is let ([`Cage::start`]); its arguments are to be added.
    pub(crate) fn command(&self, program: &Path, reach: Reach<'_>) -> Command {
        let mut command = Command::new(&self.prlimit);
        command.args(LIMITS);
        command.arg(format!("--fsize={}", reach.file_max)).arg("--");
        if let Some((bwrap, setpriv)) = &self.walls {
            command.args(bwrap).args(view(program, reach)).arg("--").args(setpriv);
            command.args(["/bin/sh", "-c", GATE, "sh"]);
        }
        command.arg(program);
        command
    }

    /// Starts such a command, with its output piped, and lets the program run.
    pub(crate) fn start(&self, command: &mut Command) -> io::Result<Child> {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        if self.walls.is_none() {
            return command.stdin(Stdio::null()).spawn();
        }
        let mut child = command.stdin(Stdio::piped()).spawn()?;
        let mut ready = [0; READY.len()];
        let set_up = child.stdout.as_mut().map(|stdout| stdout.read_exact(&mut ready));
        if let (Some(Ok(())), Some(mut stdin)) = (set_up, child.stdin.take()) {
            // If it went away it says why on stderr.
            let _ = stdin.write_all(b"go\n");
        }
        Ok(child)
    }

    /// Lets the user of the cage read a file that is in its reach, and nobody of the others who could not before.
    pub(crate) fn lend(&self, path: &Path, owner: Owner) -> Result<(), StorageError> {
        match self.user.ids() {
            Some((_, group)) => owner.share(path, group),
            None => Ok(()),
        }
    }

    /// Makes a directory that the user of the cage may write in.
    pub(crate) fn ensure_work_dir(&self, path: &Path) -> Result<(), StorageError> {
        files::ensure_dir(path, 0o700)?;
        self.user.give(path, 0o700)
    }
}

/// The arguments of bwrap that show the system's programs and libraries, and where the loader finds them.
fn system() -> Vec<OsString> {
    let mut args: Vec<OsString> = Vec::new();
    for dir in SYSTEM.map(Path::new) {
        if let Ok(target) = fs::read_link(dir) {
            args.extend(["--symlink".into(), target.into(), dir.into()]);
        } else if dir.is_dir() {
            args.extend(["--ro-bind".into(), dir.into(), dir.into()]);
        }
    }
    args.extend(mode_dir(Path::new("/dev")));
    args.extend(["--dev-bind", "/dev/null", "/dev/null"].map(OsString::from));
    args.extend(mode_dir(Path::new("/etc")));
    args.extend(["--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"].map(OsString::from));
    args
}

/// The arguments of bwrap that show what is in reach. Nothing else can be made in there: its root is read only.
fn view(program: &Path, reach: Reach<'_>) -> Vec<OsString> {
    let outside = (!program.starts_with("/usr")).then_some(program);
    let read_only = reach.reads.iter().copied().chain(outside);
    let bound: BTreeSet<(&Path, bool)> = read_only
        .map(|path| (path, false))
        .chain(reach.work.map(|path| (path, true)))
        .collect();
    let above: BTreeSet<&Path> = bound
        .iter()
        .flat_map(|(path, _)| path.ancestors().skip(1))
        .filter(|dir| dir.parent().is_some() && !SYSTEM.iter().any(|system| dir.starts_with(system)))
        .collect();
    let mut args: Vec<OsString> = above.into_iter().flat_map(mode_dir).collect();
    for (path, writable) in bound {
        let bind = if writable { "--bind" } else { "--ro-bind" };
        args.extend([bind.into(), path.into(), path.into()]);
    }
    args.extend(["--remount-ro", "/", "--chdir", "/"].map(OsString::from));
    args
}

/// A directory that may be passed through; bwrap would make it for root alone.
fn mode_dir(dir: &Path) -> [OsString; 4] {
    ["--perms".into(), "0755".into(), "--dir".into(), dir.into()]
}

/// A program that has to be there.
pub(crate) fn tool(program: impl AsRef<Path>, package: &str) -> Result<PathBuf, StorageError> {
    let program = program.as_ref();
    which(program).ok_or_else(|| {
        StorageError::Missing(format!(
            "{} is not installed (package {package}); scripts/install-deps installs it",
            program.display()
        ))
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

#[cfg(test)]
mod tests;
