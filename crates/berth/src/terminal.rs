//! Raw streams: the console on a terminal, and bytes through a pipe.

use std::io::IsTerminal as _;
use std::os::fd::AsFd as _;

use berth_client::ByteStream;
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional, join};

use crate::output;

/// Ctrl-], which leaves the console as it does telnet and virsh.
const LEAVE: u8 = 0x1d;

/// Connects the terminal, or a pipe, to a guest's console until Ctrl-] or the guest's end.
pub(crate) async fn attach(name: &str, stream: ByteStream) -> anyhow::Result<()> {
    if std::io::stdin().is_terminal() {
        output::error(&format!("connected to {name}; leave with Ctrl-]"));
    }
    let raw = Raw::begin();
    let ended = until_left(stream).await;
    drop(raw);
    if std::io::stdin().is_terminal() {
        output::error("");
    }
    ended
}

async fn until_left(stream: ByteStream) -> anyhow::Result<()> {
    let (mut from_guest, mut to_guest) = tokio::io::split(stream);
    let (mut stdin, mut stdout) = (tokio::io::stdin(), tokio::io::stdout());
    let output = async {
        tokio::io::copy(&mut from_guest, &mut FlushedAtOnce(&mut stdout)).await?;
        anyhow::Ok(())
    };
    let input = async {
        let mut bytes = [0; 1024];
        loop {
            let count = stdin.read(&mut bytes).await?;
            let typed = &bytes[..count];
            let leave = typed.iter().position(|byte| *byte == LEAVE);
            to_guest.write_all(&typed[..leave.unwrap_or(count)]).await?;
            to_guest.flush().await?;
            if leave.is_some() {
                return anyhow::Ok(());
            }
            if count == 0 {
                // A pipe that has ended has nothing more to say, and what the guest answers is still wanted.
                std::future::pending::<()>().await;
            }
        }
    };
    tokio::select! {
        ended = output => ended,
        left = input => left,
    }
}

/// Bytes between a stream and stdin and stdout, until either side ends: what ssh's ProxyCommand is.
pub(crate) async fn pipe(mut stream: ByteStream) -> anyhow::Result<()> {
    let mut own = join(tokio::io::stdin(), tokio::io::stdout());
    // A side that goes away is how it ends.
    let _ = copy_bidirectional(&mut own, &mut stream).await;
    Ok(())
}

/// A terminal that passes every key on; it is as it was when this is dropped.
struct Raw(Option<Termios>);

impl Raw {
    fn begin() -> Self {
        let stdin = std::io::stdin();
        let Ok(before) = tcgetattr(stdin.as_fd()) else {
            return Self(None);
        };
        let mut raw = before.clone();
        cfmakeraw(&mut raw);
        Self(
            tcsetattr(stdin.as_fd(), SetArg::TCSANOW, &raw)
                .is_ok()
                .then_some(before),
        )
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            // There is nobody to tell when the terminal is gone.
            let _ = tcsetattr(std::io::stdin().as_fd(), SetArg::TCSADRAIN, before);
        }
    }
}

/// A writer that keeps nothing back: half a prompt is to be seen.
struct FlushedAtOnce<'a>(&'a mut tokio::io::Stdout);

impl tokio::io::AsyncWrite for FlushedAtOnce<'_> {
    fn poll_write(
        self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        let stdout = &mut *self.get_mut().0;
        let written = std::task::ready!(std::pin::Pin::new(&mut *stdout).poll_write(cx, bytes));
        let _ = std::pin::Pin::new(stdout).poll_flush(cx)?;
        std::task::Poll::Ready(written)
    }

    fn poll_flush(
        self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut *self.get_mut().0).poll_flush(cx)
    }

    fn poll_shutdown(
        self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut *self.get_mut().0).poll_shutdown(cx)
    }
}
