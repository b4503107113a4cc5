//! Labels: what people write on a resource to find it again, `key=value`.
//!
//! A key is narrow, for it stands in addresses and on command lines: letters, digits, `.`, `_`, `-` and `/`. A value is
//! any text that fits on a line. A resource has each key once, and at most 64 of them.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The most labels of a resource.
pub const LABELS_MAX: usize = 64;

/// The key of a label.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LabelKey(String);

/// The value of a label; may be empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LabelValue(String);

/// What was given can't be a label.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// The key has no characters, or too many.
    #[error("a label's key has 1 to {max} characters, this one has {0}", max = LabelKey::MAX)]
    KeyLength(usize),
    /// The key has a character that keys don't have.
    #[error("a label's key has only letters a-z and A-Z, digits, '.', '_', '-' and '/', and this one has {0:?}")]
    KeyCharacter(char),
    /// The key begins or ends with something else than a letter or digit.
    #[error("a label's key begins and ends with a letter or a digit, and '{0}' does not")]
    KeyEdge(String),
    /// The value has too many characters.
    #[error("a label's value has at most {max} characters, this one has {0}", max = LabelValue::MAX)]
    ValueLength(usize),
    /// The value has a control character.
    #[error("a label's value has no control characters, and this one has {0:?}")]
    ValueCharacter(char),
    /// There is no `=` where a label is given as `KEY=VALUE`.
    #[error("'{}' is not KEY=VALUE", .0.escape_debug())]
    NoValue(String),
    /// There are more than a resource may have.
    #[error("a resource has at most {LABELS_MAX} labels, and these are {0}")]
    TooMany(usize),
    /// The same key is given twice.
    #[error("the key '{0}' is given twice")]
    Twice(String),
}

impl LabelKey {
    /// The longest key in characters.
    pub const MAX: usize = 63;

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for LabelKey {
    type Err = LabelError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let length = text.chars().count();
        if !(1..=Self::MAX).contains(&length) {
            return Err(LabelError::KeyLength(length));
        }
        let strange = |c: &char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/'));
        if let Some(c) = text.chars().find(strange) {
            return Err(LabelError::KeyCharacter(c));
        }
        let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        if !edge(text.chars().next()) || !edge(text.chars().last()) {
            return Err(LabelError::KeyEdge(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl LabelValue {
    /// The longest value in characters.
    pub const MAX: usize = 255;

    /// The value as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for LabelValue {
    type Err = LabelError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let length = text.chars().count();
        if length > Self::MAX {
            return Err(LabelError::ValueLength(length));
        }
        match text.chars().find(|c| c.is_control()) {
            Some(c) => Err(LabelError::ValueCharacter(c)),
            None => Ok(Self(text.to_owned())),
        }
    }
}

/// Both are text with a rule: shown as they are, read by the rule.
macro_rules! text {
    ($($name:ident)+) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = LabelError;

            fn try_from(text: String) -> Result<Self, LabelError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }
    )+};
}
text!(LabelKey LabelValue);

/// One label, as it is given on a command line or in an address: `KEY=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Its key.
    pub key: LabelKey,
    /// Its value.
    pub value: LabelValue,
}

impl FromStr for Label {
    type Err = LabelError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (key, value) = text
            .split_once('=')
            .ok_or_else(|| LabelError::NoValue(text.to_owned()))?;
        Ok(Self {
            key: key.parse()?,
            value: value.parse()?,
        })
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.key, self.value)
    }
}

/// Which resources are wanted: those with a label of that key, and of that value if one is given: `KEY` or `KEY=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelSelector {
    /// The key.
    pub key: LabelKey,
    /// The value; any without.
    pub value: Option<LabelValue>,
}

impl FromStr for LabelSelector {
    type Err = LabelError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (key, value) = match text.split_once('=') {
            Some((key, value)) => (key, Some(value.parse()?)),
            None => (text, None),
        };
        Ok(Self {
            key: key.parse()?,
            value,
        })
    }
}

/// The labels of a resource.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<LabelKey, LabelValue>", into = "BTreeMap<LabelKey, LabelValue>")]
pub struct Labels(BTreeMap<LabelKey, LabelValue>);

impl Labels {
    /// Each of them, in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&LabelKey, &LabelValue)> {
        self.0.iter()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of that key.
    pub fn get(&self, key: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known.as_str() == key);
        found.map(|(_, value)| value.as_str())
    }

    /// These labels, each key once.
    pub fn of(labels: impl IntoIterator<Item = Label>) -> Result<Self, LabelError> {
        let mut all = BTreeMap::new();
        for Label { key, value } in labels {
            if let Some(twice) = all.insert(key.clone(), value).map(|_| key) {
                return Err(LabelError::Twice(twice.0));
            }
        }
        Self::try_from(all)
    }
}

impl TryFrom<BTreeMap<LabelKey, LabelValue>> for Labels {
    type Error = LabelError;

    fn try_from(labels: BTreeMap<LabelKey, LabelValue>) -> Result<Self, LabelError> {
        match labels.len() {
            0..=LABELS_MAX => Ok(Self(labels)),
            many => Err(LabelError::TooMany(many)),
        }
    }
}

impl From<Labels> for BTreeMap<LabelKey, LabelValue> {
    fn from(labels: Labels) -> Self {
        labels.0
    }
}

/// A change of labels as a JSON merge patch has it (RFC 7396): a value sets its key, `null` takes it away, keys that
/// aren't named stay; `null` in place of all of them takes all away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    from = "Option<BTreeMap<LabelKey, Option<LabelValue>>>",
    into = "Option<BTreeMap<LabelKey, Option<LabelValue>>>"
)]
pub enum LabelPatch {
    /// Keys that are set, and keys that are taken away.
    Keys(BTreeMap<LabelKey, Option<LabelValue>>),
    /// All are taken away.
    Clear,
}

impl LabelPatch {
    /// Whether it changes nothing, whatever there is.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Keys(keys) if keys.is_empty())
    }

    /// The labels as they are after it.
    pub fn apply(&self, to: Labels) -> Result<Labels, LabelError> {
        let Self::Keys(keys) = self else {
            return Ok(Labels::default());
        };
        let mut all = to.0;
        for (key, value) in keys {
            match value {
                Some(value) => drop(all.insert(key.clone(), value.clone())),
                None => drop(all.remove(key)),
            }
        }
        Labels::try_from(all)
    }
}

impl Default for LabelPatch {
    fn default() -> Self {
        Self::Keys(BTreeMap::new())
    }
}

impl From<Option<BTreeMap<LabelKey, Option<LabelValue>>>> for LabelPatch {
    fn from(given: Option<BTreeMap<LabelKey, Option<LabelValue>>>) -> Self {
        given.map_or(Self::Clear, Self::Keys)
    }
}

impl From<LabelPatch> for Option<BTreeMap<LabelKey, Option<LabelValue>>> {
    fn from(patch: LabelPatch) -> Self {
        match patch {
            LabelPatch::Keys(keys) => Some(keys),
            LabelPatch::Clear => None,
        }
    }
}
