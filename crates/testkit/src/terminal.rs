//! A program on a terminal of its own: what it shows is read, what it is to be told is typed.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::pty::{Winsize, openpty};
use rustix::termios::tcsetwinsize;

/// How long a program may take to show something.
const SHOWN_WITHIN: Duration = Duration::from_mins(2);

/// A terminal, and the program on it.
pub struct Terminal {
    child: Child,
    typed: File,
    shown: Arc<Mutex<Vec<u8>>>,
    /// How much of what was shown has been looked at.
    seen: usize,
}

impl Terminal {
    /// Runs a command on a terminal of so many columns and rows, which is the one that Ctrl-C is typed on.
    ///
    /// # Panics
    /// If there is no terminal for it.
    pub fn run(command: &Command, (columns, rows): (u16, u16)) -> Self {
        let size = Winsize {
            ws_row: rows,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let pty = openpty(&size, None).expect("a pseudo-terminal");
        let end = || Stdio::from(pty.slave.try_clone().expect("its other end"));
        let mut program = Command::new("setsid");
        program
            .arg("--ctty")
            .arg(command.get_program())
            .args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => program.env(name, value),
                None => program.env_remove(name),
            };
        }
        program.env("TERM", "xterm-256color").env_remove("NO_COLOR");
        let child = program.stdin(end()).stdout(end()).stderr(end()).spawn();
        let child = child.expect("setsid, of util-linux");
        drop(pty.slave);
        let shown = Arc::new(Mutex::new(Vec::new()));
        let (mut master, into) = (File::from(pty.master), Arc::clone(&shown));
        let typed = master.try_clone().expect("the terminal");
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // It ends when the last program on the terminal has.
            while let Ok(count @ 1..) = master.read(&mut bytes) {
                let mut shown = into.lock().unwrap_or_else(PoisonError::into_inner);
                shown.extend_from_slice(&bytes[..count]);
            }
        });
        Self {
            child,
            typed,
            shown,
            seen: 0,
        }
    }

    /// Types something.
    ///
    /// # Panics
    /// If the terminal is gone.
    pub fn types(&mut self, text: &str) {
        self.typed.write_all(text.as_bytes()).expect("the terminal");
    }

    /// Gives the window another size.
    ///
    /// # Panics
    /// If the terminal is gone.
    pub fn resize(&mut self, (columns, rows): (u16, u16)) {
        let size = rustix::termios::Winsize {
            ws_row: rows,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(self.typed.as_fd(), size).expect("the terminal");
    }

    /// All that was shown so far, with what moves the cursor and makes colours.
    pub fn shown(&self) -> String {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&shown).into_owned()
    }

    /// Waits until something is shown that hasn't been waited for yet; what was shown up to there.
    ///
    /// # Panics
    /// If it isn't within two minutes.
    pub fn wait_for(&mut self, text: &str) -> String {
        let deadline = Instant::now() + SHOWN_WITHIN;
        loop {
            let shown = self.shown();
            let new = shown.get(self.seen..).unwrap_or_default();
            if let Some(at) = new.find(text) {
                let end = at + text.len();
                let passed = new[..end].to_owned();
                self.seen += end;
                return passed;
            }
            assert!(Instant::now() < deadline, "no {text:?} on the terminal, but: {shown}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for the program's end; its exit code, and all that was shown.
    ///
    /// # Panics
    /// If it doesn't end within two minutes.
    pub fn end(mut self) -> (i32, String) {
        let deadline = Instant::now() + SHOWN_WITHIN;
        loop {
            if let Some(status) = self.child.try_wait().expect("the program's end") {
                // What it showed last is still on its way.
                std::thread::sleep(Duration::from_millis(100));
                return (status.code().unwrap_or(-1), self.shown());
            }
            assert!(Instant::now() < deadline, "it doesn't end: {}", self.shown());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
