//! From what was written to one table: the file, then the environment, then the flags, each of which wins over the one
//! before it.
//!
//! ```text
//!   berthd.toml ─┐
//!   BERTHD_…    ─┼─▶ Given: key, value, who says so ─▶ each put in and parsed ─▶ the table, defaults filled in
//!   --flags     ─┘                                       │
//!                                                        └▶ wrong: told with the line, the variable or the flag
//! ```

use std::ffi::OsString;
use std::path::Path;

use serde::Deserialize as _;
use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use crate::failure::{Failure, wrong};
use crate::key::{self, Key, Kind};
use crate::keys::{self, File, Leaf};

/// What the variables of the environment that set a key begin with.
const PREFIX: &str = "BERTHD_";

/// How alike two words are if one could be meant by the other; 1 is the same (Jaro-Winkler).
const ALIKE: f64 = 0.85;

/// A value, and who says so.
pub(crate) struct Given {
    /// The line of a file, a variable or a flag.
    pub(crate) by: String,
    /// The key, with the tables it is in.
    pub(crate) path: Vec<&'static str>,
    /// What it is to be.
    pub(crate) value: Value,
}

/// Puts the layers together; every key that has a default has a value then.
pub(crate) fn put_together(layers: Vec<Vec<Given>>) -> Result<Table, Failure> {
    let mut table = Table::new();
    for layer in layers {
        // Keys of one table may need each other: they are put in together.
        for same in layer.chunk_by(|one, next| one.path.first() == next.path.first()) {
            for one in same {
                set(&mut table, &one.path, one.value.clone());
            }
            if let Err(error) = parse(&filled(table.clone())?) {
                let by: Vec<_> = same.iter().map(|one| one.by.as_str()).collect();
                return Err(wrong(&by.join(", "), &one_line(&error)));
            }
        }
    }
    filled(table)
}

/// The configuration of a table that [`put_together`] has made.
pub(crate) fn parse(table: &Table) -> Result<File, toml::de::Error> {
    File::deserialize(table.clone())
}

/// What a file says.
pub(crate) fn of_file(path: &Path, text: &str) -> Result<Vec<Given>, Failure> {
    let place = |at: usize| {
        let line = text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1;
        format!("{}, line {line}", path.display())
    };
    let unreadable = |error: toml::de::Error| {
        let at = error.span().map_or(0, |span| span.start);
        wrong(&place(at), &error.message().replace('\n', ", "))
    };
    let written = DeTable::parse(text).map_err(unreadable)?;
    known(written.get_ref(), File::KEYS, "", &place)?;
    let mut values: Table = text.parse().map_err(unreadable)?;
    let mut given = Vec::new();
    for key in File::KEYS {
        if let Some(value) = values.remove(key.name) {
            let found = written.get_ref().keys().find(|name| name.get_ref() == key.name);
            given.push(Given {
                by: place(found.map_or(0, |name| name.span().start)),
                path: vec![key.name],
                value,
            });
        }
    }
    Ok(given)
}

/// What the environment says.
pub(crate) fn of_environment(variables: impl Iterator<Item = (OsString, OsString)>) -> Result<Vec<Given>, Failure> {
    let leaves = keys::leaves();
    let mut given = Vec::new();
    for (name, value) in variables {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else {
            continue;
        };
        let Some(leaf) = leaves.iter().find(|leaf| leaf.variable() == name) else {
            let names: Vec<_> = leaves.iter().map(Leaf::variable).collect();
            return Err(unknown(name, "sets no key", names.iter().map(String::as_str), name));
        };
        let Some(text) = value.to_str() else {
            return Err(wrong(name, &"is not UTF-8"));
        };
        given.push(Given {
            by: name.to_owned(),
            path: leaf.path.clone(),
            value: value_of(leaf.key.kind, text).map_err(|error| wrong(name, &one_line(&error)))?,
        });
    }
    given.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(given)
}

