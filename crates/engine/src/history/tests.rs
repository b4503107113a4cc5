//! What three operations and a pulled plug are told as.

use berth_model::{Code, Position, Work};
use serde_json::json;

use super::*;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or_default()
}

fn operation(action: Action, asked: i64, ended: Option<i64>, phase: Phase) -> OperationRecord {
    OperationRecord {
        project: "default".to_owned(),
        id: OperationId::new(),
        work: Work::Instance(Position::first(action)),
        subject: InstanceId::new().to_string(),
        subject_name: "web".to_owned(),
        phase,
        params: json!({}),
        requested_by: "local:root".to_owned(),
        fault: (phase == Phase::Failed).then(|| Fault::new(Code::HypervisorError, "no")),
        created_at: at(asked),
        finished_at: ended.map(at),
    }
}

/// The lines of an operation: when, the action and its step, what, and the words.
fn journal(operation: &OperationRecord, lines: &[(i64, Action, usize, EntryKind, &str)]) -> Vec<JournalRecord> {
    let line = |(number, (millis, action, step, kind, message)): (u32, &(i64, Action, usize, EntryKind, &str))| {
        JournalRecord {
            operation: operation.id,
            number,
            at: at(*millis),
            work: Work::Instance(Position::at(*action, *step).unwrap_or(Position::first(*action))),
            kind: *kind,
            message: (!message.is_empty()).then(|| (*message).to_owned()),
            duration: None,
        }
    };
    (1..).zip(lines).map(line).collect()
}

fn event(millis: i64, kind: &str, state: Option<&str>, operation: Option<&OperationRecord>) -> EventRecord {
    EventRecord {
        project: "default".to_owned(),
        seq: millis,
        at: at(millis),
        kind: kind.to_owned(),
        resource: "web".to_owned(),
        name: "web".to_owned(),
        state: state.map(str::to_owned),
        operation: operation.map(|operation| operation.id),
        message: None,
        heard: kind.starts_with("guest.").then(|| "stopped (destroyed)".to_owned()),
    }
}

/// An entry in one line.
fn short(entry: &HistoryEntry) -> String {
    let millis = |took: Option<Duration>| took.map_or(0, |took| took.as_millis());
    let what = match &entry.what {
        Happened::Asked { action, by, .. } => format!("{action} asked by {by}"),
        Happened::Became { action } => format!("goes on as {action}"),
        Happened::Step {
            state,
            end,
            attempt,
            took,
            message,
        } => format!("{state} {end:?} {attempt} {} {message:?}", millis(*took)),
        Happened::Noted { state, message } => format!("{state} {message}"),
        Happened::Heard { state, event } => format!("{state} libvirt: {event}"),
        Happened::Adopted { kind, event, state, .. } => format!("{kind} {event:?} {state:?}"),
        Happened::Ended {
            action,
            phase,
            state,
            took,
            ..
        } => format!("{action} {phase:?} {state:?} {}", took.as_millis()),
    };
    format!("{} {what}", entry.at.as_millisecond())
}

#[test]
fn attempts_are_counted_and_what_has_no_duration_took_from_its_beginning() {
    use EntryKind::{Begun, Done, Failed, Heard, Noted, Retried, Undone};
    let stop = operation(Action::Stop, 1000, Some(5000), Phase::Failed);
    let lines = journal(
        &stop,
        &[
            (1000, Action::Stop, 0, Begun, "asked for by local:root"),
            (1500, Action::Stop, 0, Retried, "busy"),
            (1600, Action::Stop, 0, Heard, "suspended (asked)"),
            (1700, Action::Stop, 0, Noted, "waits: libvirt is away"),
            (4000, Action::Stop, 0, Failed, "no"),
            (4300, Action::Stop, 0, Undone, ""),
            (5000, Action::Stop, 0, Done, ""),
        ],
    );
    let told: Vec<_> = tell(&[stop], &lines, &[]).iter().map(short).collect();
    assert_eq!(
        told,
        [
            "1000 stop asked by local:root",
            "1500 Powering-off Retried 1 500 Some(\"busy\")",
            "1600 Powering-off libvirt: suspended (asked)",
            "1700 Powering-off waits: libvirt is away",
            "4000 Powering-off Failed 2 3000 Some(\"no\")",
            "4300 Powering-off Undone 1 300 None",
            "5000 Powering-off Done 1 700 None",
            "5000 stop Failed None 4000",
        ]
    );
}

#[test]
fn what_the_guest_did_by_itself_stands_between_the_operations() {
    use EntryKind::{Begun, Done};
    let (start, reboot) = (Action::Start, Action::SoftReboot);
    let first = operation(start, 1000, Some(1200), Phase::Succeeded);
    let mut second = operation(Action::HardReboot, 3000, None, Phase::Running);
    second.work = Work::Instance(Position::first(Action::HardReboot));
    let mut lines = journal(&first, &[(1000, start, 0, Begun, ""), (1200, start, 0, Done, "")]);
    lines.extend(journal(
        &second,
        &[(3000, reboot, 0, Begun, ""), (3100, Action::HardReboot, 0, Begun, "")],
    ));
    let events = [
        event(1000, "instance.state", Some("Powering-on"), Some(&first)),
        event(1200, "instance.state", Some("Active"), Some(&first)),
        event(2000, "guest.rebooted", None, None),
        event(2500, "guest.stopped", None, None),
        event(2500, "instance.state", Some("Stopped"), None),
        event(3000, "instance.state", Some("Rebooting"), Some(&second)),
    ];
    let told: Vec<_> = tell(&[first, second], &lines, &events).iter().map(short).collect();
    assert_eq!(
        told,
        [
            "1000 start asked by local:root",
            "1200 Powering-on Done 1 200 None",
            "1200 start Succeeded Some(\"Active\") 200",
            "2000 guest.rebooted Some(\"stopped (destroyed)\") None",
            "2500 guest.stopped Some(\"stopped (destroyed)\") Some(\"Stopped\")",
            "3000 soft_reboot asked by local:root",
            "3100 goes on as hard_reboot",
        ]
    );
}
