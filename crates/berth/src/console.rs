//! The serial console of an instance, on a terminal or through a pipe.
//!
//! ```text
//!   stdin ─▶ keys: the escape key, else to the guest ─▶ stream ─▶ guest
//!                    └─▶ leave · size · help            stream ◀─ guest ─▶ stdout
//!                                                          └─ broken? wait, connect again
//! ```
//!
//! A serial line has no size: `Ctrl-] s` types it into the guest's shell. A guest that is rebooted with its plug pulled,
//! or a daemon that starts again, breaks the stream; on a terminal it is then connected again, until the instance is gone.

mod keys;
mod raw;

use std::collections::VecDeque;
use std::io::{self, IsTerminal as _};
use std::time::Duration;

use berth_client::{ByteStream, Client, ClientError};
use berth_model::Code;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::output;
use crate::wait::Interrupted;
pub(crate) use keys::Escape;
use keys::{Keys, Wish};
use raw::Raw;

/// How long a key may come after the escape key; without one it leaves.
const NEXT_KEY: Duration = Duration::from_secs(1);

/// How long is waited before it is connected again: at first, and at most.
const AGAIN: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(3));

/// A console, and how it is used.
pub(crate) struct Console<'a> {
    pub(crate) client: &'a Client,
    pub(crate) instance: &'a str,
    pub(crate) escape: Escape,
    /// Whether it is connected again after it broke.
    pub(crate) reconnect: bool,
}

/// Why one is not connected any more.
#[derive(Debug, PartialEq, Eq)]
enum Ended {
    Left,
    Lost,
    Killed,
}

