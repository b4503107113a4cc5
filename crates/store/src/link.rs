//! Connections: what each is told when it is made, and the lock that keeps a second daemon out.
//!
//! ```text
//!   SQLite       flock on FILE.lock, for as long as the store lives
//!   PostgreSQL   pg_advisory_lock, held by the one connection that writes: when it is lost, so is the lock, and the
//!                next one takes it first. It doesn't live behind a pooler that shares sessions (pgbouncer).
//! ```

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Once;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{AnyConnection, AnyPool, Connection as _, Executor as _};

use crate::{Database, StoreError};

/// How many connections read at the same time.
const READERS: u32 = 8;

/// How long a reader waits for a connection.
const PATIENCE: Duration = Duration::from_secs(10);

/// What each connection of SQLite is told. FULL: a commit that was answered survives a power cut.
const SQLITE: &str =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 5000";
const SQLITE_READER: &str = "PRAGMA busy_timeout = 5000; PRAGMA query_only = ON";

/// What the connection of PostgreSQL that writes is told. The lock is named by "Berth" in ASCII. The server notices
/// within a minute that the other end of a connection is gone, and with it the lock; an ordinary end is noticed at
/// once, hence the short wait.
const POSTGRES: &str = "SET synchronous_commit = on; SET tcp_keepalives_idle = 15; SET tcp_keepalives_interval = 15; \
     SET tcp_keepalives_count = 3; SET lock_timeout = '3s'; SELECT pg_advisory_lock(285169841256); RESET lock_timeout";
const POSTGRES_READER: &str = "SET default_transaction_read_only = on";

/// What keeps the ledger from being changed: by a defect of ours, or by a hand that slips.
const SQLITE_LEDGER: &str = "\
    CREATE TRIGGER IF NOT EXISTS ledger_stays BEFORE UPDATE ON ledger \
        BEGIN SELECT RAISE(ABORT, 'entries of the ledger are never changed'); END; \
    CREATE TRIGGER IF NOT EXISTS ledger_grows BEFORE DELETE ON ledger \
        BEGIN SELECT RAISE(ABORT, 'entries of the ledger are never deleted'); END";
const POSTGRES_LEDGER: &str = "\
    CREATE OR REPLACE FUNCTION ledger_only_grows() RETURNS trigger LANGUAGE plpgsql AS \
        $$ BEGIN RAISE EXCEPTION 'entries of the ledger are never changed or deleted'; END $$; \
    DROP TRIGGER IF EXISTS ledger_grows ON ledger; \
    CREATE TRIGGER ledger_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger \
        FOR EACH STATEMENT EXECUTE FUNCTION ledger_only_grows()";

/// The lock on a database of SQLite.
pub(crate) type FileLock = Flock<File>;

/// Takes the lock next to a database of SQLite, and makes its file, readable by nobody else: user data holds secrets.
pub(crate) fn lock(database: &Database) -> Result<Option<FileLock>, StoreError> {
    let Database::Sqlite(path) = database else {
        return Ok(None);
    };
    let storage = |error: std::io::Error| StoreError::Storage {
        database: database.to_string(),
        reason: error.to_string(),
    };
    let mut beside = path.clone().into_os_string();
    beside.push(".lock");
    let file = private_file(Path::new(&beside)).map_err(storage)?;
    let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| match errno {
        Errno::EWOULDBLOCK => StoreError::Locked {
            database: database.to_string(),
        },
        other => storage(other.into()),
    })?;
    private_file(path).map_err(storage)?;
    Ok(Some(lock))
}

fn private_file(path: &Path) -> std::io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

/// The connection that writes.
pub(crate) async fn writer(database: &Database) -> Result<AnyConnection, StoreError> {
    install_drivers();
    let say = match database {
        Database::Sqlite(_) => SQLITE,
        Database::Postgres(_) => POSTGRES,
    };
    let options = database.options()?;
    let opened = async {
        let mut connection = AnyConnection::connect_with(&options).await?;
        connection.execute(sqlx::raw_sql(say)).await?;
        Ok(connection)
    };
    opened.await.map_err(|error| database.error(error))
}

/// Makes sure that the database refuses to change or delete entries of the ledger.
pub(crate) async fn guard_ledger(database: &Database, connection: &mut AnyConnection) -> Result<(), StoreError> {
    let say = match database {
        Database::Sqlite(_) => SQLITE_LEDGER,
        Database::Postgres(_) => POSTGRES_LEDGER,
    };
    let said = connection.execute(sqlx::raw_sql(say)).await;
    said.map(|_| ()).map_err(|error| database.error(error))
}

/// The connections that read, made when they are needed.
pub(crate) fn readers(database: &Database) -> Result<AnyPool, StoreError> {
    install_drivers();
    let say = match database {
        Database::Sqlite(_) => SQLITE_READER,
        Database::Postgres(_) => POSTGRES_READER,
    };
    let options: AnyConnectOptions = database.options()?;
    let pool = AnyPoolOptions::new()
        .max_connections(READERS)
        .acquire_timeout(PATIENCE)
        // A file doesn't hang up.
        .test_before_acquire(matches!(database, Database::Postgres(_)))
        .after_connect(move |connection, _| {
            Box::pin(async move { connection.execute(sqlx::raw_sql(say)).await.map(|_| ()) })
        });
    Ok(pool.connect_lazy_with(options))
}

fn install_drivers() {
    static ONCE: Once = Once::new();
    ONCE.call_once(sqlx::any::install_default_drivers);
}