/// A value as a variable has it: a text as it is, all else as in TOML.
fn value_of(kind: Kind, text: &str) -> Result<Value, toml::de::Error> {
    match kind {
        Kind::Text => Ok(Value::String(text.to_owned())),
        Kind::Limit => Ok(text
            .parse()
            .map_or_else(|_| Value::String(text.to_owned()), Value::Integer)),
        Kind::Texts | Kind::Names | Kind::Integer | Kind::Number | Kind::Switch | Kind::Table(_) | Kind::Tables(_) => {
            Value::deserialize(toml::de::ValueDeserializer::parse(text)?)
        }
    }
}

/// Refuses a key that is in no list.
fn known(
    table: &DeTable<'_>,
    keys: &'static [Key],
    above: &str,
    place: &impl Fn(usize) -> String,
) -> Result<(), Failure> {
    for (name, value) in table {
        let written = format!("{above}{}", name.get_ref());
        let Some(key) = keys.iter().find(|key| key.name == name.get_ref()) else {
            let what = format!("'{written}' is no key");
            let names = keys.iter().map(|key| key.name);
            return Err(unknown(&place(name.span().start), &what, names, name.get_ref()));
        };
        let below = format!("{written}.");
        match (key.kind, value.get_ref()) {
            (Kind::Table(inner), DeValue::Table(table)) => known(table, inner, &below, place)?,
            (Kind::Tables(inner), DeValue::Array(tables)) => {
                for table in tables.iter().filter_map(|one| one.get_ref().as_table()) {
                    known(table, inner, &below, place)?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// That there is no such key, with the one that is most like it.
fn unknown<'a>(by: &str, what: &str, names: impl Iterator<Item = &'a str>, written: &str) -> Failure {
    let alike = names.map(|name| (strsim::jaro_winkler(name, written), name));
    match alike.max_by(|one, other| one.0.total_cmp(&other.0)) {
        Some((ratio, name)) if ratio >= ALIKE => wrong(by, &format!("{what}: did you mean '{name}'?")),
        _ => wrong(by, &format!("{what}: see berthd.toml(5)")),
    }
}

fn set(table: &mut Table, path: &[&'static str], value: Value) {
    match path {
        [] => {}
        [name] => {
            table.insert((*name).to_owned(), value);
        }
        [name, below @ ..] => {
            let inner = table.entry(*name).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(inner) = inner {
                set(inner, below, value);
            }
        }
    }
}

/// Puts in what is not there and has a default.
fn filled(mut table: Table) -> Result<Table, Failure> {
    fill(&mut table, File::KEYS).map_err(|error| Failure::internal(format!("a default: {error}")))?;
    Ok(table)
}

fn fill(table: &mut Table, keys: &'static [Key]) -> Result<(), toml::de::Error> {
    for key in keys {
        if let (key::Value::Default(text), false) = (key.value, table.contains_key(key.name)) {
            let value = Value::deserialize(toml::de::ValueDeserializer::parse(text)?)?;
            table.insert(key.name.to_owned(), value);
        }
        if let (Kind::Table(inner), Some(Value::Table(table))) = (key.kind, table.get_mut(key.name)) {
            fill(table, inner)?;
        }
    }
    Ok(())
}

/// Where a value of a table is.
pub(crate) fn get<'a>(table: &'a Table, path: &[&'static str]) -> Option<&'a Value> {
    match path {
        [] => None,
        [name] => table.get(*name),
        [name, below @ ..] => get(table.get(*name)?.as_table()?, below),
    }
}

/// Gives a value of `table` the value that it has in `other`.
pub(crate) fn take(table: &mut Table, other: &Table, path: &[&'static str]) {
    if let Some(value) = get(other, path) {
        set(table, path, value.clone());
    } else if let [above @ .., name] = path {
        let mut inner = above
            .iter()
            .try_fold(table, |table, name| table.get_mut(*name)?.as_table_mut());
        if let Some(inner) = &mut inner {
            inner.remove(*name);
        }
    }
}

fn one_line(error: &toml::de::Error) -> String {
    error.to_string().trim().replace('\n', " ")
}
