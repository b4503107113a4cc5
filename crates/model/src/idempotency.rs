//! Idempotency keys: a word of the client's own, by which a request that is sent again is known again.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// A client's name for one request, in the `Idempotency-Key` header.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

/// What was given can't be an idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key has 1 to {max} visible ASCII characters", max = IdempotencyKey::MAX)]
pub struct ParseIdempotencyKeyError;

impl IdempotencyKey {
    /// The header that carries it.
    pub const HEADER: &'static str = "Idempotency-Key";
    /// The most characters.
    pub const MAX: usize = 255;

    /// A key that nobody has used.
    pub fn random() -> Self {
        Self(Uuid::new_v4().to_string())
    }

    /// The key as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for IdempotencyKey {
    type Err = ParseIdempotencyKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = (1..=Self::MAX).contains(&text.len());
        if fits && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ParseIdempotencyKeyError)
        }
    }
}
