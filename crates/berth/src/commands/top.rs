//! `berth top`: what instances use, live.
//!
//! ```text
//!   daemon ─stats, every so often─▶ usage (two samples ─▶ rates) ─▶ screen (rows ─▶ lines that fit) ─▶ terminal
//!                                                    keys, the window's size ──▶┘
//! ```
//!
//! Not on a terminal, with `--once` or with another format it measures once, over the interval, and prints that.

mod screen;
mod usage;

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use berth_api_types::StatsView;
use clap::{Args, ValueEnum};
use crossterm::event::{Event, EventStream, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use crossterm::terminal::{self, EnterAlternateScreen, LeaveAlternateScreen};
use crossterm::{cursor, execute, queue};
use futures::StreamExt as _;
use serde::Serialize;

use crate::cli::Format;
use crate::commands::Context;
use crate::output;
use usage::Usage;

const KEYS: &str = "\
Keys: c, m, d, n sort by CPU, memory, disk, network; a by name; r turns the order round; Space measures now; q leaves.

CPU % is of one processor: a guest of four may use 400. MEMORY is what the guest's QEMU occupies of the host's. \
DISK and NET are in bytes a second, as the guest sees them.

Examples:
  berth top --sort memory
  berth top --once -o json";

/// Watch what instances use: processor, memory, disks, network
#[derive(Debug, Args)]
#[command(after_help = KEYS)]
pub(crate) struct Top {
    /// Seconds between two measurements
    #[arg(short = 'd', long, value_name = "SECONDS", default_value = "2", value_parser = seconds)]
    interval: Duration,
    /// What comes first
    #[arg(short, long, value_enum, default_value_t = Sort::Cpu, value_name = "COLUMN")]
    sort: Sort,
    /// Measure once, over the interval, and print that
    #[arg(long)]
    once: bool,
}

/// What comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sort {
    /// Those that use most processor time
    Cpu,
    /// Those that occupy most memory
    Memory,
    /// Those that read and write most
    Disk,
    /// Those that send and receive most
    Network,
    /// By name
    Name,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let wrong = || format!("'{text}' is not a number of seconds from 0.2 to 3600");
    let seconds: f64 = text.parse().map_err(|_| wrong())?;
    if (0.2..=3600.0).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err(wrong())
    }
}

/// What is printed for programs.
#[derive(Debug, Serialize)]
struct Measured<'a> {
    at: jiff::Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    libvirt_fault: Option<&'a str>,
    instances: Vec<Usage>,
}

pub(crate) async fn run(top: Top, cx: &Context) -> anyhow::Result<()> {
    let live = std::io::stdout().is_terminal() && std::io::stdin().is_terminal();
    if live && !top.once && cx.format == Format::Table {
        return watch(&top, cx).await;
    }
    let (first, second) = two(top.interval, cx).await?;
    let mut instances = usage::between(Some(&first), &second);
    usage::sort(&mut instances, top.sort, false);
    let measured = Measured {
        at: second.at,
        libvirt_fault: second.libvirt_fault.as_deref(),
        instances,
    };
    output::text(cx.format, &measured, |measured| {
        screen::table(&measured.instances, None).join("\n") + "\n"
    })?;
    Ok(())
}

