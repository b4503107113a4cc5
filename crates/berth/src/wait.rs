//! Waiting for operations: on a terminal a live line for each, elsewhere a line for each documented state as it is passed.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use berth_api_types::{EventQuery, EventView, OperationView, Outcome};
use berth_client::{Client, Events};
use berth_model::Code;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::failure::Failure;
use crate::output;

/// Follows operations. It is made before they are asked for, so that none of their states is missed.
pub(crate) struct Follower {
    client: Client,
    events: Events,
    begun: Instant,
}

impl Follower {
    pub(crate) async fn begin(client: &Client) -> anyhow::Result<Self> {
        let events = client.events(&EventQuery::default()).await?;
        Ok(Self {
            client: client.clone(),
            events,
            begun: Instant::now(),
        })
    }

    /// Waits until all of them have ended, showing what they pass.
    pub(crate) async fn finish(mut self, operations: &[OperationView]) -> anyhow::Result<Vec<OperationView>> {
        let progress = Progress::of(operations, self.begun);
        let ids: Vec<_> = operations.iter().map(|operation| operation.id.to_string()).collect();
        tokio::select! {
            ended = self.follow(operations, &progress) => ended,
            _ = tokio::signal::ctrl_c() => {
                progress.leave();
                let message = format!("interrupted; it goes on: berth operation wait {}", ids.join(" "));
                Err(Interrupted(message).into())
            }
        }
    }

    async fn follow(
        &mut self,
        operations: &[OperationView],
        progress: &Progress,
    ) -> anyhow::Result<Vec<OperationView>> {
        let mut ended = Vec::new();
        for operation in operations {
            let waited = self.client.wait_operation(operation.id);
            tokio::pin!(waited);
            let done = loop {
                tokio::select! {
                    // What is on the stream already is shown before the end is believed.
                    biased;
                    event = self.events.next() => match event? {
                        Some(event) => progress.show(&event),
                        None => break waited.await?,
                    },
                    done = &mut waited => break done?,
                }
            };
            ended.push(done);
        }
        self.drain(progress).await;
        for operation in &ended {
            progress.end(operation);
        }
        Ok(ended)
    }

    /// Shows the last states: their events were sent before the answer to the wait was.
    async fn drain(&mut self, progress: &Progress) {
        while let Ok(Ok(Some(event))) = tokio::time::timeout(Duration::from_millis(20), self.events.next()).await {
            progress.show(&event);
        }
    }
}

/// Ctrl-C, or a signal, while something goes on.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Interrupted(String);

impl Interrupted {
    pub(crate) fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }

    /// What a program exits with that was interrupted: as a shell says it, 128 and SIGINT's number.
    pub(crate) const EXIT: u8 = 130;
}

/// An operation that did what was asked; anything else is a failure.
pub(crate) fn succeeded(operation: &OperationView) -> Result<(), Failure> {
    let why = operation
        .error
        .as_ref()
        .map_or("no reason was given", |fault| fault.message.as_str());
    let what = format!("{} of {}", operation.action.replace('_', " "), operation.resource_name);
    match operation.outcome {
        Outcome::Succeeded => Ok(()),
        Outcome::Cancelled => Err(Failure::new(
            Code::OperationCancelled,
            format!("{what} was cancelled: {why}"),
        )),
        Outcome::Failed | Outcome::Running | Outcome::Undoing => {
            let code = operation
                .error
                .as_ref()
                .map_or(Code::OperationFailed, |fault| fault.code);
            let failure = Failure::new(code, format!("{what} failed: {why}"));
            Err(match operation.kind.as_str() {
                "instance" => failure.hint(format!("'berth instance why {}' tells each step", operation.resource)),
                _ => failure.hint(format!("'berth operation show {}' tells more", operation.id)),
            })
        }
    }
}

/// What is shown of operations under way, by their ids.
enum Progress {
    /// On a terminal.
    Live(HashMap<String, ProgressBar>),
    /// Elsewhere: since when, and the names of what they are about.
    Lines(Instant, HashMap<String, String>),
}

impl Progress {
    fn of(operations: &[OperationView], begun: Instant) -> Self {
        let named = operations
            .iter()
            .map(|one| (one.id.to_string(), one.resource_name.clone()));
        if ProgressDrawTarget::stderr().is_hidden() {
            return Self::Lines(begun, named.collect());
        }
        let all = MultiProgress::new();
        let width = named.clone().map(|(_, name)| name.len()).max().unwrap_or(0);
        let bar = |(id, name): (String, _)| {
            let bar = all.add(ProgressBar::new_spinner().with_elapsed(begun.elapsed()));
            bar.set_style(style("{spinner:.cyan} {prefix}  {msg:.yellow}  {time:.dim}"));
            bar.set_prefix(format!("{name:<width$}"));
            bar.enable_steady_tick(Duration::from_millis(100));
            (id, bar)
        };
        Self::Live(named.map(bar).collect())
    }

    fn show(&self, event: &EventView) {
        let (Some(id), Some(state)) = (&event.operation, &event.state) else {
            return;
        };
        match self {
            Self::Live(bars) => {
                if let Some(bar) = bars.get(id) {
                    bar.set_message(state.clone());
                }
            }
            Self::Lines(begun, names) => {
                if let Some(name) = names.get(id) {
                    let elapsed = begun.elapsed().as_secs_f64();
                    output::error(&format!("{elapsed:>7.2} s  {name}  {state}"));
                }
            }
        }
    }

    /// The line of an operation that has ended stays, with how it ended.
    fn end(&self, operation: &OperationView) {
        let Self::Live(bars) = self else { return };
        if let Some(bar) = bars.get(&operation.id.to_string()) {
            bar.set_style(style(match operation.outcome {
                Outcome::Succeeded => "{prefix:.green}  {msg}  {time:.dim}",
                _ => "{prefix:.red}  {msg:.red}  {time:.dim}",
            }));
            bar.finish();
        }
    }

    /// The lines stay as they are.
    fn leave(&self) {
        if let Self::Live(bars) = self {
            bars.values().for_each(ProgressBar::abandon);
        }
    }
}

/// A style with `time`: seconds with their hundredths, as the lines elsewhere have them.
fn style(template: &str) -> ProgressStyle {
    let time = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        let _ = write!(out, "{:.2} s", state.elapsed().as_secs_f64());
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner());
    style.with_key("time", time)
}
