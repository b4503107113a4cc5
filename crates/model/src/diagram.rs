//! The action table drawn: as a Mermaid state diagram and as a matrix of state × action, for the docs and for review.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::action::{Fallback, From, Landing, Row, TABLE};
use crate::{Action, InstanceState, Stable, Standing};

/// The action table as a Mermaid state diagram.
pub fn mermaid() -> String {
    let mut edges = BTreeSet::new();
    for row in TABLE {
        draw(row, &mut edges);
    }
    let mut out = String::from("stateDiagram-v2\n");
    for state in InstanceState::ALL.iter().filter(|state| state.as_str().contains('-')) {
        let _ = writeln!(out, "    state \"{state}\" as {}", id(*state));
    }
    for (from, to, label) in edges {
        let _ = writeln!(out, "    {from} --> {to}: {label}");
    }
    out
}

/// The action table as a matrix: a row for each state at rest, a column for each action.
pub fn matrix() -> String {
    let mut out = String::from("| state |");
    for action in Action::ALL {
        let _ = write!(out, " {action} |");
    }
    out.push_str("\n|---|");
    out.push_str(&"---|".repeat(Action::ALL.len()));
    for stable in Stable::ALL {
        let _ = write!(out, "\n| {stable} |");
        for action in Action::ALL {
            let mark = if action.allowed(Standing::Resting(*stable)) {
                "✓"
            } else {
                ""
            };
            let _ = write!(out, " {mark} |");
        }
    }
    out.push('\n');
    out
}

fn draw(row: &Row, edges: &mut BTreeSet<(String, String, String)>) {
    let mut edge = |from: String, to: String, label: &str| {
        edges.insert((from, to, label.to_owned()));
    };
    let first = id(row.steps[0].state);
    let last = id(row.steps[row.steps.len() - 1].state);
    match row.from {
        From::Nothing => edge("[*]".to_owned(), first, row.action.as_str()),
        From::At(stables) => {
            for stable in stables {
                edge(id(stable.state()), first.clone(), row.action.as_str());
            }
        }
        From::Anything => {
            for stable in Stable::ALL {
                edge(id(stable.state()), first.clone(), row.action.as_str());
            }
        }
    }
    for pair in row.steps.windows(2) {
        edge(id(pair[0].state), id(pair[1].state), row.action.as_str());
    }
    match row.lands {
        Landing::In(stable) => edge(last.clone(), id(stable.state()), row.action.as_str()),
        Landing::BeforeResize => {
            edge(last.clone(), id(InstanceState::Active), row.action.as_str());
            edge(last.clone(), id(InstanceState::Stopped), row.action.as_str());
        }
        Landing::Gone => edge(last.clone(), "[*]".to_owned(), row.action.as_str()),
    }
    match row.on_failure {
        Fallback::Error => edge(last, id(InstanceState::Error), "fails"),
        Fallback::Becomes(other) => edge(last, id(other.row().steps[0].state), "grace time over"),
        // Back where it came from: drawn by the edge that led here.
        Fallback::Origin | Fallback::AsFound => {}
    }
}

/// Mermaid takes no hyphen in the id of a state.
fn id(state: InstanceState) -> String {
    state.as_str().replace('-', "_")
}
