//! Waiting for operations: a line for each documented state as it is passed.

use std::collections::HashMap;
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use berth_api_types::{EventQuery, EventView, OperationView, Outcome};
use berth_client::{Client, Events};
use berth_model::Code;
use indicatif::{ProgressBar, ProgressStyle};

use crate::failure::Failure;
use crate::output;

/// Follows operations. It is made before they are asked for, so that none of their states is missed.
pub(crate) struct Follower {
    client: Client,
    events: Events,
    progress: Progress,
}

impl Follower {
    pub(crate) async fn begin(client: &Client) -> anyhow::Result<Self> {
        let events = client.events(&EventQuery::default()).await?;
        Ok(Self {
            client: client.clone(),
            events,
            progress: Progress::new(),
        })
    }

    /// Waits until all of them have ended, showing what they pass; fails as the first that failed.
    pub(crate) async fn finish(mut self, operations: &[OperationView]) -> anyhow::Result<()> {
        let ids: Vec<_> = operations.iter().map(|operation| operation.id.to_string()).collect();
        let ended = tokio::select! {
            ended = self.follow(operations) => ended,
            _ = tokio::signal::ctrl_c() => {
                self.progress.clear();
                let message = format!("interrupted; it goes on: berth operation wait {}", ids.join(" "));
                return Err(Interrupted(message).into());
            }
        };
        self.progress.clear();
        for operation in ended? {
            succeeded(&operation)?;
        }
        Ok(())
    }

    async fn follow(&mut self, operations: &[OperationView]) -> anyhow::Result<Vec<OperationView>> {
        let mut names: HashMap<String, &str> = HashMap::new();
        for operation in operations {
            names.insert(operation.id.to_string(), &operation.resource_name);
        }
        let mut ended = Vec::new();
        for operation in operations {
            let waited = self.client.wait_operation(operation.id);
            tokio::pin!(waited);
            loop {
                tokio::select! {
                    // What is on the stream already is shown before the end is believed.
                    biased;
                    event = self.events.next() => if let Some(event) = event? { self.progress.show(&names, &event) } else {
                        ended.push(waited.await?);
                        break;
                    },
                    done = &mut waited => {
                        ended.push(done?);
                        break;
                    }
                }
            }
        }
        self.drain(&names).await;
        Ok(ended)
    }

    /// Shows the last states: their events were sent before the answer to the wait was.
    async fn drain(&mut self, names: &HashMap<String, &str>) {
        while let Ok(Ok(Some(event))) = tokio::time::timeout(Duration::from_millis(20), self.events.next()).await {
            self.progress.show(names, &event);
        }
    }
}

/// Ctrl-C while waiting.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Interrupted(String);

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
            Err(Failure::new(code, format!("{what} failed: {why}")))
        }
    }
}

/// A line on a terminal, or a line for each state elsewhere.
struct Progress {
    begun: Instant,
    bar: Option<ProgressBar>,
}

impl Progress {
    fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed:.dim}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Self {
            begun: Instant::now(),
            bar,
        }
    }

    fn show(&self, names: &HashMap<String, &str>, event: &EventView) {
        let Some(name) = event.operation.as_ref().and_then(|id| names.get(id)) else {
            return;
        };
        let Some(state) = &event.state else { return };
        let elapsed = self.begun.elapsed().as_secs_f64();
        match &self.bar {
            Some(bar) => {
                bar.println(format!("{elapsed:>7.2} s  {name}  {state}"));
                bar.set_message(format!("{name} {state}"));
            }
            None => output::error(&format!("{elapsed:>7.2} s  {name}  {state}")),
        }
    }

    fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
