//! Quotas: what each project has is counted in the transaction that changes it, and refused there if it is too much.
//!
//! ```text
//!   insert, grow ─ charge ─┐                 ┌─▶ counters: used + what is charged
//!   delete, shrink ─ free ─┼─▶ Tally ─ settle ┤   asked for and above the limit ─▶ QuotaExceeded, all rolled back
//!   fail, land ─ owe ──────┘  of the Tx  └────── before COMMIT
//! ```
//!
//! Whoever writes a row says what it costs; a transaction's charges are summed up and written with its commit, one
//! statement for each resource that changed. There is one writer at a time, so that parallel requests can't overshoot.
//! Only what somebody asks for is refused: what an operation in flight comes to ([`Tx::owe`]) was charged at its claim.
//!
//! Architecture invariant: the counters equal the records (`quota_count`) at each commit.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use berth_model::{Capacity, Limit, QuotaLimits, Resource, Standing};
use sqlx::any::AnyRow;

use crate::event::NewEvent;
use crate::row::{Columns as _, sql, to_number};
use crate::store::Inner;
use crate::transition::Held;
use crate::tx::Tx;
use crate::{InstanceRecord, Store, StoreError, project};

/// A quota of a project, and how much of it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotaRecord {
    /// Of what.
    pub resource: Resource,
    /// How much the project has.
    pub used: u64,
    /// The most it may have.
    pub limit: Limit,
    /// Whether an operator set that for the project; else it is the daemon's default.
    pub set: bool,
}

/// What a transaction changes of what projects have.
#[derive(Debug, Default)]
pub(crate) struct Tally(BTreeMap<(String, Resource), Change>);

#[derive(Debug, Default)]
struct Change {
    by: i64,
    asked: bool,
}

impl Tally {
    fn change(&mut self, project: &str, resource: Resource, by: i64) -> &mut Change {
        let change = self.0.entry((project.to_owned(), resource)).or_default();
        change.by += by;
        change
    }
}

impl Tx {
    /// Charges a project for something that is asked for: the transaction is refused if it becomes too much.
    pub(crate) fn charge(&mut self, project: &str, resource: Resource, amount: i64) {
        self.tally.change(project, resource, amount).asked = true;
    }

    /// Charges, or frees, what nobody asks for now.
    pub(crate) fn owe(&mut self, project: &str, resource: Resource, amount: i64) {
        self.tally.change(project, resource, amount);
    }

    /// Gives back what a project was charged for.
    pub(crate) fn free(&mut self, project: &str, resource: Resource, amount: i64) {
        self.tally.change(project, resource, -amount);
    }
}

/// Writes what a transaction has charged and freed. [`StoreError::QuotaExceeded`] if a project would have more than it
/// may of what was asked for.
pub(crate) async fn settle(tx: &mut Tx) -> Result<(), StoreError> {
    let mut limits: Option<(String, QuotaLimits)> = None;
    for ((project, resource), change) in std::mem::take(&mut tx.tally).0 {
        if change.by == 0 {
            continue;
        }
        let write = sql("INSERT INTO charges (project, resource, used) VALUES ($1, $2, $3) \
                         ON CONFLICT (project, resource) DO UPDATE SET used = charges.used + excluded.used \
                         RETURNING used")
        .bind(project.clone())
        .bind(resource.as_str())
        .bind(change.by);
        let row = tx.optional(write).await?;
        let used: i64 = row
            .ok_or_else(|| StoreError::corrupt("charges", "none"))?
            .number("used")?;
        if change.by < 0 || !change.asked {
            continue;
        }
        if limits.as_ref().is_none_or(|(of, _)| *of != project) {
            let rows = tx.all(sql(SET).bind(project.clone())).await?;
            limits = Some((project.clone(), rows.iter().map(read_limit).collect::<Result<_, _>>()?));
        }
        let set = limits.as_ref().and_then(|(_, limits)| limits.get(resource));
        let limit = set.unwrap_or_else(|| tx.inner.default_limit(resource));
        within((&project, resource), limit, amount(used - change.by), amount(change.by))?;
    }
    Ok(())
}

fn within((project, resource): (&str, Resource), limit: Limit, used: u64, asked: u64) -> Result<(), StoreError> {
    if limit.allows(used.saturating_add(asked)) {
        return Ok(());
    }
    Err(StoreError::QuotaExceeded {
        resource,
        project: project.to_owned(),
        limit,
        used,
        asked,
    })
}

/// What a counter says; never below 0.
fn amount(number: i64) -> u64 {
    number.try_into().unwrap_or_default()
}

const SET: &str = "SELECT resource, maximum FROM quotas WHERE project = $1";

fn read_limit(row: &AnyRow) -> Result<(Resource, Limit), StoreError> {
    let limit = match row.maybe_number("maximum")? {
        Some(most) => Limit::AtMost(amount(most)),
        None => Limit::Unlimited,
    };
    Ok((row.parsed("resource")?, limit))
}

