//! Names as people give them: parsed once at the border, safe everywhere after it.
//!
//! A name ends up in a guest's hostname, a table on a terminal, domain XML and a DHCP answer, so the rule is the
//! strictest of those: letters, digits, `.`, `_` and `-`, no more than fits a DNS label. A name can't look like an
//! id, so that "name or id" is never ambiguous.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The name of an instance, image, key pair, volume or network.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// What was given can't be a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseNameError {
    /// It has no characters, or too many.
    #[error("a name has 1 to {max} characters, this one has {0}", max = Name::MAX)]
    Length(usize),
    /// It has a character that names don't have.
    #[error("a name has only letters a-z and A-Z, digits, '.', '_' and '-', and this one has {0:?}")]
    Character(char),
    /// It begins or ends with something else than a letter or digit.
    #[error("a name begins and ends with a letter or a digit, and '{0}' does not")]
    Edge(String),
    /// It looks like an id.
    #[error("'{0}' looks like an id: choose a name that is not a UUID")]
    LooksLikeId(String),
}

impl Name {
    /// The longest name in characters: a DNS label (RFC 1035, 2.3.4).
    pub const MAX: usize = 63;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the `number`th of several made at once: `web` becomes `web-3`.
    pub fn numbered(&self, number: u32) -> Result<Self, ParseNameError> {
        format!("{}-{number}", self.0).parse()
    }

    /// The name as a hostname (RFC 1123): lower case, with `-` for what a hostname doesn't have.
    pub fn hostname(&self) -> String {
        self.0.to_ascii_lowercase().replace(['.', '_'], "-")
    }
}

impl FromStr for Name {
    type Err = ParseNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let length = text.chars().count();
        if !(1..=Self::MAX).contains(&length) {
            return Err(ParseNameError::Length(length));
        }
        let strange = text
            .chars()
            .find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')));
        if let Some(c) = strange {
            return Err(ParseNameError::Character(c));
        }
        let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        if !edge(text.chars().next()) || !edge(text.chars().last()) {
            return Err(ParseNameError::Edge(text.to_owned()));
        }
        if Uuid::try_parse(text).is_ok() {
            return Err(ParseNameError::LooksLikeId(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Name {
    type Error = ParseNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl std::convert::From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}
