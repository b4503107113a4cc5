//! Usage on the wire: who held what for how long, and what that comes to.

use berth_model::metering::{Amount, Price};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::schema;

/// Which usage is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct UsageQuery {
    /// From this moment on, such as `2026-11-01T00:00:00Z`; from the first on, if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>, format = DateTime)]
    pub from: Option<Timestamp>,
    /// Up to this moment; up to now, if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>, format = DateTime)]
    pub to: Option<Timestamp>,
    /// Of the instances with this name or id, of those that are gone too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Each state by itself, also those that aren't billed.
    #[serde(default)]
    pub by_state: bool,
}

/// A report of usage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UsageView {
    /// When it was made: what goes on is counted up to here.
    #[schema(value_type = String, format = DateTime)]
    pub as_of: Timestamp,
    /// What prices and amounts are in, such as `EUR`; absent if the operator named nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// By project, kind and resource; the lines of one resource in the order in which they began.
    pub lines: Vec<UsageLineView>,
    /// The sum of the lines' amounts.
    #[schema(value_type = schema::Amount)]
    pub total: Amount,
}

/// One line: so much, for so long, at one price. `amount` is quantity × duration × price, rounded to millionths.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UsageLineView {
    /// The project that pays.
    pub project: String,
    /// `instance`, `volume`, `snapshot`, `image` or `public_ip`.
    pub kind: String,
    /// The resource's id.
    pub resource: String,
    /// Its name, or its address; of one that is gone, the last it had.
    pub name: String,
    /// The instance type, volume type or pool; empty for what has only one price.
    pub rate: String,
    /// The state, when each was asked for by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Whether it costs anything.
    pub billed: bool,
    /// How much of it there was: 1, or GiB.
    pub quantity: u64,
    /// What the quantity counts: absent, or `GiB`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// For how long, in microseconds.
    pub duration_micros: i64,
    /// What an hour of one costs.
    #[schema(value_type = schema::Price)]
    pub price_per_hour: Price,
    /// What the line comes to.
    #[schema(value_type = schema::Amount)]
    pub amount: Amount,
}

/// What is to be found in the ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct VerifyUsageQuery {
    /// A `head` that was told before: it must still be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
}

/// Whether the ledger is whole, and what was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UsageVerifiedView {
    /// Whether every entry is as it must be.
    pub whole: bool,
    /// The last entry, `NUMBER:HASH`. Kept elsewhere, it proves later that nothing up to it was changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
    /// The first entry that isn't as it must be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<BrokenEntryView>,
}

/// An entry of the ledger that isn't as it must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BrokenEntryView {
    /// Its number.
    pub number: i64,
    /// What is wrong with it.
    pub reason: String,
}
