//! The schema: numbered files that both databases take, embedded, applied in order and each in a transaction.
//!
//! Runs after the database's lock is taken, so never twice at the same time. A file that was released is never
//! changed: sqlx keeps its checksum. A database with a number that isn't here was written by a newer program.

use std::borrow::Cow;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{AnyConnection, SqlStr};

use crate::{Database, StoreError};

/// Every version of the schema: its number, what it brings, its statements.
const VERSIONS: &[(i64, &str, &str)] = &[
    (1, "start", include_str!("../migrations/0001_start.sql")),
    (2, "history", include_str!("../migrations/0002_history.sql")),
    (3, "idempotency", include_str!("../migrations/0003_idempotency.sql")),
    (4, "shelf", include_str!("../migrations/0004_shelf.sql")),
    (5, "policy", include_str!("../migrations/0005_policy.sql")),
    (6, "volumes", include_str!("../migrations/0006_volumes.sql")),
    (
        7,
        "image_properties",
        include_str!("../migrations/0007_image_properties.sql"),
    ),
    (8, "networks", include_str!("../migrations/0008_networks.sql")),
    (9, "projects", include_str!("../migrations/0009_projects.sql")),
    (10, "ledger", include_str!("../migrations/0010_ledger.sql")),
    (11, "quotas", include_str!("../migrations/0011_quotas.sql")),
    (12, "labels", include_str!("../migrations/0012_labels.sql")),
];

/// Brings the schema to the newest version.
pub(crate) async fn migrate(database: &Database, connection: &mut AnyConnection) -> Result<(), StoreError> {
    let migration = |(number, what, statements): &(i64, &'static str, &'static str)| {
        let statements = SqlStr::from_static(statements);
        Migration::new(*number, Cow::Borrowed(*what), MigrationType::Simple, statements, false)
    };
    let migrator = Migrator::with_migrations(VERSIONS.iter().map(migration).collect());
    migrator
        .run_direct(None, connection, false)
        .await
        .map_err(|error| explain(database, error))
}

fn explain(database: &Database, error: MigrateError) -> StoreError {
    match error {
        MigrateError::VersionMissing(found) => StoreError::Newer {
            database: database.to_string(),
            found,
            known: VERSIONS.last().map_or(0, |(number, ..)| *number),
        },
        MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _) => database.error(source),
        other => StoreError::corrupt("the schema", &other),
    }
}
