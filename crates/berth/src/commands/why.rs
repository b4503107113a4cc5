//! `berth instance why`: what happened to an instance, in plain words.
//!
//! A line for each thing: what was asked and how it ended at the margin, the steps in between indented, what the guest
//! did by itself at the margin again. Times are UTC, as everywhere.

use std::time::Duration;

use berth_api_types::{Happened, HistoryEntry, Outcome, StepOutcome};
use jiff::Timestamp;
use serde_json::Value;

use crate::commands::Context;
use crate::output;

/// As wide as the longest documented state.
const STATE: usize = 22;

pub(crate) async fn run(instance: &str, cx: &Context) -> anyhow::Result<()> {
    let history = cx.client.history(instance).await?;
    output::text(cx.format, &history, |history| tell(history))?;
    Ok(())
}

fn tell(history: &[HistoryEntry]) -> String {
    let mut text = String::new();
    let (mut day, mut told) = (String::new(), None);
    for entry in history {
        let today = format!("{}", entry.at.strftime("%Y-%m-%d (UTC)"));
        if day != today {
            text.push_str(&format!("{today}\n"));
            day = today;
        }
        text.push_str(&format!("{}  {}\n", time(entry.at), line(&entry.what, told)));
        if let Happened::Step { message: Some(why), .. } = &entry.what {
            told = Some(why.as_str());
        }
    }
    text
}

fn time(at: Timestamp) -> String {
    at.strftime("%H:%M:%S%.3f").to_string()
}

/// One thing in a line; a reason that was told already is not told again.
fn line(what: &Happened, told: Option<&str>) -> String {
    let step = |state: &str, text: &str| format!("  {state:<STATE$}  {text}");
    match what {
        Happened::Asked { action, by, params } => format!("{action} asked for by {by}{}", said(params)),
        Happened::Became { action } => format!("goes on as {action}"),
        Happened::Step {
            state,
            outcome,
            attempt,
            took_micros,
            message,
        } => step(state, &ended_step(*outcome, *attempt, *took_micros, message.as_deref())),
        Happened::Noted { state, message } => {
            let without = told.and_then(|told| message.strip_suffix(told)?.strip_suffix(": "));
            step(state, without.unwrap_or(message))
        }
        Happened::Heard { state, event } => step(state, &format!("libvirt: {event}")),
        Happened::Adopted {
            guest,
            event,
            state,
            message,
        } => adopted(guest, event.as_deref(), state.as_deref(), message.as_deref()),
        Happened::Ended {
            action,
            outcome,
            state,
            took_micros,
            ..
        } => ended(action, *outcome, state.as_deref(), *took_micros),
    }
}

fn ended_step(outcome: StepOutcome, attempt: u32, took: Option<u64>, message: Option<&str>) -> String {
    let took = |word: &str| took.map_or_else(String::new, |micros| format!(" {word} {}", duration(micros)));
    let why = message.map(|message| format!(": {message}")).unwrap_or_default();
    let again = if attempt > 1 {
        format!(" at attempt {attempt}")
    } else {
        String::new()
    };
    match outcome {
        StepOutcome::Done => format!("done{}{again}{why}", took("in")),
        StepOutcome::Retried => format!("attempt {attempt} failed{} and is tried again{why}", took("after")),
        StepOutcome::Failed => format!("failed{}{again}{why}", took("after")),
        StepOutcome::Undone => format!("undone{}{why}", took("in")),
    }
}

fn adopted(guest: &str, event: Option<&str>, state: Option<&str>, message: Option<&str>) -> String {
    let what = message.map_or_else(|| guest.replace('.', " "), str::to_owned);
    let source = match event {
        Some(event) => format!("libvirt: {event}"),
        None => "found when libvirt was asked".to_owned(),
    };
    let state = state
        .map(|state| format!("; the instance is {state}"))
        .unwrap_or_default();
    format!("{what}; {source}{state}")
}

fn ended(action: &str, outcome: Outcome, state: Option<&str>, took: u64) -> String {
    let took = duration(took);
    let left = state
        .map(|state| format!("; the instance is {state}"))
        .unwrap_or_default();
    match outcome {
        Outcome::Succeeded if action == "delete" => format!("{action} succeeded in {took}; the instance is gone"),
        Outcome::Succeeded => format!("{action} succeeded in {took}{left}"),
        Outcome::Failed => format!("{action} failed after {took}{left}"),
        Outcome::Cancelled => format!("{action} was cancelled after {took}{left}"),
        Outcome::Running | Outcome::Undoing => format!("{action} goes on"),
    }
}

/// What the request said besides the action: values in a word, things by their name.
fn said(params: &Value) -> String {
    let Some(params) = params.as_object() else {
        return String::new();
    };
    let word = |value: &Value| match value {
        Value::Null | Value::Array(_) => None,
        Value::Object(thing) => thing.get("name").and_then(Value::as_str).map(str::to_owned),
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
    };
    let said = params
        .iter()
        .filter_map(|(key, value)| Some(format!("{} {}", key.replace('_', " "), word(value)?)));
    let said: Vec<_> = said.collect();
    if said.is_empty() {
        String::new()
    } else {
        format!(" ({})", said.join(", "))
    }
}

