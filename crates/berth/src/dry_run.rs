//! `--dry-run`: what a command would do, for people and for programs.
//!
//! The client tries every request that changes something, and what it would do comes back as an error, which is told
//! here instead of a failure. So no command has to know of it, and a command of several requests stops at the first.

use std::fmt::Write as _;

use std::process::ExitCode;
use std::sync::atomic::Ordering;

use anstyle::AnsiColor;
use berth_api_types::{ChargeView, DiffView, DryRunView, OperationPreview, WouldView};
use berth_client::ClientError;

use crate::cli::Format;
use crate::commands::Context;
use crate::failure::Failure;
use crate::output::{self, lines, table};

/// Tells what a request would do; gives back what is a failure.
pub(crate) fn told(error: anyhow::Error, cx: &Context) -> anyhow::Result<()> {
    match error.downcast_ref::<ClientError>() {
        Some(ClientError::DryRun(view)) => {
            cx.tried.store(true, Ordering::Relaxed);
            tell(view, cx.format)
        }
        _ => Err(error),
    }
}

/// How a command ends: one that was to be tried has told what it would do, or there was nothing to try.
pub(crate) fn ended(done: anyhow::Result<ExitCode>, cx: &Context) -> anyhow::Result<ExitCode> {
    let done = match done {
        Err(error) => told(error, cx).map(|()| ExitCode::SUCCESS),
        done => done,
    };
    if done.is_ok() && cx.dry_run && !cx.tried.load(Ordering::Relaxed) {
        return Err(nothing().into());
    }
    done
}

/// Why a command isn't tried that asks a daemon for no change.
pub(crate) fn nothing() -> Failure {
    Failure::invalid("nothing to try: the command changes nothing at a daemon").hint("leave --dry-run out")
}

fn tell(view: &DryRunView, format: Format) -> anyhow::Result<()> {
    if format == Format::Name {
        let names: String = view.would.iter().map(|would| would.name.clone() + "\n").collect();
        return Ok(output::raw(names.as_bytes())?);
    }
    if matches!(format, Format::Json | Format::Yaml) {
        return output::text(format, view, |_| String::new());
    }
    Ok(output::seen(&summary(view))?)
}

fn summary(view: &DryRunView) -> String {
    let mut text = "Nothing was changed. The command would do this:\n".to_owned();
    if !view.operations.is_empty() {
        let rows = view.operations.iter().map(operation);
        text += &lines(&table(["action", "resource", "name", "states"], rows));
    }
    let told: Vec<_> = view
        .would
        .iter()
        .filter(|would| !is_told(view, would))
        .map(event)
        .collect();
    if !told.is_empty() {
        text += &lines(&table(["event", "name", "state"], told));
    }
    if view.operations.is_empty() && view.would.is_empty() {
        text += "nothing: all is as it is asked for\n";
    }
    if !view.charges.is_empty() {
        text.push('\n');
        text += &lines(&table(
            ["quota", "now", "then", "limit"],
            view.charges.iter().map(charge),
        ));
    }
    if let Some(price) = &view.price_per_hour {
        let currency = price.currency.as_ref().map(|currency| format!(" {currency}"));
        let _ = writeln!(
            text,
            "\nPrice of an hour of the project: {} → {}{}",
            price.before,
            price.after,
            currency.unwrap_or_default()
        );
    }
    for diff in &view.diffs {
        let _ = write!(text, "\n{}", coloured(diff));
    }
    text
}

/// Whether an event says no more than the operation that begins with it.
fn is_told(view: &DryRunView, would: &WouldView) -> bool {
    would.state.is_some()
        && view
            .operations
            .iter()
            .any(|operation| operation.resource == would.resource)
}

fn operation(operation: &OperationPreview) -> [String; 4] {
    [
        operation.action.clone(),
        operation.kind.clone(),
        operation.resource_name.clone(),
        operation.steps.join(" → "),
    ]
}

fn event(would: &WouldView) -> [String; 3] {
    [
        would.kind.clone(),
        would.name.clone(),
        would.state.clone().unwrap_or_default(),
    ]
}

fn charge(charge: &ChargeView) -> [String; 4] {
    [
        charge.resource.to_string(),
        charge.used.to_string(),
        charge.used.saturating_add_signed(charge.delta).to_string(),
        charge.limit.to_string(),
    ]
}

/// A difference in the colours of `diff --color`; they are taken out unless somebody sees them.
fn coloured(diff: &DiffView) -> String {
    let mut text = format!("{}\n", diff.what);
    for line in diff.diff.lines() {
        let colour = match line.as_bytes().first() {
            Some(b'+') => Some(AnsiColor::Green),
            Some(b'-') => Some(AnsiColor::Red),
            Some(b'@') => Some(AnsiColor::Cyan),
            _ => None,
        };
        let _ = match colour.map(AnsiColor::on_default) {
            Some(style) => writeln!(text, "{style}{line}{style:#}"),
            None => writeln!(text, "{line}"),
        };
    }
    text
}
