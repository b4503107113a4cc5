//! Usage: what is metered, since when, as what; in a ledger that only grows.
//!
//! ```text
//!   a change of an instance, volume, … ─▶ facts: what is metered now ─▶ ledger: another than before? an entry
//!                                                                         │ in the same transaction
//!   clock (now and then) ─▶ the last sign of life, and an anchor ─────────┤
//!   prices (at start) ─▶ another list than before? an entry ──────────────┘
//!   read: spans, anchors, price lists, the chain ─▶ `berth_model::metering`, which makes reports of them
//! ```
//!
//! An entry ends the one before of the same resource, and so a pair of them is a span of time that is billed once,
//! whatever crashes in between. Nothing of it is kept in memory between two transactions.

mod begin;
mod billed;
mod clock;
pub(crate) mod facts;
mod ledger;
mod read;

pub(crate) use begin::begin;
pub use billed::Billed;
pub(crate) use clock::{boot, mono};
pub(crate) use ledger::Writing;
pub use read::{UsageBasis, UsageFilter};