/// Charges an instance as its record changes. What a request begins may be refused; nothing else is.
pub(crate) fn move_instance(tx: &mut Tx, before: &Held, after: &Held) {
    let (was, is) = (before.record.capacity(), after.record.capacity());
    let rested = matches!(before.record.standing, Standing::Resting(_));
    let begins = rested && matches!(after.record.standing, Standing::Moving { .. });
    let project = &after.record.project;
    for ((resource, was), (_, is)) in by_resource(was).into_iter().zip(by_resource(is)) {
        if begins {
            tx.charge(project, resource, is - was);
        } else {
            tx.owe(project, resource, is - was);
        }
    }
}

/// Charges a project for a new instance.
pub(crate) fn charge_instance(tx: &mut Tx, record: &InstanceRecord) {
    tx.charge(&record.project, Resource::Instances, 1);
    for (resource, amount) in by_resource(record.capacity()) {
        tx.charge(&record.project, resource, amount);
    }
}

/// Gives back what an instance that is gone was charged for.
pub(crate) fn free_instance(tx: &mut Tx, record: &InstanceRecord) {
    tx.free(&record.project, Resource::Instances, 1);
    for (resource, amount) in by_resource(record.capacity()) {
        tx.free(&record.project, resource, amount);
    }
}

/// vCPUs and MiB as counters have them. No type has as many as those can hold.
pub(crate) fn by_resource(capacity: Capacity) -> [(Resource, i64); 2] {
    let memory = i64::try_from(capacity.memory.0).unwrap_or(i64::MAX);
    [(Resource::Vcpus, capacity.vcpus.into()), (Resource::MemoryMib, memory)]
}

impl Inner {
    /// The limit of a project for which none is set.
    pub(crate) fn default_limit(&self, resource: Resource) -> Limit {
        let defaults = self.default_quotas.read().unwrap_or_else(PoisonError::into_inner);
        defaults.get(resource).unwrap_or(Limit::Unlimited)
    }
}

impl Store {
    /// Sets the limits of projects for which no operator has set any; without a default they are unlimited.
    pub fn set_default_quotas(&self, limits: QuotaLimits) {
        let mut defaults = self
            .inner
            .default_quotas
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *defaults = limits;
    }

    /// Every quota of a project with what it uses.
    pub async fn quotas(&self, project: &str) -> Result<Vec<QuotaRecord>, StoreError> {
        let set: QuotaLimits = self
            .list(sql(SET).bind(project.to_owned()), read_limit)
            .await?
            .into_iter()
            .collect();
        let charges = sql("SELECT resource, used FROM charges WHERE project = $1").bind(project.to_owned());
        let read = |row: &AnyRow| Ok((row.parsed("resource")?, row.number("used")?));
        let used: BTreeMap<Resource, i64> = self.list(charges, read).await?.into_iter().collect();
        let quota = |resource: &Resource| QuotaRecord {
            resource: *resource,
            used: used.get(resource).copied().map(amount).unwrap_or_default(),
            limit: set
                .get(*resource)
                .unwrap_or_else(|| self.inner.default_limit(*resource)),
            set: set.get(*resource).is_some(),
        };
        Ok(Resource::ALL.iter().map(quota).collect())
    }

    /// [`StoreError::QuotaExceeded`] if a project may have no more of a resource as things are: for who would else do
    /// much before it is refused.
    pub async fn check_quota(&self, project: &str, resource: Resource) -> Result<(), StoreError> {
        let quotas = self.quotas(project).await?;
        let mut quotas = quotas.iter().filter(|quota| quota.resource == resource);
        quotas.try_for_each(|quota| within((project, resource), quota.limit, quota.used, 1))
    }

    /// Sets limits of a project; none takes the daemon's default again. Nothing is taken away from a project that has
    /// more already. [`StoreError::NotFound`].
    pub async fn set_quotas(
        &self,
        project: &str,
        limits: &BTreeMap<Resource, Option<Limit>>,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        project::must_be_there(&mut tx, project).await?;
        for (resource, limit) in limits {
            let forget = sql("DELETE FROM quotas WHERE project = $1 AND resource = $2");
            tx.run(forget.bind(project.to_owned()).bind(resource.as_str())).await?;
            let Some(limit) = limit else { continue };
            let most = match limit {
                Limit::AtMost(most) => Some(to_number(*most)?),
                Limit::Unlimited => None::<i64>,
            };
            let set = sql("INSERT INTO quotas (project, resource, maximum) VALUES ($1, $2, $3)");
            tx.run(set.bind(project.to_owned()).bind(resource.as_str()).bind(most))
                .await?;
        }
        tx.event(NewEvent::about("quota.changed", project, &project, project))
            .await?;
        tx.commit().await
    }
}
