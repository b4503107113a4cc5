//! A recipe: the steps of one action, as functions.

use berth_model::{Action, InstanceState};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::Failure;

/// What one half of a step is: a plain blocking function, so that nothing can be cancelled halfway through it.
pub type StepFn<C> = fn(&C, &mut Memo) -> Result<(), Failure>;

/// One step: make sure it is so, make sure it isn't. Both may be called any number of times.
pub struct Step<C> {
    /// The transitional state shown meanwhile; the table has the same.
    pub state: InstanceState,
    /// Make sure it is so.
    pub make: StepFn<C>,
    /// Make sure it isn't.
    pub unmake: StepFn<C>,
}

/// The steps of one action, in the order of its row.
pub struct Recipe<C: 'static> {
    /// The action.
    pub action: Action,
    /// Its steps.
    pub steps: &'static [Step<C>],
}

impl<C> Recipe<C> {
    /// Whether the steps are those of the table: same number, same states, same order.
    pub fn follows_the_table(&self) -> bool {
        let states = self.steps.iter().map(|step| step.state);
        states.eq(self.action.row().steps.iter().map(|step| step.state))
    }
}

/// For a step that has nothing to undo, or nothing to do but to be seen.
pub fn nothing<C>(_: &C, _: &mut Memo) -> Result<(), Failure> {
    Ok(())
}

/// What an operation remembers from step to step and over a crash: journaled with each step's end.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Memo(Map<String, Value>);

impl Memo {
    /// The memo as the journal has it; anything but an object is an empty memo.
    pub fn from_value(value: &Value) -> Self {
        Self(value.as_object().cloned().unwrap_or_default())
    }

    /// The memo as the journal keeps it.
    pub fn to_value(&self) -> Value {
        Value::Object(self.0.clone())
    }

    /// What is remembered under that key, if it is there and of that type.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        self.0
            .get(key)
            .and_then(|value| serde_json::from_value(value.clone()).ok())
    }

    /// Remembers something under that key.
    pub fn set<T: Serialize>(&mut self, key: &str, value: &T) -> Result<(), Failure> {
        let value = serde_json::to_value(value).map_err(|error| {
            Failure::fatal(
                berth_model::Code::Internal,
                format!("'{key}' can't be remembered: {error}"),
            )
        })?;
        self.0.insert(key.to_owned(), value);
        Ok(())
    }
}
