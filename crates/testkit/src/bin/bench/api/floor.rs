//! The floors: a server that does nothing, and SQLite by itself.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, Row as _, SqliteConnection};
use tokio::sync::Mutex;

use super::load::Latency;

/// The name that this program is called by again, to say hello.
const HELLO: &str = "hello";

/// An axum in a process of its own, as the daemon is in one.
pub(super) struct Hello {
    server: Child,
    socket: PathBuf,
}

/// SQLite as the store has it: WAL, and a commit is on the disk when it is answered.
pub(super) struct Raw {
    /// The daemon's database, to be read.
    records: Mutex<SqliteConnection>,
    /// One of its own on the same disk, to be written.
    scratch: Mutex<SqliteConnection>,
}

/// Serves hello on a socket until it is killed.
pub(crate) fn hello(socket: &str) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::UnixListener::bind(socket).unwrap();
        axum::serve(listener, Router::new().route("/", get(async || "hello")))
            .await
            .unwrap();
    });
}

impl Hello {
    pub(super) fn start(dir: &Path) -> Self {
        let socket = dir.join("hello.sock");
        let mut me = Command::new(std::env::current_exe().unwrap());
        let server = me.arg(HELLO).arg(&socket).spawn().unwrap();
        while std::os::unix::net::UnixStream::connect(&socket).is_err() {
            std::thread::sleep(Duration::from_millis(10));
        }
        Self { server, socket }
    }

    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }
}

impl Drop for Hello {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Raw {
    pub(super) async fn open(records: &Path, dir: &Path) -> Self {
        let options = |path: &Path| SqliteConnectOptions::new().filename(path).disable_statement_logging();
        let records = options(records).read_only(true).connect().await.unwrap();
        let scratch = options(&dir.join("scratch.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let mut scratch = scratch.connect().await.unwrap();
        let table = "CREATE TABLE keys (id TEXT PRIMARY KEY, name TEXT NOT NULL, text TEXT NOT NULL)";
        sqlx::query(table).execute(&mut scratch).await.unwrap();
        Self {
            records: Mutex::new(records),
            scratch: Mutex::new(scratch),
        }
    }

    /// The row of an instance.
    pub(super) async fn one(&self, id: &str, count: usize) -> Latency {
        let mut connection = self.records.lock().await;
        let mut times = Vec::new();
        for _ in 0..count {
            let begun = Instant::now();
            let query = sqlx::query("SELECT * FROM instances WHERE id = ?").bind(id);
            let row = query.fetch_one(&mut *connection).await.unwrap();
            assert_eq!(row.get::<String, _>("id"), id);
            times.push(begun.elapsed());
        }
        Latency::of(times)
    }

    /// A hundred rows from the middle.
    pub(super) async fn page(&self, half: usize, count: usize) -> Latency {
        let mut connection = self.records.lock().await;
        let middle = sqlx::query("SELECT id FROM instances ORDER BY id LIMIT 1 OFFSET ?");
        let middle = middle.bind(i64::try_from(half).unwrap() - 1);
        let middle: String = middle.fetch_one(&mut *connection).await.unwrap().get("id");
        let mut times = Vec::new();
        for _ in 0..count {
            let begun = Instant::now();
            let query = sqlx::query("SELECT * FROM instances WHERE id > ? ORDER BY id LIMIT 100").bind(&middle);
            let rows = query.fetch_all(&mut *connection).await.unwrap();
            assert_eq!(rows.len(), 100);
            times.push(begun.elapsed());
        }
        Latency::of(times)
    }

    /// A row in a transaction of its own.
    pub(super) async fn commits(&self, count: usize) -> Latency {
        let mut times = Vec::new();
        for _ in 0..count {
            let begun = Instant::now();
            self.commit().await;
            times.push(begun.elapsed());
        }
        Latency::of(times)
    }

    /// How many such transactions there are a second.
    pub(super) async fn commit_rate(&self, within: Duration) -> f64 {
        let (begun, mut count) = (Instant::now(), 0_u32);
        while begun.elapsed() < within {
            self.commit().await;
            count += 1;
        }
        f64::from(count) / begun.elapsed().as_secs_f64()
    }

    async fn commit(&self) {
        let mut connection = self.scratch.lock().await;
        let mut tx = connection.begin().await.unwrap();
        let insert = "INSERT INTO keys (id, name, text) VALUES (lower(hex(randomblob(16))), 'k', ?)";
        let text = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILWUZFbfOo4usQbeWQNRV33C6cyTrYAtRC9lRNLjjrRh";
        sqlx::query(insert).bind(text).execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
    }
}
