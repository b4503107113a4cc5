//! `berthd clean`: removes everything that this installation has made, and nothing else.
//!
//! What is removed is found by our mark, not by the records: domains whose metadata names this installation, kernel
//! names with its prefix, files that are named by our ids.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use berth_model::Code;
use berth_store::Database;

use crate::config::Config;
use crate::failure::Failure;
use crate::locks;
use crate::parts::Parts;

/// How long libvirt may take to be reached: without it the guests can't be removed.
const REACHED_WITHIN: Duration = Duration::from_secs(15);

/// Removes all of it, or says what would be removed.
pub(crate) async fn clean(config: Config, dry_run: bool) -> Result<(), Failure> {
    if !config.state_dir.exists() {
        say(&format!(
            "nothing to remove: {} is not there",
            config.state_dir.display()
        ));
        return Ok(());
    }
    let (_, _socket) = locks::socket(&config.socket, locks::Admitted::default())?;
    let parts = Parts::open(&config).await?;
    let owner = parts.store.owner().await?;
    let state_dir = config.state_dir.clone();
    let database = config.database.clone();
    let socket = config.socket.clone();
    let removed = tokio::task::spawn_blocking(move || {
        domains(&parts, owner, dry_run)?;
        networks(&parts, dry_run)?;
        files(&parts, dry_run)?;
        if !dry_run {
            state(&state_dir, &database)?;
            // Cleared by `locks::socket` already if it was there; a lock file is all that can be left.
            let _ = std::fs::remove_file(&socket);
            let mut lock = socket.into_os_string();
            lock.push(".lock");
            let _ = std::fs::remove_file(lock);
        }
        Ok(())
    });
    removed.await.map_err(|panic| Failure::internal(panic.to_string()))?
}

fn domains(parts: &Parts, owner: berth_model::OwnerId, dry_run: bool) -> Result<(), Failure> {
    let hypervisor = &parts.hypervisor.0;
    hypervisor.wait_up(REACHED_WITHIN)?;
    for domain in hypervisor.domains()? {
        if domain.identity.as_ref().is_some_and(|identity| identity.owner == owner) {
            say(&format!("domain {}", domain.name));
            if !dry_run {
                hypervisor.destroy(domain.id)?;
                hypervisor.undefine(domain.id)?;
            }
        }
    }
    Ok(())
}

fn networks(parts: &Parts, dry_run: bool) -> Result<(), Failure> {
    let found = parts.network.inventory()?;
    for tap in &found.taps {
        say(&format!("tap {}", tap.name));
        if !dry_run {
            parts.network.remove_tap(tap)?;
        }
    }
    let there = found
        .namespaces
        .iter()
        .chain(found.dnsmasq.iter().map(|process| &process.namespace));
    for name in there.collect::<std::collections::BTreeSet<_>>() {
        say(&format!("namespace {name}"));
        if !dry_run {
            parts.network.remove_namespace(name)?;
        }
    }
    for address in &found.public {
        say(&format!("public IP {address}"));
    }
    if !dry_run {
        parts.network.remove_host()?;
    }
    Ok(())
}

fn files(parts: &Parts, dry_run: bool) -> Result<(), Failure> {
    let found = parts.storage.inventory()?;
    for id in found.instances {
        say(&format!("instance {id}"));
        if !dry_run {
            parts.storage.delete_instance_dir(id)?;
        }
    }
    for id in found.layers {
        say(&format!("volume {id}"));
        if !dry_run {
            parts.storage.delete_layers(&[id])?;
        }
    }
    for id in found.images {
        say(&format!("image {id}"));
        if !dry_run {
            parts.storage.delete_image(id)?;
        }
    }
    for id in parts.storage.downloads()? {
        say(&format!("download {id}"));
        if !dry_run {
            parts.storage.forget_download(id)?;
        }
    }
    for path in found.unknown {
        say(&format!("left alone, not known: {}", path.display()));
    }
    Ok(())
}

/// Removes the database and the directories, as far as nothing unknown is in them.
fn state(dir: &Path, database: &Database) -> Result<(), Failure> {
    if let Database::Sqlite(path) = database {
        for suffix in ["", "-wal", "-shm", ".lock"] {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            remove(std::fs::remove_file(&name), Path::new(&name))?;
        }
    }
    remove(std::fs::remove_file(dir.join("berthd.lock")), dir)?;
    for log in std::fs::read_dir(dir.join("audit")).into_iter().flatten().flatten() {
        let name = log.file_name();
        if name.as_encoded_bytes().starts_with(b"audit") && name.as_encoded_bytes().ends_with(b".log") {
            remove(std::fs::remove_file(log.path()), &log.path())?;
        }
    }
    for sub in ["images", "volumes", "instances", "downloads", "tmp", "network", "audit"] {
        // A directory with something unknown in it stays, and so does the one above it.
        let _ = std::fs::remove_dir(dir.join(sub));
    }
    let _ = std::fs::remove_dir(dir);
    Ok(())
}

fn remove(result: std::io::Result<()>, path: &Path) -> Result<(), Failure> {
    match result {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Failure::new(
            Code::StorageError,
            format!("removing {}: {error}", path.display()),
        )),
    }
}

fn say(line: &str) {
    // Whoever closed stdout doesn't want to know.
    let _ = writeln!(std::io::stdout(), "{line}");
}
