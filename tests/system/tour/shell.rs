//! A shell that is typed into: what is set in one command is there in the next.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// What the shell says when a command has ended, before its exit code.
const ENDED: &str = "---- ended with ";

/// How long a command may take, a guest's boot under emulation included.
const WITHIN: Duration = Duration::from_mins(3);

pub(crate) struct Shell {
    bash: Child,
    input: ChildStdin,
    lines: Receiver<String>,
}

/// What a command has printed, on either stream in the order it came, and whether it succeeded.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) text: String,
    pub(crate) success: bool,
}

impl Shell {
    /// A shell that such a command starts.
    pub(crate) fn new(command: &mut Command) -> Self {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut bash = command.spawn().expect("a shell");
        let (input, output) = (bash.stdin.take(), bash.stdout.take());
        let (sender, lines) = channel();
        let output = BufReader::new(output.expect("a pipe"));
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let input = input.expect("a pipe");
        Self { bash, input, lines }
    }

    /// Types a command and waits for its end.
    pub(crate) fn run(&mut self, command: &str) -> Said {
        writeln!(
            self.input,
            "{{ {command}\n}} </dev/null 2>&1\nprintf '\\n{ENDED}%s\\n' $?"
        )
        .expect("a shell");
        let (mut text, deadline) = (String::new(), Instant::now() + WITHIN);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left);
            let line = line.unwrap_or_else(|error| panic!("{command}: {error} after\n{text}"));
            if let Some(code) = line.strip_prefix(ENDED) {
                let success = code == "0";
                return Said { text, success };
            }
            text.push_str(&format!("{line}\n"));
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = self.bash.kill();
        let _ = self.bash.wait();
    }
}