/// A duration in the unit that fits.
fn duration(micros: u64) -> String {
    let duration = Duration::from_micros(micros);
    match duration.as_secs() {
        0 if micros < 1000 => format!("{micros} µs"),
        0 if micros < 10_000 => format!("{}.{} ms", micros / 1000, micros % 1000 / 100),
        0 => format!("{} ms", duration.as_millis()),
        1..60 => format!("{:.2} s", duration.as_secs_f64()),
        seconds => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
#[allow(clippy::needless_raw_string_hashes, reason = "so snapbox writes what is expected")]
mod tests {
    use serde_json::json;
    use snapbox::{assert_data_eq, str};

    use super::*;

    /// Entries as the API sends them, each so many milliseconds after the one before.
    fn told(entries: &[(i64, Value)]) -> String {
        let mut at = Timestamp::from_second(1_764_100_123).unwrap_or_default();
        let mut history = Vec::new();
        for (millis, what) in entries {
            at += jiff::SignedDuration::from_millis(*millis);
            let what: Result<Happened, _> = serde_json::from_value(what.clone());
            history.extend(what.ok().map(|what| HistoryEntry {
                at,
                operation: None,
                what,
            }));
        }
        assert_eq!(history.len(), entries.len(), "not as the API has it");
        tell(&history)
    }

    fn asked(action: &str, params: Value) -> Value {
        json!({ "kind": "asked", "action": action, "by": "local:root", "params": params })
    }

    fn step(state: &str, outcome: &str, attempt: u32, took: u64, message: Option<&str>) -> Value {
        json!({ "kind": "step", "state": state, "outcome": outcome, "attempt": attempt, "took_micros": took,
                "message": message })
    }

    fn noted(state: &str, message: &str) -> Value {
        json!({ "kind": "noted", "state": state, "message": message })
    }

    fn ended(action: &str, outcome: &str, state: Option<&str>, took: u64) -> Value {
        json!({ "kind": "ended", "action": action, "outcome": outcome, "state": state, "took_micros": took })
    }

    #[test]
    fn a_create_that_the_daemon_did_not_outlive() {
        let text = told(&[
            (0, asked("create", json!({}))),
            (4, step("Building", "done", 1, 3_420, None)),
            (1, step("Scheduling", "done", 1, 420, None)),
            (
                9,
                step("Networking", "retried", 1, 8_000, Some("link busy (network_error)")),
            ),
            (
                2000,
                noted("Networking", "the daemon started again and goes on with Networking"),
            ),
            (30, step("Networking", "done", 2, 29_000, None)),
            (5, json!({ "kind": "heard", "state": "Starting", "event": "started" })),
            (430, step("Starting", "done", 1, 435_000, None)),
            (0, ended("create", "succeeded", Some("Active"), 2_478_000)),
        ]);
        assert_data_eq!(
            text,
            str![[r#"
2025-11-25 (UTC)
19:48:43.000  create asked for by local:root
19:48:43.004    Building                done in 3.4 ms
19:48:43.005    Scheduling              done in 420 µs
19:48:43.014    Networking              attempt 1 failed after 8.0 ms and is tried again: link busy (network_error)
19:48:45.014    Networking              the daemon started again and goes on with Networking
19:48:45.044    Networking              done in 29 ms at attempt 2
19:48:45.049    Starting                libvirt: started
19:48:45.479    Starting                done in 435 ms
19:48:45.479  create succeeded in 2.48 s; the instance is Active

"#]]
        );
    }

    #[test]
    fn what_the_guest_did_by_itself_and_what_became_of_a_reboot() {
        let stopped = json!({ "kind": "adopted", "guest": "guest.stopped", "event": "stopped (destroyed)",
                              "state": "Stopped", "message": "the plug was pulled outside of Berth" });
        let resumed = json!({ "kind": "adopted", "guest": "guest.resumed" });
        let late = "the guest did not reboot within 120 s of being asked (deadline_exceeded)";
        let text = told(&[
            (0, stopped),
            (86_400_000, resumed),
            (0, asked("soft_reboot", json!({}))),
            (0, step("Reboot_started", "failed", 1, 120_400_000, Some(late))),
            (0, json!({ "kind": "became", "action": "hard_reboot" })),
            (0, step("Rebooting_started_hard", "undone", 1, 12_000, None)),
            (
                0,
                asked("stop", json!({ "grace_seconds": 5, "type": { "name": "t1.nano" } })),
            ),
            (0, ended("stop", "cancelled", None, 61_000_000)),
            (
                0,
                step("Powering-on", "failed", 1, 46_000, Some("no disk (hypervisor_error)")),
            ),
            (
                0,
                noted("Powering-on", "fell back to Stopped: no disk (hypervisor_error)"),
            ),
            (0, ended("start", "failed", Some("Stopped"), 83_000)),
            (0, ended("delete", "succeeded", None, 90_000)),
        ]);
        assert_data_eq!(
            text,
            str![[r#"
2025-11-25 (UTC)
19:48:43.000  the plug was pulled outside of Berth; libvirt: stopped (destroyed); the instance is Stopped
2025-11-26 (UTC)
19:48:43.000  guest resumed; found when libvirt was asked
19:48:43.000  soft_reboot asked for by local:root
19:48:43.000    Reboot_started          failed after 2 min 0 s: the guest did not reboot within 120 s of being asked (deadline_exceeded)
19:48:43.000  goes on as hard_reboot
19:48:43.000    Rebooting_started_hard  undone in 12 ms
19:48:43.000  stop asked for by local:root (grace seconds 5, type t1.nano)
19:48:43.000  stop was cancelled after 1 min 1 s
19:48:43.000    Powering-on             failed after 46 ms: no disk (hypervisor_error)
19:48:43.000    Powering-on             fell back to Stopped
19:48:43.000  start failed after 83 ms; the instance is Stopped
19:48:43.000  delete succeeded in 90 ms; the instance is gone

"#]]
        );
    }
}
