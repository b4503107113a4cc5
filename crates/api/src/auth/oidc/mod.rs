//! Bearer tokens of an OpenID Connect issuer: who somebody is, said by a server that the operator trusts with that.
//!
//! ```text
//!   token ─▶ header: an asymmetric algorithm, the key's id ─▶ keys: of the issuer, kept for an hour
//!                                                                └ discovery ─▶ JWKS (https, few, small, soon)
//!         ─▶ signature (ring) ─▶ iss, aud, exp, nbf ─▶ the claim that the operator has chosen ─▶ oidc:NAME
//! ```
//!
//! A token is checked here and nowhere kept; a key that isn't known is asked for, but not more often than every ten
//! seconds, however many tokens name it (OpenID Connect Core 1.0, 10.1.1; Discovery 1.0, 4; RFC 7519, RFC 8725).

mod fetch;
mod keys;
mod signatures;

use std::time::Duration;

use berth_model::{Code, User};
use jiff::Timestamp;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Validation};
use reqwest::Url;
use rustls::pki_types::CertificateDer;
use serde_json::{Map, Value};

use keys::Keys;

/// The algorithms that a token may be signed with: those where who checks can't sign.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// The longest token in bytes; those of large organisations have some kilobytes of groups in them.
const TOKEN_MAX: usize = 16 << 10;

/// How far the clocks of issuer and host may be apart, in seconds.
const LEEWAY: u32 = 30;

/// Whose tokens are taken, and for whom they have to be.
#[derive(Debug, Clone)]
pub struct OidcSettings {
    /// The issuer, exactly as its tokens have it (`iss`); https, or http on this host's loopback.
    pub issuer: String,
    /// What the tokens have to be meant for (`aud`).
    pub audience: String,
    /// The claim that becomes the user's name.
    pub claim: String,
    /// Who may vouch for the issuer's server; the system's authorities if it is empty.
    pub authorities: Vec<CertificateDer<'static>>,
}

/// Why a token isn't taken.
#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    /// It is no good.
    #[error("the token is not accepted: {0}")]
    Refused(String),
    /// Whether it is any good can't be told now.
    #[error("the issuer of tokens can't be asked for its keys: {0}")]
    Unavailable(String),
}

impl OidcError {
    /// The stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::Refused(_) => Code::Unauthenticated,
            Self::Unavailable(_) => Code::FetchFailed,
        }
    }

    fn refused(why: impl Into<String>) -> Self {
        Self::Refused(why.into())
    }
}

/// Checks the tokens of one issuer.
#[derive(Debug)]
pub struct Oidc {
    keys: Keys,
    claim: String,
    validation: Validation,
}

impl Oidc {
    /// Checks as the settings say; `Err` names the setting that can't be right. The issuer isn't asked for anything yet.
    pub fn new(settings: OidcSettings) -> Result<Self, String> {
        let issuer: Url = settings
            .issuer
            .parse()
            .map_err(|error| format!("issuer: '{}' is not a URL: {error}", settings.issuer))?;
        if !fetch::trusted(&issuer) || issuer.query().is_some() || issuer.fragment().is_some() {
            let message = "is not an https URL without ? and # (http is for the host's own loopback only)";
            return Err(format!("issuer: '{}' {message}", settings.issuer));
        }
        for (name, value) in [("audience", &settings.audience), ("claim", &settings.claim)] {
            if value.is_empty() {
                return Err(format!("{name}: must not be empty"));
            }
        }
        signatures::install();
        let mut validation = Validation::new(Algorithm::RS256);
        validation.leeway = LEEWAY.into();
        validation.validate_nbf = true;
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.set_issuer(&[&settings.issuer]);
        validation.set_audience(&[&settings.audience]);
        Ok(Self {
            keys: Keys::new(settings.issuer, fetch::client(settings.authorities)?),
            claim: settings.claim,
            validation,
        })
    }

    /// The user that a token stands for, and until when.
    pub async fn verify(&self, token: &str) -> Result<(User, Timestamp), OidcError> {
        if token.len() > TOKEN_MAX {
            return Err(OidcError::refused(format!("it is longer than {TOKEN_MAX} bytes")));
        }
        let header = jsonwebtoken::decode_header(token)
            .map_err(|_| OidcError::refused("it is not a JWT that is signed by a known algorithm"))?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(OidcError::refused(format!("it is signed by {:?}", header.alg)));
        }
        // Nothing of the kind is known here, and what is critical must be (RFC 7515, 4.1.11).
        if header.crit.is_some() {
            return Err(OidcError::refused("it has critical headers that are not known"));
        }
        let key = self.keys.find(header.kid.as_deref(), header.alg).await?;
        let mut validation = self.validation.clone();
        validation.algorithms = vec![header.alg];
        let decoded = jsonwebtoken::decode::<Map<String, Value>>(token, &key, &validation);
        let claims = decoded
            .map_err(|error| OidcError::refused(reason(error.kind())))?
            .claims;
        Ok((self.user(&claims)?, until(&claims)))
    }

    fn user(&self, claims: &Map<String, Value>) -> Result<User, OidcError> {
        let Some(Value::String(name)) = claims.get(&self.claim) else {
            return Err(OidcError::refused(format!(
                "it has no claim '{}' that is text",
                self.claim
            )));
        };
        // An address that anybody can have typed is nobody's name (OpenID Connect Core 1.0, 5.1).
        if self.claim == "email" && claims.get("email_verified").is_some_and(|verified| *verified != true) {
            return Err(OidcError::refused("its email is not verified"));
        }
        let user = Some(name).filter(|name| !name.is_empty());
        user.and_then(|name| User::vouched("oidc", name).ok())
            .ok_or_else(|| OidcError::refused(format!("its claim '{}' can't be the name of a user", self.claim)))
    }
}

/// Until when a token is taken: as it says itself, with the leeway that it is checked with.
fn until(claims: &Map<String, Value>) -> Timestamp {
    let seconds = claims.get("exp").and_then(Value::as_f64).unwrap_or(f64::MAX);
    let until = Duration::try_from_secs_f64(seconds + f64::from(LEEWAY)).ok();
    let until = until.and_then(|since| Timestamp::UNIX_EPOCH.checked_add(since).ok());
    // One that is too far away for a calendar never comes.
    until.unwrap_or(Timestamp::MAX)
}

/// What is wrong, in words that the token's owner understands.
fn reason(kind: &ErrorKind) -> String {
    match kind {
        ErrorKind::ExpiredSignature => "it has expired".to_owned(),
        ErrorKind::ImmatureSignature => "it is not valid yet".to_owned(),
        ErrorKind::InvalidAudience => "it is meant for another audience".to_owned(),
        ErrorKind::InvalidIssuer => "it is of another issuer".to_owned(),
        ErrorKind::InvalidSignature => "its signature is not that of the issuer's key".to_owned(),
        ErrorKind::MissingRequiredClaim(claim) => format!("it has no claim '{claim}'"),
        ErrorKind::InvalidClaimFormat(claim) => format!("its claim '{claim}' is not what it must be"),
        _ => "it is not a JWT as RFC 7519 has it".to_owned(),
    }
}

#[cfg(test)]
mod issuer;
#[cfg(test)]
mod tests;
