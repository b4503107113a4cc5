//! The floor: `ip`, `nft` and `conntrack` told nothing but what has to be done.

use std::fs::File;
use std::io::Write as _;
use std::process::{Command, Stdio};

use nix::sched::{CloneFlags, setns};

/// Does something on a thread inside a namespace; `ip netns exec` would take longer than what it runs.
pub(crate) fn inside<T: Send>(namespace: &str, work: impl FnOnce() -> T + Send) -> T {
    let file = File::open(format!("/run/netns/{namespace}")).unwrap();
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            setns(file, CloneFlags::CLONE_NEWNET).unwrap();
            work()
        });
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Lets one `ip` do these commands in the calling thread's namespace.
pub(crate) fn ip(commands: &[String]) {
    feed("ip", &["-batch", "-"], commands);
}

/// Lets one `nft` do these commands in the calling thread's namespace.
pub(crate) fn nft(commands: &[String]) {
    feed("nft", &["-f", "-"], commands);
}

fn feed(program: &str, words: &[&str], lines: &[String]) {
    let mut command = Command::new(program);
    let mut child = command.args(words).stdin(Stdio::piped()).spawn().unwrap();
    let text = lines.join("\n") + "\n";
    let fed = child.stdin.take().unwrap().write_all(text.as_bytes());
    assert!(
        fed.is_ok() && child.wait().unwrap().success(),
        "{program} failed: {text}"
    );
}
