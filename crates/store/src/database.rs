//! Which database: a file of SQLite or a URL of PostgreSQL, and how either is opened.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sqlx::any::AnyConnectOptions;
use sqlx::error::DatabaseError;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Error as SqlxError};

use crate::StoreError;

/// Which database is used. Neither `Debug` nor `Display` shows a password.
#[derive(Clone, PartialEq, Eq)]
pub enum Database {
    /// A file of SQLite; made if it isn't there.
    Sqlite(PathBuf),
    /// A database of PostgreSQL by its URL, e.g. `postgres://berth@localhost/berth`. It has to be there already.
    Postgres(String),
}

/// What was given names no database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: a database is 'sqlite:PATH' or 'postgres://USER@HOST/NAME'")]
pub struct ParseDatabaseError {
    /// What is wrong; never the text itself, which may hold a password.
    pub reason: String,
}

impl FromStr for Database {
    type Err = ParseDatabaseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |reason: &str| ParseDatabaseError {
            reason: reason.to_owned(),
        };
        if let Some(path) = text.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return match path {
                "" => Err(wrong("the path is empty")),
                // Every connection would have one of its own, gone with the daemon.
                ":memory:" => Err(wrong("a database in memory keeps nothing")),
                _ => Ok(Self::Sqlite(PathBuf::from(path))),
            };
        }
        if !(text.starts_with("postgres://") || text.starts_with("postgresql://")) {
            return Err(wrong("neither SQLite nor PostgreSQL"));
        }
        match text.parse::<PgConnectOptions>() {
            Ok(_) => Ok(Self::Postgres(text.to_owned())),
            Err(_) => Err(wrong("not a URL of PostgreSQL")),
        }
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "{}", path.display()),
            // Built from what was understood of the URL: cutting out a password might leave a piece of it.
            Self::Postgres(url) => match url.parse::<PgConnectOptions>() {
                Ok(options) => {
                    let name = options.get_database().unwrap_or(options.get_username());
                    let host = options
                        .get_socket()
                        .map_or(options.get_host().to_owned(), |path| path.display().to_string());
                    write!(f, "'{name}' of PostgreSQL at {host}, port {}", options.get_port())
                }
                Err(_) => f.write_str("of PostgreSQL"),
            },
        }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Self::Sqlite(_) => "Sqlite",
            Self::Postgres(_) => "Postgres",
        };
        write!(f, "{kind}({self})")
    }
}

impl Database {
    /// Its word in `berth host show`.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Postgres(_) => "postgres",
        }
    }

    /// The same database by the one path it has, so that two ways to name a file are one lock.
    pub(crate) fn resolved(&self) -> Result<Self, StoreError> {
        let Self::Sqlite(path) = self else {
            return Ok(self.clone());
        };
        let resolved = match path.canonicalize() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => through_parent(path),
            other => other,
        };
        let unreachable = |error: std::io::Error| StoreError::Storage {
            database: self.to_string(),
            reason: error.to_string(),
        };
        Ok(Self::Sqlite(resolved.map_err(unreachable)?))
    }

    /// How sqlx's `Any` driver is told to connect.
    pub(crate) fn options(&self) -> Result<AnyConnectOptions, StoreError> {
        let url = match self {
            Self::Sqlite(path) => sqlite_url(path).ok_or_else(|| StoreError::Storage {
                database: self.to_string(),
                reason: "its path is not UTF-8".to_owned(),
            })?,
            Self::Postgres(url) => url.clone(),
        };
        let options = url.parse::<AnyConnectOptions>().map_err(|source| self.error(source))?;
        Ok(options.disable_statement_logging())
    }

    /// An error of sqlx as one of ours: by the codes of SQLite and PostgreSQL.
    pub(crate) fn error(&self, source: SqlxError) -> StoreError {
        let code = source
            .as_database_error()
            .and_then(DatabaseError::code)
            .unwrap_or_default();
        let database = self.to_string();
        let storage = |source: &SqlxError| StoreError::Storage {
            database: database.clone(),
            reason: source.to_string(),
        };
        match self {
            // The low byte is the primary code: https://www.sqlite.org/rescode.html
            Self::Sqlite(_) => match code.parse::<u32>().map(|code| code & 0xff) {
                Ok(13) => StoreError::Full { database },
                // READONLY, IOERR, CORRUPT, CANTOPEN, NOTADB.
                Ok(8 | 10 | 11 | 14 | 26) => storage(&source),
                _ => StoreError::Database {
                    database,
                    reason: source,
                },
            },
            // https://www.postgresql.org/docs/current/errcodes-appendix.html
            Self::Postgres(_) => match code.as_ref() {
                "53100" => StoreError::Full { database },
                "25006" | "58030" | "XX001" | "XX002" => storage(&source),
                "55P03" => StoreError::Locked { database },
                _ => StoreError::Database {
                    database,
                    reason: source,
                },
            },
        }
    }
}

/// The path of a file that isn't there yet, by the directory that has to be.
fn through_parent(path: &Path) -> std::io::Result<PathBuf> {
    let name = path
        .file_name()
        .ok_or_else(|| std::io::Error::other("the path names no file"))?;
    let parent = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    Ok(parent.canonicalize()?.join(name))
}

/// A file as a URL: everything that could mean something in a URL is escaped.
fn sqlite_url(path: &Path) -> Option<String> {
    use fmt::Write as _;
    let mut url = String::from("sqlite:");
    for byte in path.to_str()?.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'.') {
            url.push(char::from(byte));
        } else {
            let _ = write!(url, "%{byte:02X}");
        }
    }
    url.push_str("?mode=rwc");
    Some(url)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn passwords_are_never_shown() {
        for url in [
            "postgres://berth:s3cret@db.example/berth",
            "postgres://berth:s3cret%40x@db.example:5433/berth?sslmode=disable",
            "postgres://db.example/berth?user=berth&password=s3cret",
            "postgres:///berth?host=/run/postgresql&password=s3cret",
        ] {
            let database: Database = url.parse().unwrap();
            let shown = format!(
                "{database} {database:?} {:?}",
                Database::Postgres(format!("{url}:nonsense"))
            );
            assert!(!shown.contains("s3cret"), "{shown}");
            assert!(shown.contains("'berth' of PostgreSQL"), "{shown}");
        }
        let refused = "postgres//u:s3cret@h/d".parse::<Database>().unwrap_err();
        assert!(!format!("{refused} {refused:?}").contains("s3cret"));
    }

    #[test]
    fn what_is_no_database_is_refused() {
        for text in [
            "",
            "berth.db",
            "sqlite:",
            "sqlite::memory:",
            "mysql://h/d",
            "postgres://[",
        ] {
            assert!(text.parse::<Database>().is_err(), "{text:?} was taken");
        }
        assert_eq!("sqlite:///a/b.db".parse(), Ok(Database::Sqlite("/a/b.db".into())));
        assert_eq!("sqlite:a b.db".parse(), Ok(Database::Sqlite("a b.db".into())));
    }

    #[test]
    fn a_path_can_mean_nothing_but_itself() {
        assert_eq!(
            sqlite_url(Path::new("/a/?mode=ro#%2e")).unwrap(),
            "sqlite:/a/%3Fmode%3Dro%23%252e?mode=rwc"
        );
    }
}
