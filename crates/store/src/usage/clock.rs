//! The host's clocks, and the row that ties them to metered time.

use berth_model::metering::Meter;
use nix::time::{ClockId, clock_gettime};
use sqlx::any::AnyRow;

use super::ledger;
use crate::row::{Columns as _, sql};
use crate::tx::Tx;
use crate::{Store, StoreError};

/// Where the kernel names this boot.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// This boot of the host, as the kernel names it.
pub(crate) fn boot() -> Result<String, StoreError> {
    let id = std::fs::read_to_string(BOOT_ID).map_err(|error| StoreError::corrupt(BOOT_ID, &error))?;
    Ok(id.trim().to_owned())
}

/// The clock that is never set, and stands still while the host is suspended (clock_gettime(2)), in microseconds.
pub(crate) fn mono() -> Result<i64, StoreError> {
    let mono = clock_gettime(ClockId::CLOCK_MONOTONIC);
    let mono = mono.map_err(|errno| StoreError::corrupt("the monotonic clock", &errno))?;
    Ok(mono.tv_sec() * 1_000_000 + mono.tv_nsec() / 1000)
}

/// The meter as it was left: by the last sign of life, or by the last entry if that is later.
pub(super) const METER: &str = "SELECT boot, shift, skew, CASE WHEN l.elapsed > alive THEN l.elapsed ELSE alive END AS alive, \
     l.number AS number, l.hash AS hash FROM meter, ledger l WHERE l.number = (SELECT MAX(number) FROM ledger)";

/// The meter in a row of [`METER`].
pub(super) fn read(row: &AnyRow) -> Result<Meter, StoreError> {
    Ok(Meter {
        boot: row.text("boot")?,
        shift: row.number("shift")?,
        skew: row.number("skew")?,
        alive: row.number("alive")?,
    })
}

/// Writes the meter in place of what was there.
pub(super) async fn write(tx: &mut Tx, meter: &Meter) -> Result<(), StoreError> {
    let bound = |text| {
        sql(text)
            .bind(meter.boot.clone())
            .bind(meter.shift)
            .bind(meter.skew)
            .bind(meter.alive)
    };
    let update = bound("UPDATE meter SET boot = $1, shift = $2, skew = $3, alive = $4");
    if tx.run(update).await? == 0 {
        let first = bound("INSERT INTO meter (boot, shift, skew, alive) VALUES ($1, $2, $3, $4)");
        tx.run(first).await?;
    }
    Ok(())
}

impl Store {
    /// Writes down that the host is alive, and anchors the wall clock anew if it was set. What the power takes away is
    /// the time since the last of these.
    pub async fn beat(&self) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let meter = ledger::head(&mut tx).await?.meter.clone();
        write(&mut tx, &meter).await?;
        tx.commit().await
    }
}
