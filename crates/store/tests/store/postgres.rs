//! A real PostgreSQL: the one that `BERTH_TEST_POSTGRES` names, else a throw-away one of this process.
//!
//! The latter is made from Debian's packages in a temporary directory, as the user `postgres` when root, on a unix
//! socket only, without fsync. It ends with the last test that uses it, and with this process whatever becomes of it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use berth_store::Database;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User, geteuid};
use sqlx::{Connection as _, Executor as _, PgConnection};
use tempfile::TempDir;

/// A server.
pub(crate) struct Server {
    /// The URL of a database of it, from which others are made.
    url: String,
    _own: Option<Own>,
}

/// A server of this process.
struct Own {
    process: Pid,
    keeper: Option<JoinHandle<()>>,
    _dir: TempDir,
}

/// A database of a test's own.
pub(crate) struct Scratch {
    pub(crate) database: Database,
    server: Arc<Server>,
    name: String,
}

impl Server {
    /// The server that tests under way share; none if there can be none here.
    pub(crate) fn get() -> Option<Arc<Self>> {
        static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap();
        if let Some(server) = shared.upgrade() {
            return Some(server);
        }
        let server = Arc::new(match std::env::var("BERTH_TEST_POSTGRES") {
            Ok(url) => Self { url, _own: None },
            Err(_) => Self::start(&binaries()?),
        });
        *shared = Arc::downgrade(&server);
        Some(server)
    }

    fn start(binaries: &Path) -> Self {
        let dir = tempfile::Builder::new().prefix("berth-postgres-").tempdir().unwrap();
        let user = User::from_name("postgres").unwrap().filter(|_| geteuid().is_root());
        if let Some(user) = &user {
            std::os::unix::fs::chown(dir.path(), Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
        }
        let data = dir.path().join("data");
        let mut initdb = as_user(user.as_ref(), &binaries.join("initdb"));
        initdb
            .arg("-D")
            .arg(&data)
            .args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]);
        let made = initdb.output().unwrap();
        assert!(
            made.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&made.stderr)
        );

        let mut server = as_user(user.as_ref(), &binaries.join("postgres"));
        server.arg("-D").arg(&data).arg("-k").arg(dir.path());
        for setting in [
            "listen_addresses=",
            "fsync=off",
            "full_page_writes=off",
            "shared_buffers=16MB",
            "log_min_messages=fatal",
        ] {
            server.args(["-c", setting]);
        }
        server.stdout(Stdio::null()).stderr(Stdio::null());
        // The kernel ends the server with the thread that started it, so that thread stays as long as the server.
        let (tell, told) = std::sync::mpsc::channel();
        let keeper = std::thread::spawn(move || {
            let mut child = server.spawn().unwrap();
            tell.send(child.id()).unwrap();
            child.wait().unwrap();
        });
        let process = Pid::from_raw(told.recv().unwrap().try_into().unwrap());
        let url = format!("postgres://postgres@localhost/postgres?host={}", dir.path().display());
        wait_for(&dir.path().join(".s.PGSQL.5432"));
        Self {
            url,
            _own: Some(Own {
                process,
                keeper: Some(keeper),
                _dir: dir,
            }),
        }
    }

    /// A connection to the database that is always there.
    pub(crate) async fn connect(&self) -> PgConnection {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            match PgConnection::connect(&self.url).await {
                Ok(connection) => return connection,
                Err(error) => assert!(Instant::now() < deadline, "PostgreSQL can't be reached: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// A fresh database.
    pub(crate) async fn scratch(self: &Arc<Self>) -> Scratch {
        let name = format!("berth_test_{}", berth_model::OperationId::new().as_uuid().simple());
        let make = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
        self.connect().await.execute(sqlx::raw_sql(make)).await.unwrap();
        let database = Database::Postgres(in_database(&self.url, &name));
        Scratch {
            database,
            server: Arc::clone(self),
            name,
        }
    }
}

impl Scratch {
    /// A connection of its own, past the store.
    pub(crate) async fn connect(&self) -> PgConnection {
        PgConnection::connect(&in_database(&self.server.url, &self.name))
            .await
            .unwrap()
    }

    pub(crate) async fn remove(self) {
        let drop = sqlx::AssertSqlSafe(format!("DROP DATABASE {} WITH (FORCE)", self.name));
        self.server.connect().await.execute(sqlx::raw_sql(drop)).await.unwrap();
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let _ = kill(self.process, Signal::SIGQUIT);
        if let Some(keeper) = self.keeper.take() {
            let _ = keeper.join();
        }
    }
}

/// The same server, another database.
fn in_database(url: &str, name: &str) -> String {
    let (scheme, rest) = url.split_once("://").expect("BERTH_TEST_POSTGRES is a URL");
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let authority = path.split('/').next().unwrap_or_default();
    format!("{scheme}://{authority}/{name}?{query}")
}

/// The newest PostgreSQL of Debian's packages.
fn binaries() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .filter_map(Result::ok)
        .map(|entry| entry.path());
    let newest = versions.max_by_key(|path| path.file_name()?.to_str()?.parse::<u32>().ok())?;
    Some(newest.join("bin")).filter(|path| path.join("postgres").exists())
}

fn as_user(user: Option<&User>, program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    if let Some(user) = user {
        command
            .arg(format!("--reuid={}", user.uid))
            .arg(format!("--regid={}", user.gid))
            .arg("--clear-groups");
    }
    command.args(["--pdeathsig", "QUIT"]).arg(program).current_dir("/");
    command
}

fn wait_for(socket: &Path) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !socket.exists() {
        assert!(Instant::now() < deadline, "PostgreSQL did not start");
        std::thread::sleep(Duration::from_millis(10));
    }
}
