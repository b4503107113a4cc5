//! `--watch`: a list, or one thing, shown again whenever it changes.
//!
//! ```text
//!   events ─▶ about these kinds? ─▶ fetch ─▶ page ─┬─ terminal: drawn over the last one, in the other screen
//!                                                  └─ pipe: printed below the last one, if it differs
//! ```
//!
//! Nothing is polled: an event causes a fetch. Ages grow by themselves, so a terminal is drawn anew each second from what
//! was fetched. A daemon that goes away is waited for, and what it did meanwhile is seen by the fetch after that.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use berth_api_types::EventQuery;
use berth_client::{ClientError, Events};
use clap::Args;
use crossterm::terminal::{Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen};
use crossterm::{cursor, execute, queue};
use serde::Serialize;

use crate::cli::Format;
use crate::commands::Context;
use crate::output::{self, Named};

/// How long events are gathered before one fetch for all of them.
const GATHER: Duration = Duration::from_millis(50);

/// How long after a daemon has gone away it is asked again.
const AGAIN: Duration = Duration::from_secs(1);

/// Whether it is shown again and again.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Watching {
    /// Show it again whenever it changes, until Ctrl-C
    #[arg(short, long)]
    watch: bool,
}

impl Watching {
    /// Fetches something and shows it: once, or whenever there was an event of these kinds.
    pub(crate) async fn show<T: Serialize + Named>(
        self,
        cx: &Context,
        kinds: &[&str],
        fetch: impl AsyncFn() -> Result<T, ClientError>,
        text: impl Fn(&T) -> String,
    ) -> anyhow::Result<()> {
        if !self.watch {
            return output::show(cx.format, &fetch().await?, text);
        }
        tokio::select! {
            ended = watch(cx, kinds, fetch, text) => ended,
            ended = tokio::signal::ctrl_c() => Ok(ended?),
        }
    }
}

async fn watch<T: Serialize + Named>(
    cx: &Context,
    kinds: &[&str],
    fetch: impl AsyncFn() -> Result<T, ClientError>,
    text: impl Fn(&T) -> String,
) -> anyhow::Result<()> {
    // The events first: what happens while it is fetched is among them.
    let mut events = cx.client.events(&EventQuery::default()).await?;
    let mut value = fetch().await?;
    let mut shown = Shown::begin(cx.format)?;
    let mut second = tokio::time::interval(Duration::from_secs(1));
    loop {
        shown.show(page(cx.format, &value, &text)?)?;
        tokio::select! {
            _ = second.tick(), if shown.is_live() => {}
            next = next(&mut events, kinds) => {
                if !next {
                    shown.show("the daemon is away; waiting for it\n".to_owned())?;
                    events = connect(cx).await;
                }
                value = match fetch().await {
                    Err(ClientError::Unreachable { .. }) => continue,
                    answer => answer?,
                };
            }
        }
    }
}

/// Waits until something of these kinds has happened; false if the daemon has gone.
async fn next(events: &mut Events, kinds: &[&str]) -> bool {
    loop {
        match events.next().await {
            Ok(Some(event)) if about(&event.kind, kinds) => break,
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => return false,
        }
    }
    // What happens at once is shown at once.
    let gather = async { while let Ok(Some(_)) = events.next().await {} };
    tokio::time::timeout(GATHER, gather).await.is_err()
}

/// Whether an event such as `instance.state` is of one of these kinds.
fn about(event: &str, kinds: &[&str]) -> bool {
    let (kind, _) = event.split_once('.').unwrap_or((event, ""));
    kinds.contains(&kind)
}

async fn connect(cx: &Context) -> Events {
    loop {
        tokio::time::sleep(AGAIN).await;
        if let Ok(events) = cx.client.events(&EventQuery::default()).await {
            return events;
        }
    }
}

/// What is shown at a time: JSON and YAML as documents that can be told apart.
fn page<T: Serialize + Named>(format: Format, value: &T, text: impl Fn(&T) -> String) -> anyhow::Result<String> {
    Ok(match format {
        Format::Json => serde_json::to_string(value)? + "\n",
        Format::Yaml => format!("---\n{}", serde_yaml_ng::to_string(value)?),
        _ => output::page(format, value, text)?,
    })
}

/// What was shown last, and where.
struct Shown {
    live: bool,
    tables: bool,
    last: Option<String>,
}

impl Shown {
    fn begin(format: Format) -> io::Result<Self> {
        let live = io::stdout().is_terminal() && format == Format::Table;
        if live {
            execute!(io::stdout(), EnterAlternateScreen, cursor::Hide)?;
        }
        Ok(Self {
            live,
            tables: format == Format::Table,
            last: None,
        })
    }

    fn is_live(&self) -> bool {
        self.live
    }

    fn show(&mut self, page: String) -> io::Result<()> {
        if self.last.as_ref() == Some(&page) {
            return Ok(());
        }
        if self.live {
            draw(&page)?;
        } else {
            // An empty line between two tables.
            let gap = if self.tables && self.last.is_some() { "\n" } else { "" };
            output::raw(format!("{gap}{page}").as_bytes())?;
        }
        self.last = Some(page);
        Ok(())
    }
}

/// The terminal is as it was, and what was shown last stays on it.
impl Drop for Shown {
    fn drop(&mut self) {
        if self.live {
            // There is nobody to tell when the terminal is gone.
            let _ = execute!(io::stdout(), LeaveAlternateScreen, cursor::Show);
            let _ = output::raw(self.last.take().unwrap_or_default().as_bytes());
        }
    }
}

/// Draws a page over the last one; what has no place at the bottom is counted.
fn draw(page: &str) -> io::Result<()> {
    let (_, height) = crossterm::terminal::size()?;
    let mut stdout = io::stdout().lock();
    queue!(stdout, cursor::MoveTo(0, 0))?;
    for line in fit(page, usize::from(height)) {
        write!(stdout, "{line}")?;
        queue!(stdout, Clear(ClearType::UntilNewLine), cursor::MoveToNextLine(1))?;
    }
    queue!(stdout, Clear(ClearType::FromCursorDown))?;
    stdout.flush()
}

/// The lines that a window of this height has room for.
fn fit(page: &str, height: usize) -> Vec<String> {
    let lines: Vec<_> = page.lines().map(str::to_owned).collect();
    let room = height.saturating_sub(1).max(1);
    if lines.len() <= room {
        return lines;
    }
    let kept = room - 1;
    let more = format!("… and {} more", lines.len() - kept);
    lines.into_iter().take(kept).chain([more]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_events_about_what_is_shown_count() {
        assert!(about("instance.state", &["instance", "port"]));
        assert!(!about("instance.state", &["volume"]));
        assert!(!about("instances", &["instance"]));
    }

    #[test]
    fn what_has_no_room_is_counted() {
        assert_eq!(fit("a\nb\n", 10), ["a", "b"]);
        assert_eq!(fit("a\nb\nc\nd\n", 4), ["a", "b", "… and 2 more"]);
        assert_eq!(fit("a\nb\n", 1), ["… and 2 more"]);
    }
}
