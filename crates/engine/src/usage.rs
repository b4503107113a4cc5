//! Usage: the ledger as a report, and the sign of life that it is exact by.
//!
//! The ledger itself is written by the store, with each change. Here it is told what the prices are, that the host is
//! alive, and what is asked of it.

use std::sync::Arc;
use std::time::Duration;

use berth_model::InstanceId;
use berth_model::metering::{Amount, Broken, Head, PriceList, Report, UsageLine, Window};
use berth_store::{StoreError, UsageFilter};
use jiff::Timestamp;
use tokio::time::MissedTickBehavior;

use crate::world::World;
use crate::{Engine, EngineError, Settings};

/// How often it is written down that the host is alive. It is as much time as a loss of power may leave unbilled, and
/// one small durable write: some 9,000 a day, less than a disk notices.
const BEAT: Duration = Duration::from_secs(10);

/// The most lines of a report.
const LINES_MAX: usize = 100_000;

/// What is wanted of the ledger.
#[derive(Debug, Clone, Default)]
pub struct WantedUsage {
    /// Of which time.
    pub window: Window,
    /// Of which project; of all, if none.
    pub project: Option<String>,
    /// Since when there is that project, in microseconds: what one of its name had before isn't its own.
    pub since: Option<i64>,
    /// Of the instances with this name or id, of those that are gone too; of everything, if none.
    pub instance: Option<String>,
    /// Each state by itself, also those that aren't billed.
    pub by_state: bool,
}

/// A report.
#[derive(Debug, Clone)]
pub struct UsageReport {
    /// Until when, at the most.
    pub as_of: Timestamp,
    /// What the amounts are in; empty if the operator named no currency.
    pub currency: String,
    /// The lines: by project, kind and resource.
    pub lines: Vec<UsageLine>,
    /// The sum of the lines.
    pub total: Amount,
}

impl Engine {
    /// Who held what for how long, and what that comes to.
    pub async fn usage(&self, wanted: &WantedUsage) -> Result<UsageReport, EngineError> {
        if let (Some(from), Some(to)) = (wanted.window.from, wanted.window.to)
            && from >= to
        {
            return Err(EngineError::invalid("to", "it has to be after 'from'"));
        }
        let window = Window {
            from: wanted.window.from.max(wanted.since),
            ..wanted.window
        };
        let (as_of, currency, lines) = self.usage_lines(wanted, window).await?;
        if let Some(reference) = wanted.instance.as_ref().filter(|_| lines.is_empty()) {
            // Nothing to pay then, or nothing of that name ever?
            let window = Window {
                from: wanted.since,
                to: None,
            };
            let ever = WantedUsage {
                by_state: true,
                ..wanted.clone()
            };
            if self.usage_lines(&ever, window).await?.2.is_empty() {
                let reference = reference.clone();
                return Err(StoreError::NotFound {
                    what: "instance",
                    reference,
                }
                .into());
            }
        }
        Ok(UsageReport {
            as_of,
            currency,
            total: lines.iter().map(|line| line.amount).sum(),
            lines,
        })
    }

    /// The lines of a window, with the moment they were read and the currency.
    async fn usage_lines(
        &self,
        wanted: &WantedUsage,
        window: Window,
    ) -> Result<(Timestamp, String, Vec<UsageLine>), EngineError> {
        let basis = self.world.store.usage_basis().await?;
        let currency = basis.prices.currency().to_owned();
        let cut = basis.timeline.cut(window);
        let mut report = Report::new(cut, basis.prices, wanted.by_state, LINES_MAX);
        if let Some(elapsed) = report.hull() {
            let instance = wanted.instance.as_ref();
            let filter = UsageFilter {
                elapsed,
                project: wanted.project.clone(),
                // An id in whatever spelling.
                instance: instance.map(|text| text.parse().map_or(text.clone(), |id: InstanceId| id.to_string())),
            };
            let add = |span| {
                let added = report.add(&span);
                added.map_err(|error| EngineError::invalid("from", format!("{error}: ask for less at once")))
            };
            self.world.store.usage_spans(&filter, add).await?;
        }
        Ok((basis.as_of, currency, report.lines()))
    }

    /// Follows the ledger from its first entry to its last: the last, or the first that isn't as it must be. `noted`
    /// is a head that was kept: it must still be there.
    pub async fn verify_usage(&self, noted: Option<Head>) -> Result<Result<Head, Broken>, EngineError> {
        Ok(self.world.store.verify_usage(noted).await?)
    }
}

/// Has the operator's prices be in force from now on.
pub(crate) async fn set_prices(world: &World, settings: &Settings) -> Result<(), StoreError> {
    let types = settings.types.iter();
    let list = PriceList {
        instance: types.map(|entry| (entry.name.clone(), entry.price_per_hour)).collect(),
        ..settings.prices.clone()
    };
    world.store.set_prices(&list).await
}

/// Writes down now and then that the host is alive.
pub(crate) async fn keep_alive(world: Arc<World>) {
    let mut beats = tokio::time::interval(BEAT);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        beats.tick().await;
        if let Err(error) = world.store.beat().await {
            tracing::warn!(%error, "not written down that the host is alive; the next beat tries again");
        }
    }
}
