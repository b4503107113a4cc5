//! The history of an instance on the wire: what happened to it, oldest first.

use berth_model::OperationId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{FaultView, Outcome, schema};

/// One thing that happened to an instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HistoryEntry {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The operation it belongs to; absent for what the guest did by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Id>)]
    pub operation: Option<OperationId>,
    /// What it was.
    #[serde(flatten)]
    pub what: Happened,
}

/// What happened; `kind` says which.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Happened {
    /// An operation was asked for.
    Asked {
        /// The action.
        action: String,
        /// Who asked.
        by: String,
        /// What the request said.
        #[schema(value_type = Object)]
        params: serde_json::Value,
    },
    /// The operation goes on as another action.
    Became {
        /// That action.
        action: String,
    },
    /// A step, or an attempt at it, came to an end.
    Step {
        /// The documented state of the step.
        state: String,
        /// How it went.
        outcome: StepOutcome,
        /// The number of the attempt, from 1.
        attempt: u32,
        /// How long it took in microseconds: the attempt when it is tried again, else the whole step.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        took_micros: Option<u64>,
        /// What went wrong: for what libvirt refused, its own message and code.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// Something worth knowing about a step: what it waits for, that the daemon started again and goes on, that the
    /// instance fell back.
    Noted {
        /// The documented state of the step.
        state: String,
        /// In words.
        message: String,
    },
    /// libvirt sent an event of the guest while the operation had it.
    Heard {
        /// The documented state of the step.
        state: String,
        /// The event, in libvirt's words, e.g. `stopped (shutdown)`.
        event: String,
    },
    /// The guest did something while no operation had it, and the record followed.
    Adopted {
        /// The kind of the event on the event stream, e.g. `guest.stopped`.
        guest: String,
        /// The event of libvirt that told of it; absent if libvirt said so when it was asked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        event: Option<String>,
        /// The documented state that followed, if it is another one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        state: Option<String>,
        /// In words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// The operation ended.
    Ended {
        /// The action: what was asked, or what it became.
        action: String,
        /// How.
        outcome: Outcome,
        /// The documented state it left; absent if the instance is gone, or another operation took it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        state: Option<String>,
        /// How long it took in microseconds, from when it was asked for.
        took_micros: u64,
        /// Why it failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<FaultView>,
    },
}

/// How a step, or an attempt at it, went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepOutcome {
    /// It is done.
    Done,
    /// It failed and is tried again.
    Retried,
    /// It failed for good.
    Failed,
    /// It is undone.
    Undone,
}
