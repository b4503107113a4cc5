//! The daemon's configuration as it is to be: the file that is there, with what was asked for put in.
//!
//! What else is in the file stays, comments too. The new one is written beside it, `berthd --check` looks at it, and only
//! then it takes the old one's place, which is kept as `berthd.toml.old`.

use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use nix::unistd::Group;
use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, value};

use super::{Init, checks};
use crate::failure::Failure;

/// Where the state is if nothing else is said.
pub(super) const STATE_DIR: &str = "/var/lib/berth";

/// Who may use the socket, if there is such a group.
pub(super) const GROUP: &str = "berth";

const HEAD: &str = "\
# The configuration of berthd, begun by 'berth init'. Every key with its default: berthd.toml(5).
# 'berthd --check' says whether it is right, 'systemctl reload berthd' has it read again.

";

/// A file as it is, and as it is to be.
pub(super) struct Plan {
    path: PathBuf,
    old: Option<String>,
    new: String,
}

impl Plan {
    pub(super) fn of(init: &Init, socket: Option<&Path>) -> anyhow::Result<Self> {
        let path = init.config.clone();
        let old = match std::fs::read_to_string(&path) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(wrong(&path, &error).into()),
        };
        let text = old.as_deref().unwrap_or_default();
        let document = text.parse::<DocumentMut>();
        let mut document = document.map_err(|error| wrong(&path, &error))?;
        put(&mut document, init, socket)?;
        let head = if old.is_some() { "" } else { HEAD };
        Ok(Self {
            path,
            new: format!("{head}{document}"),
            old,
        })
    }

    /// Whether the file isn't yet as it is to be.
    pub(super) fn changes(&self) -> bool {
        self.old.as_ref() != Some(&self.new)
    }

    /// The new file, or that there is nothing to do.
    pub(super) fn told(&self) -> String {
        let path = self.path.display();
        if !self.changes() {
            return format!("{path} is as it should be");
        }
        let how = if self.old.is_some() {
            "would be changed to"
        } else {
            "would be made"
        };
        format!("{path} {how}:\n\n{}", self.new.trim_end())
    }

    /// Writes it, if the daemon takes it.
    pub(super) fn write(&self) -> anyhow::Result<()> {
        let failed = |error: std::io::Error| wrong(&self.path, &error);
        let dir = self
            .path
            .parent()
            .filter(|dir| !dir.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        std::fs::create_dir_all(dir).map_err(failed)?;
        let mut new = tempfile::Builder::new()
            .suffix(".toml")
            .tempfile_in(dir)
            .map_err(failed)?;
        new.write_all(self.new.as_bytes()).map_err(failed)?;
        let readable = std::fs::Permissions::from_mode(0o644);
        new.as_file().set_permissions(readable).map_err(failed)?;
        new.as_file().sync_all().map_err(failed)?;
        check(new.path())?;
        if self.old.is_some() {
            let mut kept = self.path.clone().into_os_string();
            kept.push(".old");
            std::fs::copy(&self.path, kept).map_err(failed)?;
        }
        new.persist(&self.path).map_err(|error| failed(error.error))?;
        Ok(())
    }
}

/// The daemon: beside this program, or in the path.
pub(super) fn berthd() -> Result<PathBuf, Failure> {
    let own = std::env::current_exe().ok();
    let beside = own.and_then(|path| path.parent().map(|dir| dir.join("berthd")));
    let found = beside.filter(|path| path.is_file()).or_else(|| checks::which("berthd"));
    found.ok_or_else(|| Failure::invalid("berthd is neither beside this program nor in the PATH: install it first"))
}

/// Has the daemon look at a file.
fn check(path: &Path) -> anyhow::Result<()> {
    let looked = Command::new(berthd()?)
        .arg("--config")
        .arg(path)
        .arg("--check")
        .output();
    let looked = looked.context("running berthd --check")?;
    if looked.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&looked.stderr).trim().to_owned();
    let message = format!("the daemon doesn't take this configuration, and nothing was changed:\n{said}");
    Err(Failure::invalid(message).into())
}

fn wrong(path: &Path, why: &dyn std::fmt::Display) -> Failure {
    Failure::invalid(format!("{}: {why}", path.display()))
}

fn put(document: &mut DocumentMut, init: &Init, socket: Option<&Path>) -> anyhow::Result<()> {
    if let Some(dir) = &init.state_dir {
        set(document, "state_dir", value(text(&std::path::absolute(dir)?)?));
    }
    if let Some(socket) = socket {
        set(document, "socket", value(text(&std::path::absolute(socket)?)?));
    }
    if !document.contains_key("socket_group") && Group::from_name(GROUP).ok().flatten().is_some() {
        set(document, "socket_group", value(GROUP));
    }
    if let Some(subnet) = init.subnet {
        set(document, "subnet", value(subnet.to_string()));
    }
    if !init.admins.is_empty() {
        let mut operators = document
            .get("operators")
            .and_then(Item::as_array)
            .cloned()
            .unwrap_or_default();
        for admin in init.admins.iter().map(ToString::to_string) {
            if !operators.iter().any(|one| one.as_str() == Some(&admin)) {
                operators.push(admin);
            }
        }
        set(document, "operators", value(operators));
    }
    if let (Some(certificate), Some(key)) = (&init.certificate, &init.tls_key) {
        let mut tls = document
            .get("tls")
            .and_then(Item::as_table)
            .cloned()
            .unwrap_or_default();
        let listen: Array = init.listen.iter().map(ToString::to_string).collect();
        put_in(&mut tls, "listen", value(listen));
        put_in(
            &mut tls,
            "certificate",
            value(text(&std::path::absolute(certificate)?)?),
        );
        put_in(&mut tls, "key", value(text(&std::path::absolute(key)?)?));
        document.insert("tls", Item::Table(tls));
    }
    if !init.ranges.is_empty() {
        pool(document, init);
    }
    Ok(())
}

/// Puts a value in, unless it is there: how it is written is left alone then.
fn set(document: &mut DocumentMut, key: &str, item: Item) {
    put_in(document.as_table_mut(), key, item);
}

fn put_in(table: &mut Table, key: &str, item: Item) {
    let same = |there: &Item| there.to_string().trim() == item.to_string().trim();
    if !table.get(key).is_some_and(same) {
        table.insert(key, item);
    }
}

/// The pool of that name, as it was asked for; others stay.
fn pool(document: &mut DocumentMut, init: &Init) {
    let pools = document
        .entry("public_ip_pools")
        .or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
    let Some(pools) = pools.as_array_of_tables_mut() else {
        return;
    };
    let named = |table: &Table| table.get("name").and_then(Item::as_str) == Some(init.pool.as_str());
    let place = pools.iter().position(named);
    let place = place.unwrap_or_else(|| {
        pools.push(Table::new());
        pools.len() - 1
    });
    if let Some(table) = pools.get_mut(place) {
        put_in(table, "name", value(init.pool.as_str()));
        if let Some(interface) = &init.interface {
            put_in(table, "interface", value(interface.as_str()));
        }
        put_in(table, "ranges", value(init.ranges.iter().collect::<Array>()));
    }
}

fn text(path: &Path) -> anyhow::Result<&str> {
    let text = path.to_str();
    Ok(text.ok_or_else(|| Failure::invalid(format!("{}: not UTF-8", path.display())))?)
}
