//! Opening: one daemon a database, the schema of the program, and words for what is wrong with a disk.

use std::path::Path;

use berth_model::{Code, Labels};
use berth_store::{Database, Store, StoreError};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use sqlx::{Connection as _, Executor as _};

use crate::support::*;

on_both! {
    a_second_daemon_is_refused
    what_was_written_is_there_after_reopening
    a_database_of_a_newer_program_is_refused
    a_closed_store_does_nothing
}

async fn a_second_daemon_is_refused(bed: Bed) {
    let refused = Store::open(&bed.database).await.unwrap_err();
    assert!(matches!(refused, StoreError::Locked { .. }), "{refused}");
    assert_eq!(refused.code(), Code::AlreadyRunning);
    bed.store
        .insert_keypair(&keypair("still-here"), &Labels::default())
        .await
        .unwrap();
    bed.store.close().await;
    Store::open(&bed.database).await.unwrap().close().await;
}

async fn what_was_written_is_there_after_reopening(mut bed: Bed) {
    let (owner, seq) = (bed.store.owner().await.unwrap(), bed.store.last_seq().await.unwrap());
    bed.restart().await;
    assert_eq!(bed.store.owner().await.unwrap(), owner);
    assert_eq!(bed.store.last_seq().await.unwrap(), seq);
    assert_eq!(bed.store.image(bed.image.id).await.unwrap().unwrap(), bed.image);
    assert!(["sqlite", "postgres"].contains(&bed.store.kind()));
}

async fn a_database_of_a_newer_program_is_refused(bed: Bed) {
    bed.store.close().await;
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 SELECT 999, 'of the future', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1";
    bed.execute(newer).await;
    let refused = Store::open(&bed.database).await.unwrap_err();
    assert!(matches!(refused, StoreError::Newer { found: 999, .. }), "{refused}");
    assert!(refused.to_string().contains("schema 999"), "{refused}");
}

async fn a_closed_store_does_nothing(bed: Bed) {
    bed.store.close().await;
    assert!(matches!(
        bed.store.insert_keypair(&keypair("late"), &Labels::default()).await,
        Err(StoreError::Interrupted)
    ));
    assert!(bed.store.last_seq().await.is_err());
}

#[tokio::test]
async fn one_file_by_two_paths_is_one_database() {
    let dir = tempfile::tempdir().unwrap();
    let (file, link) = (dir.path().join("berth.db"), dir.path().join("link.db"));
    let store = Store::open(&Database::Sqlite(file.clone())).await.unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    assert!(matches!(
        Store::open(&Database::Sqlite(link)).await,
        Err(StoreError::Locked { .. })
    ));
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600, "user data holds secrets");
    store.close().await;
}

#[tokio::test]
async fn a_path_is_taken_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let odd = dir.path().join("a ?mode=ro#%2e&b.db");
    let store = Store::open(&Database::Sqlite(odd.clone())).await.unwrap();
    store.insert_keypair(&keypair("a"), &Labels::default()).await.unwrap();
    store.close().await;
    assert!(odd.exists());
}

#[tokio::test]
async fn a_file_that_cannot_be_opened_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let text = dir.path().join("notes.txt");
    std::fs::write(
        &text,
        "this is no database, and long enough to be taken for one. ".repeat(100),
    )
    .unwrap();
    let directory = dir.path().join("directory");
    std::fs::create_dir(&directory).unwrap();
    for path in [dir.path().join("missing/berth.db"), directory, text] {
        let refused = Store::open(&Database::Sqlite(path.clone())).await.unwrap_err();
        assert_eq!(refused.code(), Code::StorageError, "{refused}");
        assert!(refused.to_string().contains(&path.display().to_string()), "{refused}");
    }
}

/// Runs something on a file system of 4 MiB that only its own thread sees, and that ends with it.
fn on_a_small_disk(body: impl FnOnce(&Path) + Send + 'static) {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().to_owned();
    let thread = std::thread::spawn(move || {
        if let Err(error) = unshare(CloneFlags::CLONE_NEWNS) {
            eprintln!("SKIPPED: a full disk needs a mount namespace, and so root: {error}");
            return;
        }
        mount(
            None::<&str>,
            "/",
            None::<&str>,
            MsFlags::MS_REC | MsFlags::MS_PRIVATE,
            None::<&str>,
        )
        .unwrap();
        mount(Some("tmpfs"), &at, Some("tmpfs"), MsFlags::empty(), Some("size=4m")).unwrap();
        body(&at);
    });
    thread.join().unwrap();
}

/// SQLite's thread is made by the one that asks for it, and so is on the same disk.
fn block_on(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future);
}

#[test]
fn a_full_disk_is_said_to_be_full_and_recovered_from() {
    on_a_small_disk(|dir| {
        block_on(async {
            let store = Store::open(&Database::Sqlite(dir.join("berth.db"))).await.unwrap();
            let filler = dir.join("filler");
            std::fs::write(&filler, vec![0; 3 << 20]).unwrap();
            let write_on = async || {
                for number in 0..2000 {
                    store
                        .insert_keypair(&keypair(&format!("key-{number}")), &Labels::default())
                        .await?;
                }
                Ok(())
            };
            let full: StoreError = write_on().await.unwrap_err();
            assert_eq!(full.code(), Code::StorageFull, "{full}");
            assert!(full.to_string().contains("berth.db"), "{full}");
            let seq = store.last_seq().await.unwrap();
            std::fs::remove_file(&filler).unwrap();
            store
                .insert_keypair(&keypair("after"), &Labels::default())
                .await
                .unwrap();
            assert_eq!(store.last_seq().await.unwrap(), seq + 1);
        });
    });
}

#[test]
fn a_disk_that_became_read_only_is_said_to_be() {
    on_a_small_disk(|dir| {
        block_on(async {
            let database = Database::Sqlite(dir.join("berth.db"));
            Store::open(&database).await.unwrap().close().await;
            let read_only = MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
            mount(None::<&str>, dir, None::<&str>, read_only, None::<&str>).unwrap();
            let refused = Store::open(&database).await.unwrap_err();
            assert_eq!(refused.code(), Code::StorageError, "{refused}");
            assert!(refused.to_string().contains("berth.db"), "{refused}");
        });
    });
}

#[test]
fn a_daemon_that_lost_its_connection_writes_again_only_with_the_lock() {
    let Some(server) = crate::postgres::Server::get() else {
        eprintln!("SKIPPED: no PostgreSQL");
        return;
    };
    runtime().block_on(async {
        let scratch = server.scratch().await;
        let bed = Bed::new(scratch.database.clone()).await;
        let mut past = scratch.connect().await;
        let end = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted \
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        past.execute(end).await.unwrap();
        bed.store
            .insert_keypair(&keypair("after-the-first"), &Labels::default())
            .await
            .unwrap();

        past.execute(end).await.unwrap();
        past.execute("SELECT pg_advisory_lock(285169841256)").await.unwrap();
        let refused = bed
            .store
            .insert_keypair(&keypair("without"), &Labels::default())
            .await
            .unwrap_err();
        assert!(matches!(refused, StoreError::Locked { .. }), "{refused}");
        past.execute("SELECT pg_advisory_unlock(285169841256)").await.unwrap();
        bed.store
            .insert_keypair(&keypair("with"), &Labels::default())
            .await
            .unwrap();
        past.close().await.unwrap();
        scratch.remove().await;
    });
}
