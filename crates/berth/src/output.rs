//! What is printed: results on stdout, everything else on stderr.

#![allow(clippy::print_stderr, reason = "this is where it is printed")]

use std::io::{self, Write as _};

use comfy_table::Table;
use comfy_table::presets::NOTHING;
use jiff::Timestamp;
use serde::Serialize;

use crate::cli::Format;

/// Prints a value: as the API has it, or as a table of these rows.
pub(crate) fn print<T: Serialize>(format: Format, value: &T, table: impl FnOnce(&T) -> Table) -> io::Result<()> {
    text(format, value, |value| lines(&table(value)))
}

/// Prints a value: as the API has it, or as this text.
pub(crate) fn text<T: Serialize + ?Sized>(
    format: Format,
    value: &T,
    text: impl FnOnce(&T) -> String,
) -> io::Result<()> {
    let text = match format {
        Format::Table | Format::Csv => text(value),
        Format::Json => serde_json::to_string_pretty(value).map_err(io::Error::other)? + "\n",
        Format::Yaml => serde_yaml_ng::to_string(value).map_err(io::Error::other)?,
    };
    raw(text.as_bytes())
}

/// Prints bytes as they are, at once.
pub(crate) fn raw(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}

/// Prints a line.
pub(crate) fn line(text: &str) -> io::Result<()> {
    raw(format!("{text}\n").as_bytes())
}

/// Says something on stderr.
pub(crate) fn error(text: &str) {
    eprintln!("{text}");
}

/// A table with these headings and no borders.
pub(crate) fn table<const N: usize>(headings: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(headings.map(str::to_uppercase));
    for row in rows {
        table.add_row(row);
    }
    table
}

/// One thing: a line for each of its fields.
pub(crate) fn fields<const N: usize>(rows: [(&str, String); N]) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING);
    for (name, value) in rows {
        table.add_row([name.to_owned(), value]);
    }
    table
}

/// A table as text, without blanks at the ends of its lines.
pub(crate) fn lines(table: &Table) -> String {
    let mut text = String::new();
    for line in table.lines() {
        text.push_str(line.trim());
        text.push('\n');
    }
    text
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
