//! Rows read into types: what doesn't parse is said to be corrupt, with the column.

use std::fmt::Display;
use std::str::FromStr;

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::Row as _;
use sqlx::any::{Any, AnyArguments, AnyRow};

use crate::StoreError;

/// A statement with its arguments.
pub(crate) type Sql = sqlx::query::Query<'static, Any, AnyArguments>;

/// A statement; its text is one of ours, never made from what came from outside.
pub(crate) fn sql(text: &'static str) -> Sql {
    sqlx::query(text)
}

/// Reads columns by name.
pub(crate) trait Columns {
    /// Text that may be NULL.
    fn maybe_text(&self, column: &str) -> Result<Option<String>, StoreError>;
    /// A number that may be NULL.
    fn maybe_number(&self, column: &str) -> Result<Option<i64>, StoreError>;

    /// Text.
    fn text(&self, column: &str) -> Result<String, StoreError> {
        self.maybe_text(column)?
            .ok_or_else(|| StoreError::corrupt(column, "it is NULL"))
    }

    /// A number within a type's range.
    fn number<T: TryFrom<i64>>(&self, column: &str) -> Result<T, StoreError> {
        let number = self
            .maybe_number(column)?
            .ok_or_else(|| StoreError::corrupt(column, "it is NULL"))?;
        T::try_from(number).map_err(|_| StoreError::corrupt(column, &format!("{number} is out of range")))
    }

    /// A boolean, kept as 0 or 1.
    fn flag(&self, column: &str) -> Result<bool, StoreError> {
        Ok(self.number::<i64>(column)? != 0)
    }

    /// A moment that may be NULL.
    fn maybe_time(&self, column: &str) -> Result<Option<Timestamp>, StoreError> {
        let time = |micros| Timestamp::from_microsecond(micros).map_err(|error| StoreError::corrupt(column, &error));
        self.maybe_number(column)?.map(time).transpose()
    }

    /// A moment.
    fn time(&self, column: &str) -> Result<Timestamp, StoreError> {
        self.maybe_time(column)?
            .ok_or_else(|| StoreError::corrupt(column, "it is NULL"))
    }

    /// What a type reads from text that may be NULL.
    fn maybe_parsed<T: FromStr<Err: Display>>(&self, column: &str) -> Result<Option<T>, StoreError> {
        let parse = |text: String| text.parse().map_err(|error| StoreError::corrupt(column, &error));
        self.maybe_text(column)?.map(parse).transpose()
    }

    /// What a type reads from text.
    fn parsed<T: FromStr<Err: Display>>(&self, column: &str) -> Result<T, StoreError> {
        self.text(column)?
            .parse()
            .map_err(|error| StoreError::corrupt(column, &error))
    }

    /// JSON that may be NULL.
    fn maybe_json<T: DeserializeOwned>(&self, column: &str) -> Result<Option<T>, StoreError> {
        let read = |text: String| serde_json::from_str(&text).map_err(|error| StoreError::corrupt(column, &error));
        self.maybe_text(column)?.map(read).transpose()
    }

    /// JSON.
    fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T, StoreError> {
        self.maybe_json(column)?
            .ok_or_else(|| StoreError::corrupt(column, "it is NULL"))
    }

    /// The word that serde has for one of several cases.
    fn word<T: DeserializeOwned>(&self, column: &str) -> Result<T, StoreError> {
        let word = serde_json::Value::String(self.text(column)?);
        serde_json::from_value(word).map_err(|error| StoreError::corrupt(column, &error))
    }
}

impl Columns for AnyRow {
    fn maybe_text(&self, column: &str) -> Result<Option<String>, StoreError> {
        self.try_get(column)
            .map_err(|error| StoreError::corrupt(column, &error))
    }

    fn maybe_number(&self, column: &str) -> Result<Option<i64>, StoreError> {
        self.try_get(column)
            .map_err(|error| StoreError::corrupt(column, &error))
    }
}

/// Something as JSON text.
pub(crate) fn to_json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::corrupt("a value to be written", &error))
}

/// Something that may be missing as JSON text.
pub(crate) fn maybe_to_json<T: Serialize>(value: Option<&T>) -> Result<Option<String>, StoreError> {
    value.map(to_json).transpose()
}

/// The word that serde has for one of several cases.
pub(crate) fn to_word<T: Serialize>(value: &T) -> Result<String, StoreError> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => Ok(word),
        Ok(other) => Err(StoreError::corrupt(
            "a value to be written",
            &format!("{other} is no word"),
        )),
        Err(error) => Err(StoreError::corrupt("a value to be written", &error)),
    }
}

/// An amount as the databases keep numbers.
pub(crate) fn to_number<T: TryInto<i64>>(value: T) -> Result<i64, StoreError> {
    value
        .try_into()
        .map_err(|_| StoreError::corrupt("a value to be written", "a number is out of range"))
}