impl Console<'_> {
    /// Connects the terminal, or a pipe, to the guest's console until it is left or the guest ends.
    pub(crate) async fn attach(self) -> anyhow::Result<()> {
        let mut stream = self.client.console(self.instance).await?;
        let terminal = io::stdin().is_terminal();
        let mut session = Session::begin(self.escape, terminal)?;
        if terminal {
            output::error(&format!("connected to {}; {}", self.instance, self.escape.short()));
        }
        let _raw = Raw::begin();
        loop {
            match session.connected(stream).await? {
                Ended::Lost if self.reconnect && terminal => {}
                ended => return session.end(ended),
            }
            let broken = format!("the connection to {} has broken; waiting for it", self.instance);
            session.say(&format!("{broken} ({} leaves)", self.escape));
            stream = match self.again(&mut session).await? {
                Ok(stream) => stream,
                Err(ended) => return session.end(ended),
            };
            session.say(&format!("connected to {} again", self.instance));
        }
    }

    /// Waits until the console can be connected again. An instance that is gone is an error.
    async fn again(&self, session: &mut Session) -> anyhow::Result<Result<ByteStream, Ended>> {
        let mut wait = AGAIN.0;
        loop {
            if let Some(ended) = session.sleep(wait).await {
                return Ok(Err(ended));
            }
            wait = (wait * 2).min(AGAIN.1);
            match self.client.console(self.instance).await {
                Ok(stream) => return Ok(Ok(stream)),
                Err(error) if may_come_back(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Whether it is worth waiting: not for an instance that is gone, nor without the right to it.
fn may_come_back(error: &ClientError) -> bool {
    !matches!(
        error.code(),
        Code::NotFound | Code::Forbidden | Code::Unauthenticated | Code::TooManyAttempts | Code::InvalidArgument
    )
}

/// One who types.
struct Session {
    input: mpsc::Receiver<Vec<u8>>,
    keys: Keys,
    wishes: VecDeque<Wish>,
    /// When the escape key was pressed, if nothing came after it yet.
    escaped: Option<Instant>,
    terminal: bool,
    resized: Option<Signal>,
    killed: [Signal; 2],
}

impl Session {
    fn begin(escape: Escape, terminal: bool) -> io::Result<Self> {
        let (typed, input) = mpsc::channel(16);
        tokio::spawn(async move {
            let mut stdin = tokio::io::stdin();
            let mut bytes = [0; 1024];
            while let Ok(count @ 1..) = stdin.read(&mut bytes).await {
                if typed.send(bytes[..count].to_vec()).await.is_err() {
                    break;
                }
            }
        });
        Ok(Self {
            input,
            keys: Keys::new(escape),
            wishes: VecDeque::new(),
            escaped: None,
            terminal,
            resized: terminal.then(|| signal(SignalKind::window_change())).transpose()?,
            killed: [signal(SignalKind::terminate())?, signal(SignalKind::hangup())?],
        })
    }

    async fn connected(&mut self, stream: ByteStream) -> anyhow::Result<Ended> {
        let (mut from_guest, mut to_guest) = tokio::io::split(stream);
        let mut bytes = [0; 4096];
        loop {
            let wish = tokio::select! {
                read = from_guest.read(&mut bytes) => match read {
                    Ok(count @ 1..) => {
                        output::raw(&bytes[..count])?;
                        continue;
                    }
                    Ok(0) | Err(_) => return Ok(Ended::Lost),
                },
                wish = self.wish() => wish,
            };
            let typed = match wish {
                Wish::Leave => return Ok(Ended::Left),
                Wish::Killed => return Ok(Ended::Killed),
                Wish::Help => {
                    self.say(&self.keys.escape().help());
                    continue;
                }
                Wish::Size => size(),
                Wish::Resized => {
                    self.say(&format!(
                        "the window has another size: {} s tells the guest's shell",
                        self.keys.escape()
                    ));
                    continue;
                }
                Wish::Send(bytes) => bytes,
            };
            let sent = async {
                to_guest.write_all(&typed).await?;
                to_guest.flush().await
            };
            if sent.await.is_err() {
                return Ok(Ended::Lost);
            }
        }
    }

    /// Waits a moment; tells if it was left meanwhile. What is typed has nowhere to go.
    async fn sleep(&mut self, time: Duration) -> Option<Ended> {
        let end = Instant::now() + time;
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(end) => return None,
                wish = self.wish() => match wish {
                    Wish::Leave => return Some(Ended::Left),
                    Wish::Killed => return Some(Ended::Killed),
                    _ => {}
                },
            }
        }
    }

    /// What is wished next. A pipe that has ended has no more wishes, and what the guest answers is still wanted.
    async fn wish(&mut self) -> Wish {
        loop {
            if let Some(wish) = self.wishes.pop_front() {
                return wish;
            }
            let [terminated, hung_up] = &mut self.killed;
            let escaped = self.escaped;
            let bytes = tokio::select! {
                bytes = self.input.recv() => bytes,
                () = after(escaped) => return Wish::Leave,
                () = next(self.resized.as_mut()) => {
                    // Once is enough: who has read it knows.
                    self.resized = None;
                    return Wish::Resized;
                }
                _ = terminated.recv() => return Wish::Killed,
                _ = hung_up.recv() => return Wish::Killed,
            };
            let Some(bytes) = bytes else {
                if escaped.is_some() {
                    return Wish::Leave;
                }
                std::future::pending::<()>().await;
                continue;
            };
            self.wishes.extend(self.keys.feed(&bytes));
            self.escaped = self.keys.is_escaped().then(Instant::now);
        }
    }

    /// Says something between what the guest says; the terminal is raw.
    fn say(&self, text: &str) {
        if self.terminal {
            output::error(&format!("\r\n[{text}]\r"));
        }
    }

    fn end(&self, ended: Ended) -> anyhow::Result<()> {
        if self.terminal {
            output::error("\r");
        }
        match ended {
            Ended::Killed => Err(Interrupted::new("ended by a signal").into()),
            Ended::Left | Ended::Lost => Ok(()),
        }
    }
}

/// The moment at which an escape key has nothing behind it; never without one.
async fn after(escaped: Option<Instant>) {
    match escaped {
        Some(at) => tokio::time::sleep_until(at + NEXT_KEY).await,
        None => std::future::pending().await,
    }
}

async fn next(signal: Option<&mut Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// What tells a shell how large the window is; the blank before it keeps it out of the shell's history.
fn size() -> Vec<u8> {
    let (columns, rows) = crossterm::terminal::size().unwrap_or((80, 24));
    format!(" stty rows {rows} columns {columns}\r").into_bytes()
}
