//! The keys of an issuer: asked for when they are needed, and kept.
//!
//! Keys are good for an hour without asking. If the issuer is away then, they go on being good for a day: who is
//! signed in needn't suffer for it. A token with a key that isn't among them asks for them anew, after a pause.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use reqwest::Url;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;

use super::OidcError;
use super::fetch::{is_loopback, json, trusted};

/// How long keys are good without asking.
const FRESH: Duration = Duration::from_hours(1);

/// How long they are good if the issuer can't be asked.
const KEPT: Duration = Duration::from_hours(24);

/// How long it takes at least until the issuer is asked again.
const PAUSE: Duration = Duration::from_secs(10);

/// The most keys of an issuer that are looked at.
const KEYS_MAX: usize = 64;

#[derive(Debug)]
pub(super) struct Keys {
    http: reqwest::Client,
    issuer: String,
    known: RwLock<Option<Arc<Known>>>,
    /// When the issuer was asked last, and why that failed. Who asks holds it: nobody asks twice.
    asked: Mutex<Option<(Instant, Option<String>)>>,
    pub(super) pause: Duration,
}

/// The keys that an issuer had at a time.
#[derive(Debug)]
struct Known {
    keys: Vec<Jwk>,
    at: Instant,
}

/// What is needed of an issuer's configuration (OpenID Connect Discovery 1.0, 3).
#[derive(Deserialize)]
struct Configuration {
    issuer: String,
    jwks_uri: Url,
}

/// The keys as they come (RFC 7517, 5): what isn't understood is left out, key by key.
#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Value>,
}

impl Keys {
    pub(super) fn new(issuer: String, http: reqwest::Client) -> Self {
        Self {
            http,
            issuer,
            known: RwLock::new(None),
            asked: Mutex::new(None),
            pause: PAUSE,
        }
    }

    /// The key of that id, or the only one, for that algorithm.
    pub(super) async fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Result<DecodingKey, OidcError> {
        let known = self.known();
        let found = known.as_ref().and_then(|known| known.find(id, algorithm));
        if let (Some(key), Some(known)) = (&found, &known)
            && known.at.elapsed() < FRESH
        {
            return Ok(key.clone());
        }
        match (self.renew(known.as_ref().map(|known| known.at)).await, found) {
            (Ok(renewed), _) => renewed
                .find(id, algorithm)
                .ok_or_else(|| OidcError::refused("it is signed by a key that the issuer doesn't have")),
            (Err(_), Some(key)) if known.is_some_and(|known| known.at.elapsed() < KEPT) => Ok(key),
            (Err(why), _) => Err(OidcError::Unavailable(why)),
        }
    }

    fn known(&self) -> Option<Arc<Known>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The keys as they are now: those that somebody else has asked for meanwhile, or asked for again, or after too
    /// short a pause those of the last time.
    async fn renew(&self, seen: Option<Instant>) -> Result<Arc<Known>, String> {
        let mut asked = self.asked.lock().await;
        let known = self.known();
        if let Some(known) = known.as_ref().filter(|known| Some(known.at) != seen) {
            return Ok(known.clone());
        }
        if let Some((at, failed)) = asked.as_ref()
            && at.elapsed() < self.pause
        {
            return match (failed, known) {
                (Some(why), _) => Err(why.clone()),
                (None, known) => known.ok_or_else(|| "it is being asked".to_owned()),
            };
        }
        // Noted before it is asked: a request that is given up on the way has asked all the same.
        *asked = Some((Instant::now(), None));
        match self.ask().await {
            Ok(keys) => {
                let known = Arc::new(Known {
                    keys,
                    at: Instant::now(),
                });
                *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(known.clone());
                Ok(known)
            }
            Err(why) => {
                tracing::warn!(issuer = %self.issuer, error = %why, "the issuer of tokens can't be asked for its keys");
                *asked = Some((Instant::now(), Some(why.clone())));
                Err(why)
            }
        }
    }

    async fn ask(&self) -> Result<Vec<Jwk>, String> {
        let at = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let at: Url = at.parse().map_err(|error| format!("{at}: {error}"))?;
        let on_loopback = is_loopback(&at);
        let configuration: Configuration = json(&self.http, at).await?;
        if configuration.issuer != self.issuer {
            return Err(format!("it calls itself '{}'", configuration.issuer));
        }
        let keys = configuration.jwks_uri;
        if !trusted(&keys) || is_loopback(&keys) && !on_loopback {
            return Err(format!("its keys are at {keys}, which is not https"));
        }
        let set: KeySet = json(&self.http, keys).await?;
        let parsed = set.keys.into_iter().take(KEYS_MAX);
        Ok(parsed.filter_map(|key| serde_json::from_value(key).ok()).collect())
    }
}

impl Known {
    fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<DecodingKey> {
        let fits = |key: &&Jwk| id.is_none_or(|id| key.common.key_id.as_deref() == Some(id)) && is_for(key, algorithm);
        let mut fitting = self.keys.iter().filter(fits);
        match (fitting.next(), fitting.next()) {
            // Which of several is meant can't be guessed.
            (Some(key), None) => DecodingKey::from_jwk(key).ok(),
            _ => None,
        }
    }
}

/// Whether a key is there for signatures by that algorithm (RFC 7517, 4; RFC 7518, 3.1; RFC 8037).
fn is_for(key: &Jwk, algorithm: Algorithm) -> bool {
    let common = &key.common;
    let meant = common
        .key_algorithm
        .is_none_or(|meant| meant == KeyAlgorithm::from(algorithm))
        && common
            .public_key_use
            .as_ref()
            .is_none_or(|used| *used == PublicKeyUse::Signature);
    meant
        && match (&key.algorithm, algorithm) {
            (
                AlgorithmParameters::RSA(_),
                Algorithm::RS256
                | Algorithm::RS384
                | Algorithm::RS512
                | Algorithm::PS256
                | Algorithm::PS384
                | Algorithm::PS512,
            ) => true,
            (AlgorithmParameters::EllipticCurve(key), Algorithm::ES256) => key.curve == EllipticCurve::P256,
            (AlgorithmParameters::EllipticCurve(key), Algorithm::ES384) => key.curve == EllipticCurve::P384,
            (AlgorithmParameters::OctetKeyPair(key), Algorithm::EdDSA) => key.curve == EllipticCurve::Ed25519,
            _ => false,
        }
}
