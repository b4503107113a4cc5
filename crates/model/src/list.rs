//! How a list is asked for: in which order, from where, which names.
//!
//! A cursor is where a page ended: the value that the list is in the order of, and the id, which tells equal values
//! apart. So a page begins right after it whatever was made or deleted meanwhile, the entry of the cursor too.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::name::Name;

/// What a list may be in the order of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SortKey {
    /// When an entry was made.
    CreatedAt,
    /// What it is called.
    Name,
}

impl SortKey {
    /// Every key.
    pub const ALL: &'static [Self] = &[Self::CreatedAt, Self::Name];

    /// The key as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CreatedAt => "created_at",
            Self::Name => "name",
        }
    }
}

/// An order of a list: `created_at` and `name`, upwards, or downwards with a `-` before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sort {
    /// By what.
    pub key: SortKey,
    /// The other way round.
    pub descending: bool,
}

impl Sort {
    /// Oldest first.
    pub const OLDEST: Self = Self {
        key: SortKey::CreatedAt,
        descending: false,
    };
    /// By name.
    pub const NAME: Self = Self {
        key: SortKey::Name,
        descending: false,
    };
}

/// What was given is no order of a list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{}' is none of created_at, -created_at, name, -name", .0.escape_debug())]
pub struct ParseSortError(pub String);

impl FromStr for Sort {
    type Err = ParseSortError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let word = text.strip_prefix('-').unwrap_or(text);
        let key = SortKey::ALL.iter().find(|key| key.as_str() == word);
        Ok(Self {
            key: *key.ok_or_else(|| ParseSortError(text.to_owned()))?,
            descending: word.len() < text.len(),
        })
    }
}

impl fmt::Display for Sort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.descending { "-" } else { "" };
        write!(f, "{sign}{}", self.key.as_str())
    }
}

/// Where a page ended. Written so that nobody takes it for something to be made up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// The order of the list that it is of.
    pub sort: Sort,
    /// The value of the last entry that the list is in the order of.
    pub key: String,
    /// The id of the last entry.
    pub id: String,
}

/// What was given is no cursor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is not the 'next' of a page")]
pub struct ParseCursorError;

impl FromStr for Cursor {
    type Err = ParseCursorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| ParseCursorError)?;
        let text = String::from_utf8(bytes).map_err(|_| ParseCursorError)?;
        let mut parts = text.split(' ');
        let (Some(sort), Some(key), Some(id), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(ParseCursorError);
        };
        let sort: Sort = sort.parse().map_err(|_| ParseCursorError)?;
        // A moment is a number, and a name has no character that a database doesn't keep.
        let fits = match sort.key {
            SortKey::CreatedAt => key.parse::<i64>().is_ok(),
            SortKey::Name => key.is_empty() || key.parse::<Name>().is_ok(),
        };
        let id_fits = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_graphic());
        if !fits || !id_fits {
            return Err(ParseCursorError);
        }
        Ok(Self {
            sort,
            key: key.to_owned(),
            id: id.to_owned(),
        })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(format!("{} {} {}", self.sort, self.key, self.id)))
    }
}

/// Which names are wanted: one, or with a `*` at the end all that begin so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamePattern {
    /// That name.
    Exactly(String),
    /// Names that begin so.
    Prefix(String),
}

/// What was given is no name and no beginning of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{}' is neither a name nor the beginning of names, such as 'web-*': letters, digits, '.', '_' and '-'",
    .0.escape_debug()
)]
pub struct ParseNamePatternError(pub String);

impl FromStr for NamePattern {
    type Err = ParseNamePatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (begins, pattern): (&str, fn(String) -> Self) = match text.strip_suffix('*') {
            Some(begins) => (begins, Self::Prefix),
            None => (text, Self::Exactly),
        };
        let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if text.is_empty() || begins.len() > Name::MAX || !begins.chars().all(known) {
            return Err(ParseNamePatternError(text.to_owned()));
        }
        Ok(pattern(begins.to_owned()))
    }
}
