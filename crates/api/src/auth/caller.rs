//! Who asks: by the token that a request carries, else by its connection.
//!
//! Who sends a token is who it says, or nobody: a token that is no good isn't made good by the connection.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use berth_engine::TokenRecord;
use berth_model::{Code, Kind, Need, Power, Reach, Role, User, judge};
use jiff::Timestamp;

use crate::auth::oidc::Oidc;
use crate::problem::ApiError;
use crate::{App, Peer};

use super::Scope;

/// How it is known who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Via {
    /// The kernel says so, at the other end of the socket.
    Socket,
    /// The certificate of the connection.
    Certificate,
    /// A token of ours.
    Token(Box<TokenRecord>),
    /// A token of the issuer that the operator trusts, good until then.
    Oidc(Timestamp),
}

impl Via {
    /// In a word.
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Self::Socket => "socket",
            Self::Certificate => "certificate",
            Self::Token(_) => "token",
            Self::Oidc(_) => "oidc",
        }
    }
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) user: User,
    pub(crate) via: Via,
    pub(crate) operator: bool,
}

impl Caller {
    /// What the caller is where no project is asked about.
    pub(crate) fn above_projects(&self) -> Power {
        if self.operator {
            Power::Operator
        } else {
            Power::Outsider
        }
    }

    /// The token that the request carried.
    pub(crate) fn token(&self) -> Option<&TokenRecord> {
        match &self.via {
            Via::Token(record) => Some(record),
            Via::Socket | Via::Certificate | Via::Oidc(_) => None,
        }
    }

    /// Until when what the caller came with is good; none if that isn't known.
    pub(crate) fn until(&self) -> Option<Timestamp> {
        match &self.via {
            Via::Token(record) => Some(record.expires_at),
            Via::Oidc(until) => Some(*until),
            Via::Socket | Via::Certificate => None,
        }
    }

    /// The project that the caller's token is good for, and the most it may be there.
    pub(crate) fn limits(&self) -> Option<&(String, Role)> {
        self.token().and_then(|token| token.scope.as_ref())
    }

    /// Refuses what only the operator may, e.g. `make a default image`.
    pub(crate) fn must_be_operator(&self, what: &str) -> Result<(), ApiError> {
        if self.operator {
            return Ok(());
        }
        Err(ApiError::forbidden(format!("only the operator of the host may {what}")))
    }
}

impl Scope {
    /// Refuses what the caller's role doesn't reach, for requests that need more than their route says.
    pub(crate) fn must_manage(&self, kind: Kind) -> Result<(), ApiError> {
        let need = Need::Project(kind, Reach::Manage);
        judge(self.power, need).map_err(|denial| super::denied(denial, need, self.power, Some(self)))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let caller = parts.extensions.get::<Self>().cloned();
        caller.ok_or_else(|| ApiError::internal("a route that nobody guards asks who is there"))
    }
}

/// Finds out who asks, or refuses.
pub(crate) async fn identify(app: &App, peer: &Peer, headers: &HeaderMap) -> Result<Caller, ApiError> {
    match bearer(headers) {
        Ok(None) => {}
        Ok(Some(token)) => {
            app.auth
                .limiter
                .check(peer.source())
                .map_err(ApiError::too_many_attempts)?;
            return counted(app, peer, sign_in(app, token).await);
        }
        Err(error) => return refused(app, peer, error),
    }
    match peer {
        Peer::Unix { uid, gid, .. } => {
            let local = match app.auth.local.find(*uid, *gid).await {
                Err(error) if error.code() == Code::Unauthenticated => return refused(app, peer, error),
                found => found?,
            };
            let mut caller = named(app, local.user, Via::Socket);
            caller.operator |= local.operator;
            Ok(caller)
        }
        Peer::Tls {
            certificate: Some(user),
            ..
        } => Ok(named(app, user.clone(), Via::Certificate)),
        Peer::Tls { certificate: None, .. } => Err(ApiError::unauthenticated(
            "it is not known who you are: send a token as 'Authorization: Bearer …', or a client certificate",
        )),
    }
}

/// A user whom somebody else vouches for.
fn named(app: &App, user: User, via: Via) -> Caller {
    Caller {
        operator: app.auth.settings.operators.contains(&user),
        user,
        via,
    }
}

/// Looks at a token.
async fn sign_in(app: &App, token: &str) -> Result<Caller, ApiError> {
    match &app.auth.settings.oidc {
        // Tokens of ours have no dots, and a JWT has two (RFC 7519, 3).
        Some(oidc) if token.contains('.') => by_issuer(app, oidc, token).await,
        _ => by_token(app, token).await,
    }
}

/// Refuses what can't be a credential, as one that is no good.
fn refused(app: &App, peer: &Peer, error: ApiError) -> Result<Caller, ApiError> {
    app.auth
        .limiter
        .check(peer.source())
        .map_err(ApiError::too_many_attempts)?;
    counted(app, peer, Err(error))
}

/// Counts a credential that was no good: too many of them, and none is looked at any more for a while.
fn counted(app: &App, peer: &Peer, caller: Result<Caller, ApiError>) -> Result<Caller, ApiError> {
    if let Err(error) = &caller
        && error.code() == Code::Unauthenticated
    {
        app.auth.limiter.failed(peer.source());
        tracing::warn!(%peer, why = error.detail(), "somebody failed to sign in");
    }
    caller
}

async fn by_issuer(app: &App, oidc: &Oidc, token: &str) -> Result<Caller, ApiError> {
    match oidc.verify(token).await {
        Ok((user, until)) => Ok(named(app, user, Via::Oidc(until))),
        Err(error) => Err(ApiError::new(error.code(), error, None)),
    }
}

async fn by_token(app: &App, token: &str) -> Result<Caller, ApiError> {
    match app.engine.present_token(token).await? {
        Ok(record) => Ok(Caller {
            user: record.owner.clone(),
            operator: record.scope.is_none(),
            via: Via::Token(Box::new(record)),
        }),
        Err(bad) => Err(ApiError::unauthenticated(bad)),
    }
}

/// Whether a refusal goes into the audit log: a stranger from afar who presents nothing, or whose attempts are too many
/// to be looked at, could fill it.
pub(crate) fn is_told(peer: &Peer, headers: &HeaderMap, refusal: &ApiError) -> bool {
    let stranger = matches!(peer, Peer::Tls { certificate: None, .. });
    refusal.code() != Code::TooManyAttempts && (!stranger || headers.contains_key(header::AUTHORIZATION))
}

/// The token of a request (RFC 6750, 2.1).
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let wrong = || ApiError::unauthenticated("Authorization: what is taken is one 'Bearer TOKEN'");
    if values.next().is_some() {
        return Err(wrong());
    }
    let (scheme, token) = value
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .ok_or_else(wrong)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        Ok(Some(token.trim()))
    } else {
        Err(wrong())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_request_carries_one_bearer_token_or_none() {
        let headers = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, HeaderValue::from_static(value));
            }
            headers
        };
        assert_eq!(bearer(&headers(&[])).unwrap(), None);
        for good in ["Bearer abc", "bearer abc", "BEARER  abc "] {
            assert_eq!(bearer(&headers(&[good])).unwrap(), Some("abc"), "{good}");
        }
        for bad in [&["Basic abc"][..], &["abc"], &[""], &["Bearer a", "Bearer b"]] {
            assert!(bearer(&headers(bad)).is_err(), "{bad:?}");
        }
    }
}
