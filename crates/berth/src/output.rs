//! What is printed: results on stdout, everything else on stderr.
//!
//! ```text
//!   value ─┬─ table ─▶ a comfy Table ─▶ table::lines: as wide as the terminal, states in colours
//!          ├─ json, yaml: as the API has it
//!          └─ name ─▶ names::Named: a line each, for scripts
//! ```
//!
//! Colours are anstream's: only on a terminal, or as `NO_COLOR` and `CLICOLOR_FORCE` say.

mod names;
mod table;

use std::io::{self, IsTerminal as _, Write as _};

use comfy_table::Table;
use jiff::Timestamp;
use serde::Serialize;

use crate::cli::Format;
use crate::failure::Failure;
pub(crate) use names::Named;
pub(crate) use table::{fields, lines, table};

/// Prints a value: as the API has it, by its name, or as a table of these rows.
pub(crate) fn print<T: Serialize + Named + ?Sized>(
    format: Format,
    value: &T,
    table: impl FnOnce(&T) -> Table,
) -> anyhow::Result<()> {
    show(format, value, |value| lines(&table(value)))
}

/// Prints a value: as the API has it, by its name, or as this text.
pub(crate) fn show<T: Serialize + Named + ?Sized>(
    format: Format,
    value: &T,
    text: impl FnOnce(&T) -> String,
) -> anyhow::Result<()> {
    Ok(raw(page(format, value, text)?.as_bytes())?)
}

/// What [`show`] prints.
pub(crate) fn page<T: Serialize + Named + ?Sized>(
    format: Format,
    value: &T,
    text: impl FnOnce(&T) -> String,
) -> anyhow::Result<String> {
    if format == Format::Name {
        let names = value.names().into_iter();
        return Ok(names.map(|name| name + "\n").collect());
    }
    unnamed(format, value, text)
}

/// Prints a value that has no name: as the API has it, or as this text.
pub(crate) fn text<T: Serialize + ?Sized>(
    format: Format,
    value: &T,
    text: impl FnOnce(&T) -> String,
) -> anyhow::Result<()> {
    Ok(raw(unnamed(format, value, text)?.as_bytes())?)
}

fn unnamed<T: Serialize + ?Sized>(
    format: Format,
    value: &T,
    text: impl FnOnce(&T) -> String,
) -> anyhow::Result<String> {
    match format {
        Format::Table | Format::Csv => Ok(text(value)),
        Format::Json => Ok(serde_json::to_string_pretty(value)? + "\n"),
        Format::Yaml => Ok(serde_yaml_ng::to_string(value)?),
        Format::Name => Err(no_name().into()),
    }
}

/// What is said where `-o name` makes no sense.
pub(crate) fn no_name() -> Failure {
    Failure::invalid("-o name prints the names of what is listed, shown or made, and this has none: use json or yaml")
}

/// Prints bytes as they are, at once.
pub(crate) fn raw(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}

/// Prints text; colours in it are taken out unless somebody sees them.
pub(crate) fn seen(text: &str) -> io::Result<()> {
    let mut stdout = anstream::stdout();
    write!(stdout, "{text}").and_then(|()| stdout.flush())
}

/// Prints a line.
pub(crate) fn line(text: &str) -> io::Result<()> {
    raw(format!("{text}\n").as_bytes())
}

/// Says something on stderr; colours in it are taken out unless somebody sees them.
pub(crate) fn error(text: &str) {
    // There is nobody to tell that there is nobody to tell.
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Asks something on stderr; the answer is typed behind it.
pub(crate) fn ask(text: &str) {
    let mut stderr = anstream::stderr();
    let _ = write!(stderr, "{text}").and_then(|()| stderr.flush());
}

/// Whether there is somebody who types and sees what is asked: stdin and stderr are a terminal.
pub(crate) fn may_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// How long ago something was, in one unit.
pub(crate) fn ago(at: Timestamp) -> String {
    let seconds = Timestamp::now().duration_since(at).as_secs().max(0);
    let (number, unit) = match seconds {
        0..60 => (seconds, "s"),
        60..3600 => (seconds / 60, "min"),
        3600..86_400 => (seconds / 3600, "h"),
        _ => (seconds / 86_400, "d"),
    };
    format!("{number} {unit} ago")
}

/// An amount of bytes in the unit that fits.
pub(crate) fn bytes(bytes: u64) -> String {
    indicatif::BinaryBytes(bytes).to_string()
}

/// A value, or a dash.
pub(crate) fn or_dash(value: Option<&String>) -> String {
    value.cloned().unwrap_or_else(|| "-".to_owned())
}
