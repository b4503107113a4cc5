//! The states of an instance and the action table on the wire: every way an instance can move, as data.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The answer to `GET /v1/lifecycle`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LifecycleView {
    /// Every documented state.
    pub states: Vec<StateView>,
    /// Every action, as one row of the table.
    pub actions: Vec<ActionView>,
}

/// A documented state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StateView {
    /// Its documented spelling.
    pub state: String,
    /// Whether time spent in it is billed.
    pub billed: bool,
    /// The action that it is a step of; absent for a state at rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
}

/// What can be asked of an instance, and how it comes about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ActionView {
    /// The action.
    pub action: String,
    /// What it begins with.
    pub begins: Begins,
    /// The states at rest that it is allowed from; none for what makes the instance.
    pub allowed_from: Vec<String>,
    /// Its steps, in order.
    pub steps: Vec<StepView>,
    /// Where it ends.
    pub lands: Lands,
    /// The states at rest that it may end in; none if the instance is gone.
    pub lands_in: Vec<String>,
    /// What becomes of it when a step fails.
    pub on_failure: OnFailure,
    /// The states at rest that it may fall back to; none if it goes on as another action.
    pub falls_back_to: Vec<String>,
    /// The action that it goes on as when a step fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub becomes: Option<String>,
}

/// One step of an action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StepView {
    /// The transitional state shown while it is under way.
    pub state: String,
    /// Whether time spent in it is billed.
    pub billed: bool,
    /// What is decided when the daemon finds it under way after a crash.
    pub after_crash: AfterCrash,
}

/// What an action begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Begins {
    /// There is no such instance yet.
    Nothing,
    /// An instance at rest in one of these states.
    AtRest,
    /// An instance in any state, and with any operation in flight, which is cancelled.
    Anything,
}

/// What is decided about a step that was under way when the daemon died.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AfterCrash {
    /// It is done again: what is done already stays done.
    GoOn,
    /// It is undone, with all before it.
    RollBack,
}

/// Where an action ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Lands {
    /// In that state.
    InState,
    /// In the state the instance was at rest in before it was resized.
    BeforeResize,
    /// The instance is no more.
    Gone,
}

/// What becomes of an action when a step fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// Error, with the reason; what was built is undone.
    Error,
    /// The state it came from, with the reason; what was done is undone.
    Origin,
    /// Active if the guest still runs, else Stopped.
    AsFound,
    /// It goes on as another action.
    Becomes,
}
