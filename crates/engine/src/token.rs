//! API tokens: made, shown once, known again, revoked.
//!
//! ```text
//!   berth_0198f3c27a107e1b9d0a5c1f6f4e2b11_<43 characters>
//!         └ id: finds the record            └ secret: 256 random bits; the record has their SHA-256
//! ```
//!
//! The secret is compared in constant time, and what a token is worth is what its user is in the project *now*, up to
//! the role that the token was made with: who is no member any more has tokens that are worth nothing.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use berth_model::{Name, Role, TokenId, User};
use berth_store::{Page, TokenRecord};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};
use ssh_key::getrandom::SysRng;
use ssh_key::rand_core::TryRng as _;
use subtle::ConstantTimeEq as _;

use crate::{Engine, EngineError};

/// What every token begins with, so that one is known for what it is where it shouldn't be.
pub const TOKEN_PREFIX: &str = "berth_";

/// How long a token is good if nothing is said: 90 days.
pub const TOKEN_TTL: Duration = Duration::from_hours(90 * 24);

/// The longest that a token is good: ten years.
const TTL_MAX: Duration = Duration::from_hours(3650 * 24);

/// How much later than the last time a use is written down.
const USED_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// What a token is asked to be.
#[derive(Debug, Clone)]
pub struct CreateToken {
    /// What it is called.
    pub name: Name,
    /// Whose it is.
    pub owner: User,
    /// The project that it is good for, and the most it may be there; none for an operator's.
    pub scope: Option<(String, Role)>,
    /// How long it is good; [`TOKEN_TTL`] if not given.
    pub ttl: Option<Duration>,
}

/// A token as it is made.
pub struct NewToken {
    /// The record: all that is kept.
    pub record: TokenRecord,
    /// The token itself, to be shown once.
    pub token: String,
}

/// Why a token is no good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadToken {
    /// It was never one.
    #[error("there is no such token")]
    Unknown,
    /// It was revoked.
    #[error("the token was revoked at {0}")]
    Revoked(Timestamp),
    /// It is too old.
    #[error("the token expired at {0}")]
    Expired(Timestamp),
}

impl Engine {
    /// Makes a token.
    pub async fn create_token(&self, new: CreateToken, by: &User) -> Result<NewToken, EngineError> {
        let ttl = new.ttl.unwrap_or(TOKEN_TTL);
        if ttl.is_zero() || ttl > TTL_MAX {
            let message = format!("a token is good for 1 second to {} seconds", TTL_MAX.as_secs());
            return Err(EngineError::invalid("ttl_seconds", message));
        }
        let mut secret = [0; 32];
        SysRng
            .try_fill_bytes(&mut secret)
            .map_err(|error| EngineError::Internal(format!("the kernel's random numbers: {error}")))?;
        let secret = URL_SAFE_NO_PAD.encode(secret);
        let now = Timestamp::now();
        let expires = now.checked_add(ttl);
        let record = TokenRecord {
            id: TokenId::new(),
            name: new.name,
            owner: new.owner,
            scope: new.scope,
            hash: hash(&secret),
            made_by: by.clone(),
            created_at: now,
            expires_at: expires.map_err(|error| EngineError::invalid("ttl_seconds", error))?,
            last_used_at: None,
            revoked_at: None,
        };
        self.world.store.insert_token(&record).await?;
        let token = format!("{TOKEN_PREFIX}{}_{secret}", record.id.as_uuid().simple());
        Ok(NewToken { record, token })
    }

    /// The record of the token that somebody presents, if it is good now. Its use is written down, to the minute.
    pub async fn present_token(&self, token: &str) -> Result<Result<TokenRecord, BadToken>, EngineError> {
        let Some((id, secret)) = parse(token) else {
            return Ok(Err(BadToken::Unknown));
        };
        let Some(record) = self.world.store.token(id).await? else {
            return Ok(Err(BadToken::Unknown));
        };
        if !bool::from(hash(secret).as_bytes().ct_eq(record.hash.as_bytes())) {
            return Ok(Err(BadToken::Unknown));
        }
        let now = Timestamp::now();
        if let Some(at) = record.revoked_at {
            return Ok(Err(BadToken::Revoked(at)));
        }
        if record.expires_at <= now {
            return Ok(Err(BadToken::Expired(record.expires_at)));
        }
        if record
            .last_used_at
            .is_none_or(|last| now.duration_since(last) > USED_EVERY)
        {
            self.world.store.token_used(id).await?;
        }
        Ok(Ok(record))
    }

    /// A page of a user's tokens, or of all.
    pub async fn list_tokens(
        &self,
        owner: Option<&User>,
        page: Page<TokenId>,
    ) -> Result<Vec<TokenRecord>, EngineError> {
        Ok(self.world.store.tokens(owner, page).await?)
    }

    /// The token with that id, or a user's with that name; any user's by its id if none is given.
    pub async fn find_token(&self, owner: Option<&User>, reference: &str) -> Result<TokenRecord, EngineError> {
        Ok(self.world.store.find_token(owner, reference).await?)
    }

    /// Makes a token worth nothing from now on.
    pub async fn revoke_token(&self, id: TokenId) -> Result<(), EngineError> {
        Ok(self.world.store.revoke_token(id).await?)
    }
}

/// A text that is a token, or the beginning of one with some of its secret, as it may be shown; none for any other.
pub fn token_without_secret(text: &str) -> Option<String> {
    let (id, _) = parse(text)?;
    Some(format!("{TOKEN_PREFIX}{}_***", id.as_uuid().simple()))
}

/// The id and the secret that a token is made of.
fn parse(token: &str) -> Option<(TokenId, &str)> {
    let (id, secret) = token.strip_prefix(TOKEN_PREFIX)?.split_once('_')?;
    Some((id.parse().ok()?, secret))
}

/// What is kept of a secret. One of 256 random bits needs no salt and no slow hash: it can't be guessed.
fn hash(secret: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(secret.as_bytes()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_token_is_read_back_whatever_its_secret_has() {
        let id = TokenId::new();
        let token = format!("{TOKEN_PREFIX}{}_a_b-c", id.as_uuid().simple());
        assert_eq!(parse(&token), Some((id, "a_b-c")));
        let shown = format!("{TOKEN_PREFIX}{}_***", id.as_uuid().simple());
        assert_eq!(token_without_secret(&token), Some(shown));
        for bad in ["", "berth_", "berth_x_y", "Bearer x", &token[1..]] {
            assert_eq!(parse(bad), None, "{bad}");
            assert_eq!(token_without_secret(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_kept_of_a_secret_is_its_sha256() {
        // NIST's example of a message of three bytes (FIPS 180-4).
        let expected = "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0";
        assert_eq!(hash("abc"), expected);
    }
}
