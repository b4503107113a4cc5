//! One entry of the log: a line of JSON.

use axum::http::request::Parts;
use berth_engine::token_without_secret;
use berth_model::{Code, OperationId, Power, User};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::auth::{Caller, Scope};
use crate::{Peer, dry_run};

/// What was decided of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Decision {
    /// It may be done: what follows is tried.
    Allowed,
    /// It isn't known who asks.
    Unknown,
    /// It may not be done.
    Denied,
    /// It is over: the outcome of what was allowed.
    Done,
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Its number: one more than that of the entry before it.
    pub(crate) number: u64,
    /// When it was written.
    pub(crate) at: Timestamp,
    /// The request that it is about.
    pub(crate) request: Uuid,
    /// What was decided.
    pub(crate) decision: Decision,
    /// Who; none if that isn't known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) who: Option<User>,
    /// How that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) via: Option<String>,
    /// As what: `operator`, or the role in the project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) role: Option<String>,
    /// From where.
    pub(crate) from: String,
    /// The project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) project: Option<String>,
    /// What: the method and the route.
    pub(crate) what: String,
    /// On what: the path.
    pub(crate) on: String,
    /// Whether it was only to be tried: then nothing was changed, whatever the outcome.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) dry_run: bool,
    /// The HTTP status that was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    /// The error's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<Code>,
    /// The operations that it began.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) operations: Vec<OperationId>,
}

/// The longest path that is logged whole, in bytes.
const ON_MAX: usize = 512;

/// A path as it is logged: whoever takes a token for its name puts it there whole.
fn shown(path: &str) -> String {
    let end = path.floor_char_boundary(ON_MAX);
    let without = |part| token_without_secret(part).unwrap_or_else(|| str::to_owned(part));
    path[..end].split('/').map(without).collect::<Vec<_>>().join("/")
}

impl Entry {
    /// An entry about a request of which nothing is known but how it came.
    pub(crate) fn about(parts: &Parts, peer: &Peer, route: &str, request: Uuid) -> Self {
        Self {
            number: 0,
            at: Timestamp::UNIX_EPOCH,
            request,
            decision: Decision::Unknown,
            who: None,
            via: None,
            role: None,
            from: peer.to_string(),
            project: None,
            what: format!("{} {route}", parts.method),
            on: shown(parts.uri.path()),
            dry_run: dry_run::asked(&parts.uri).unwrap_or_default(),
            status: None,
            code: None,
            operations: Vec::new(),
        }
    }

    /// With who asks.
    pub(crate) fn by(&mut self, caller: &Caller) {
        self.who = Some(caller.user.clone());
        self.via = Some(match caller.token() {
            Some(token) => format!("token {}", token.id),
            None => caller.via.as_str().to_owned(),
        });
        self.role = caller.operator.then(|| "operator".to_owned());
    }

    /// With what it is about.
    pub(crate) fn within(&mut self, scope: &Scope) {
        self.project = Some(scope.project.clone());
        if let Power::In(role) = scope.power {
            self.role = Some(role.to_string());
        }
    }
}
