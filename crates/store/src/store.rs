//! The store itself: opening, closing, reading.

use std::fmt;
use std::sync::{Arc, RwLock};

use berth_model::{OwnerId, QuotaLimits};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AnyPool, Connection as _};
use tokio::sync::{Mutex, broadcast};

use crate::event::EventRecord;
use crate::metrics::Metrics;
use crate::row::{Columns as _, Sql, sql};
use crate::tx::Tx;
use crate::{Database, Dry, StoreError, link, migrate, project, quota_count, usage, vpc};

/// How many events a subscriber may be behind before it is told that it lagged and reads them with
/// [`Store::events_after`] instead.
const EVENTS_KEPT: usize = 4096;

/// What should be: the records of all instances, operations, images, networks. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

/// What all clones share.
pub(crate) struct Inner {
    pub(crate) database: Database,
    pub(crate) readers: AnyPool,
    pub(crate) writer: Arc<Mutex<Slot>>,
    pub(crate) events: broadcast::Sender<Arc<EventRecord>>,
    pub(crate) default_quotas: RwLock<QuotaLimits>,
    pub(crate) metrics: Metrics,
    owner: OwnerId,
    /// This boot of the host.
    pub(crate) boot: String,
    // Last, so that it is given up after the connections.
    lock: std::sync::Mutex<Option<link::FileLock>>,
}

/// Where the connection that writes is between two transactions.
pub(crate) enum Slot {
    /// Here.
    Ready(AnyConnection),
    /// It ended badly, or a transaction has it: the next one makes a new one.
    Gone,
    /// The store is closed.
    Closed,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("database", &self.inner.database)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Opens a database, makes sure that no other daemon has it, and brings its schema to the newest version.
    ///
    /// A second daemon gets [`StoreError::Locked`]; it may take up to 3 s to find out with PostgreSQL.
    pub async fn open(database: &Database) -> Result<Self, StoreError> {
        let database = database.resolved()?;
        let lock = link::lock(&database)?;
        let mut connection = link::writer(&database).await?;
        migrate::migrate(&database, &mut connection).await?;
        link::guard_ledger(&database, &mut connection).await?;
        let owner = make_owner(&database, &mut connection).await?;
        let inner = Inner {
            readers: link::readers(&database)?,
            writer: Arc::new(Mutex::new(Slot::Ready(connection))),
            events: broadcast::channel(EVENTS_KEPT).0,
            default_quotas: RwLock::default(),
            metrics: Metrics::default(),
            owner,
            boot: usage::boot()?,
            lock: std::sync::Mutex::new(lock),
            database,
        };
        let store = Self { inner: Arc::new(inner) };
        let mut tx = store.begin().await?;
        vpc::complete(&mut tx).await?;
        project::complete(&mut tx).await?;
        usage::begin(&mut tx).await?;
        tx.commit().await?;
        quota_count::charge_older(&store).await?;
        Ok(store)
    }

    /// Closes the connections and gives up the lock, after the write under way. Clones can do nothing from then on.
    pub async fn close(&self) {
        self.inner.readers.close().await;
        let slot = std::mem::replace(&mut *self.inner.writer.lock().await, Slot::Closed);
        if let Slot::Ready(connection) = slot
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, "the database was not closed cleanly; nothing is lost by that");
        }
        let mut lock = self
            .inner
            .lock
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        drop(lock.take());
    }

    /// `sqlite` or `postgres`.
    pub fn kind(&self) -> &'static str {
        self.inner.database.kind()
    }

    /// What was committed, counted.
    pub fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    /// The id of this installation, made once, when the database was.
    #[allow(
        clippy::unused_async,
        reason = "a reader of the database like the others, even if this is kept in memory"
    )]
    pub async fn owner(&self) -> Result<OwnerId, StoreError> {
        Ok(self.inner.owner)
    }

    /// The boot of the host after which all was started again that should be; none before there was one.
    pub async fn handled_boot(&self) -> Result<Option<String>, StoreError> {
        let boot = self.one(sql("SELECT boot FROM installation"), |row| row.maybe_text("boot"));
        Ok(boot.await?.flatten())
    }

    /// Writes down that after this boot of the host all was started again that should be.
    pub async fn set_handled_boot(&self, boot: &str) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        tx.run(sql("UPDATE installation SET boot = $1").bind(boot)).await?;
        tx.commit().await
    }

    /// Begins a transaction that writes.
    pub(crate) async fn begin(&self) -> Result<Tx, StoreError> {
        Tx::begin(&self.inner).await
    }

    /// Reads at most one row.
    pub(crate) async fn optional(&self, statement: Sql) -> Result<Option<AnyRow>, StoreError> {
        if let Some(mut open) = Dry::read().await {
            return open.optional(statement).await;
        }
        let row = statement.fetch_optional(&self.inner.readers).await;
        row.map_err(|error| self.inner.database.error(error))
    }

    /// Reads rows.
    pub(crate) async fn all(&self, statement: Sql) -> Result<Vec<AnyRow>, StoreError> {
        if let Some(mut open) = Dry::read().await {
            return open.all(statement).await;
        }
        let rows = statement.fetch_all(&self.inner.readers).await;
        rows.map_err(|error| self.inner.database.error(error))
    }

    /// Reads a list of records.
    pub(crate) async fn list<T>(
        &self,
        statement: Sql,
        read: fn(&AnyRow) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        self.all(statement).await?.iter().map(read).collect()
    }

    /// Reads a record if it is there.
    pub(crate) async fn one<T>(
        &self,
        statement: Sql,
        read: fn(&AnyRow) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        self.optional(statement).await?.as_ref().map(read).transpose()
    }
}

async fn make_owner(database: &Database, connection: &mut AnyConnection) -> Result<OwnerId, StoreError> {
    let made_at = crate::record::now().as_microsecond();
    let insert = sql("INSERT INTO installation (id, made_at) SELECT $1, $2 \
                    WHERE NOT EXISTS (SELECT 1 FROM installation)");
    let made = insert
        .bind(OwnerId::new().to_string())
        .bind(made_at)
        .execute(&mut *connection)
        .await;
    made.map_err(|error| database.error(error))?;
    let row = sql("SELECT id FROM installation").fetch_one(&mut *connection).await;
    row.map_err(|error| database.error(error))?.parsed("id")
}
