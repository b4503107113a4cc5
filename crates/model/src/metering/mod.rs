//! Metering: who held what for how long, and what that costs.
//!
//! ```text
//!   a change of what is metered ─▶ ledger entry, at a moment of metered time, chained to the one before by its hash
//!   two entries of one resource ─▶ a span ─▶ cut by the window and by the price lists ─▶ lines of a report
//! ```
//!
//! **Metered time** ([`Meter`]) is the one axis of it all: microseconds for which there was a service, counted on the
//! host's monotonic clock. It goes on while the daemon is down and the host is not; it stands still while the host is
//! off or suspended; no step of the wall clock changes it. So a duration is a difference of two numbers, whatever
//! happened in between. What the wall clock showed meanwhile ([`Timeline`]) only decides into which window time falls.
//!
//! All of it is pure: entries in, lines out.

mod chain;
mod clock;
mod entry;
mod price;
mod price_list;
mod report;

pub use chain::{Broken, Chain, Head, ParseHeadError};
pub use clock::{Anchor, CLOCK_STEP, Meter, Reading, Tick, Timeline, Window};
pub use entry::{LedgerEntry, LedgerHash, LedgerKind, ParseLedgerError};
pub use price::{Amount, ParsePriceError, PerHour, Price};
pub use price_list::{PriceList, Prices};
pub use report::{Report, Span, TooManyLines, UsageLine};