/// How long after a sample that wasn't new it is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// Two samples, so far apart; farther if the daemon's own isn't a new one by then.
async fn two(interval: Duration, cx: &Context) -> anyhow::Result<(StatsView, StatsView)> {
    let first = cx.client.stats().await?;
    tokio::time::sleep(interval).await;
    loop {
        let second = cx.client.stats().await?;
        if second.at != first.at {
            return Ok((first, second));
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

/// What is on the screen, and how.
struct View {
    samples: (Option<StatsView>, StatsView),
    /// Why there is no newer sample.
    fault: Option<String>,
    sort: Sort,
    reversed: bool,
}

/// What a key asks for.
enum Wish {
    Leave,
    MeasureNow,
    Draw,
}

async fn watch(top: &Top, cx: &Context) -> anyhow::Result<()> {
    let mut view = View {
        samples: (None, cx.client.stats().await?),
        fault: None,
        sort: top.sort,
        reversed: false,
    };
    let _screen = Screen::open()?;
    let mut events = EventStream::new();
    let mut next = tokio::time::interval(top.interval);
    // The first rates soon: nobody wants to look at dashes.
    next.reset_after(top.interval.min(Duration::from_secs(1)));
    loop {
        draw(&view)?;
        tokio::select! {
            _ = next.tick() => measure(&mut view, cx).await,
            event = events.next() => match event {
                Some(Ok(Event::Key(key))) if key.kind != KeyEventKind::Release => match view.press(key) {
                    Wish::Leave => return Ok(()),
                    Wish::MeasureNow => measure(&mut view, cx).await,
                    Wish::Draw => {}
                },
                Some(Ok(_)) => {}
                // The terminal is gone.
                Some(Err(_)) | None => return Ok(()),
            },
        }
    }
}

/// Takes another sample. While the daemon doesn't answer, the last one stays.
async fn measure(view: &mut View, cx: &Context) {
    match cx.client.stats().await {
        // The daemon's own may be a second old: the same one again says nothing new.
        Ok(sample) if sample.at == view.samples.1.at => {}
        Ok(sample) => {
            let before = std::mem::replace(&mut view.samples.1, sample);
            (view.samples.0, view.fault) = (Some(before), None);
        }
        Err(error) => view.fault = Some(error.to_string()),
    }
}

impl View {
    fn press(&mut self, key: KeyEvent) -> Wish {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        self.sort = match key.code {
            KeyCode::Char('q') | KeyCode::Esc => return Wish::Leave,
            // The terminal is raw: it makes no signal of it.
            KeyCode::Char('c') if control => return Wish::Leave,
            KeyCode::Char(' ') => return Wish::MeasureNow,
            KeyCode::Char('r') => {
                self.reversed = !self.reversed;
                self.sort
            }
            KeyCode::Char('c') => Sort::Cpu,
            KeyCode::Char('m') => Sort::Memory,
            KeyCode::Char('d') => Sort::Disk,
            KeyCode::Char('n') => Sort::Network,
            KeyCode::Char('a') => Sort::Name,
            _ => self.sort,
        };
        Wish::Draw
    }

    fn lines(&self, size: (usize, usize)) -> Vec<String> {
        let mut rows = usage::between(self.samples.0.as_ref(), &self.samples.1);
        usage::sort(&mut rows, self.sort, self.reversed);
        let fault = self.fault.as_ref().or(self.samples.1.libvirt_fault.as_ref());
        screen::page(&rows, (self.samples.1.at, self.sort, fault.map(String::as_str)), size)
    }
}

fn draw(view: &View) -> std::io::Result<()> {
    let (width, height) = terminal::size()?;
    let lines = view.lines((usize::from(width), usize::from(height)));
    let mut out = std::io::stdout().lock();
    queue!(out, cursor::MoveTo(0, 0))?;
    for (place, line) in lines.iter().enumerate() {
        if place > 0 {
            out.write_all(b"\r\n")?;
        }
        out.write_all(line.as_bytes())?;
        queue!(out, terminal::Clear(terminal::ClearType::UntilNewLine))?;
    }
    queue!(out, terminal::Clear(terminal::ClearType::FromCursorDown))?;
    out.flush()
}

/// A screen of its own; the terminal is as it was when this is dropped.
struct Screen;

impl Screen {
    fn open() -> std::io::Result<Self> {
        terminal::enable_raw_mode()?;
        let screen = Self;
        execute!(std::io::stdout(), EnterAlternateScreen, cursor::Hide)?;
        Ok(screen)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // There is nobody to tell when the terminal is gone.
        let _ = execute!(std::io::stdout(), cursor::Show, LeaveAlternateScreen);
        let _ = terminal::disable_raw_mode();
    }
}
