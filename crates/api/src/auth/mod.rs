//! Who asks, about which project, and whether they may: every request comes through here, and no other way.
//!
//! ```text
//!   request ─▶ policy: what does this route need? ──no row──▶ 405, whatever the router has
//!                 │
//!                 ▼
//!              identify: the token (ours, or an issuer's), else the certificate, else the kernel's word
//!                 │                                                                 ──▶ Caller    (401; 429 after too many)
//!                 │
//!                 ▼
//!              scope: which project, and what is the caller in it ──▶ Scope                    (404: for them it isn't there)
//!                 │
//!                 ▼
//!              berth_model::judge ──▶ audit ──▶ the route, with Caller and Scope among the request's extensions   (403)
//! ```
//!
//! Architecture invariant: a route learns of no project but by [`Scope`].

mod caller;
mod limit;
mod local;
pub(crate) mod oidc;
mod policy;
mod right;
mod scope;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts as _, MatchedPath, RawPathParams, Request, State};
use axum::http::Method;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use berth_api_types::PROJECT_HEADER;
use berth_model::{Denial, Need, Power, Reach, User, judge};
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{OpenApi, Ref, RefOr, Required};
use uuid::Uuid;

pub(crate) use caller::Caller;
pub(crate) use right::{Right, touches};
pub(crate) use scope::{Scope, implied as implied_project};

use crate::audit::{Begun, Decision, Entry};
use crate::auth::limit::Limiter;
use crate::auth::oidc::Oidc;
use crate::document::operations;
use crate::problem::ApiError;
use crate::request_id::RequestId;
use crate::{App, Peer};

/// What the operator has said of who may come in.
#[derive(Debug, Clone, Default)]
pub struct AuthSettings {
    /// The group of this host whose members are operators, besides root and who runs the daemon.
    pub operators_group: Option<String>,
    /// Users who are operators, wherever they come from.
    pub operators: Vec<User>,
    /// Which users the local users of this host are, by their login names.
    pub local_users: BTreeMap<String, User>,
    /// The issuer whose tokens are taken.
    pub oidc: Option<Arc<Oidc>>,
}

/// What is needed to know who asks.
pub(crate) struct Auth {
    settings: AuthSettings,
    local: local::LocalUsers,
    limiter: Limiter,
}

impl Auth {
    pub(crate) fn new(settings: AuthSettings) -> Self {
        Self {
            local: local::LocalUsers::new(&settings),
            limiter: Limiter::default(),
            settings,
        }
    }
}

/// Lets a request through to its route if who makes it may.
pub(crate) async fn guard(State(app): State<App>, request: Request, next: Next) -> Result<Response, ApiError> {
    let Some(path) = request.extensions().get::<MatchedPath>().cloned() else {
        // There is no such route: the router says so.
        return Ok(next.run(request).await);
    };
    let Some(need) = policy::need(request.method(), path.as_str()) else {
        let allowed = policy::methods(path.as_str());
        return Err(ApiError::no_method(request.uri().path(), &allowed));
    };
    if need == Need::Anyone {
        return Ok(next.run(request).await);
    }
    let (mut parts, body) = request.into_parts();
    let peer = ConnectInfo::<Peer>::from_request_parts(&mut parts, &app).await;
    let ConnectInfo(peer) =
        peer.map_err(|error| ApiError::internal(format!("a connection without a peer: {error}")))?;
    let id = parts.extensions.get::<RequestId>().map_or_else(Uuid::nil, |id| id.0);
    let mut entry = Entry::about(&parts, &peer, path.as_str(), id);
    if let Err(refusal) = admit(&app, &mut parts, (&peer, need), &mut entry).await {
        if caller::is_told(&peer, &parts.headers, &refusal) {
            (entry.status, entry.code) = (Some(refusal.status()), Some(refusal.code()));
            app.audit.write(entry).await?;
        }
        return Err(refusal);
    }
    entry.decision = Decision::Allowed;
    let request = Request::from_parts(parts, body);
    if !changes(request.method(), need) {
        return Ok(next.run(request).await);
    }
    app.audit.write(entry.clone()).await?;
    let response = next.run(request).await;
    entry.decision = Decision::Done;
    entry.status = Some(response.status().as_u16());
    entry.code = response.extensions().get().copied();
    entry.operations = response
        .extensions()
        .get()
        .cloned()
        .map(|Begun(ids)| ids)
        .unwrap_or_default();
    // It is done, and that it was to be is in the log: an answer must not be lost for that.
    let _ = app.audit.write(entry).await;
    Ok(response)
}

/// Whether there is such a route.
pub(crate) fn has_route(method: &Method, path: &str) -> bool {
    policy::need(method, path).is_some()
}

/// Whether a request may change something: what only looks has no line in the audit log. A console changes much.
fn changes(method: &Method, need: Need) -> bool {
    !matches!(*method, Method::GET | Method::HEAD) || matches!(need, Need::Project(_, Reach::Manage))
}

/// Finds out who asks about what and whether they may: both are among the request's extensions then.
async fn admit(app: &App, parts: &mut Parts, (peer, need): (&Peer, Need), entry: &mut Entry) -> Result<(), ApiError> {
    let caller = caller::identify(app, peer, &parts.headers).await?;
    entry.by(&caller);
    entry.decision = Decision::Denied;
    let power = if let Need::Project(..) = need {
        let named = RawPathParams::from_request_parts(parts, app).await.ok();
        let named = named.and_then(|params| project_of(&params));
        let scope = scope::find(app, &caller, named, &parts.headers).await?;
        entry.within(&scope);
        let power = scope.power;
        parts.extensions.insert(scope);
        power
    } else {
        caller.above_projects()
    };
    judge(power, need).map_err(|denial| denied(denial, need, power, parts.extensions.get()))?;
    parts.extensions.insert(caller);
    Ok(())
}

/// The project that the path names.
fn project_of(params: &RawPathParams) -> Option<String> {
    let found = params.iter().find(|(key, _)| *key == "project");
    found.map(|(_, value)| value.to_owned())
}

fn denied(denial: Denial, need: Need, power: Power, scope: Option<&Scope>) -> ApiError {
    let project = scope.map_or("", |scope| scope.project.as_str());
    match (denial, need, power) {
        (Denial::Unknown, ..) => ApiError::unauthenticated("it is not known who you are"),
        (Denial::NoProject, ..) => ApiError::no_project(project),
        (Denial::Forbidden, Need::Project(kind, reach), Power::In(role)) => {
            let may = match role.reach(kind) {
                Reach::Nothing => format!("may not see {kind}"),
                _ => format!("may view {kind}, not manage them"),
            };
            let message = format!(
                "a {role} of project '{project}' {may}: that takes {}",
                who_may(kind, reach)
            );
            ApiError::forbidden(message)
        }
        (Denial::Forbidden, ..) => ApiError::forbidden("only the operator of the host may do that"),
    }
}

/// The least role that may.
fn who_may(kind: berth_model::Kind, reach: Reach) -> String {
    let least = berth_model::Role::ALL
        .into_iter()
        .find(|role| role.reach(kind) >= reach);
    least.map_or_else(|| "the operator".to_owned(), |role| format!("the role {role}"))
}

/// Says in the document what each route needs, and which requests take the header that names a project.
pub(crate) fn describe(document: &mut OpenApi) {
    let scheme = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(SCHEME_DESCRIPTION))
        .build();
    let components = document.components.get_or_insert_default();
    components.add_security_scheme(SCHEME, SecurityScheme::Http(scheme));
    document.security = Some(vec![SecurityRequirement::new::<_, _, String>(SCHEME, [])]);
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            if let Some(need) = policy::need(&method, path) {
                describe_need(operation, need, path);
            }
        }
    }
}

fn describe_need(operation: &mut Operation, need: Need, path: &str) {
    let who = match need {
        Need::Anyone => "Anybody may.".to_owned(),
        Need::SignedIn => "Every user may.".to_owned(),
        Need::Operator => "Only the operator of the host may.".to_owned(),
        Need::Project(kind, reach) => format!("Takes {} in the project.", who_may(kind, reach)),
    };
    operation.description = Some(match operation.description.take() {
        Some(text) => format!("{text}\n\n{who}"),
        None => who,
    });
    if need == Need::Anyone {
        operation.security = Some(Vec::new());
    }
    if matches!(need, Need::Project(..)) && !path.contains("{project}") {
        let parameter = ParameterBuilder::new()
            .name(PROJECT_HEADER)
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some("The project that it is about, for who is in several."))
            .schema(Some(Ref::from_schema_name("Name")))
            .build();
        operation.parameters.get_or_insert_default().push(RefOr::T(parameter));
    }
}

const SCHEME: &str = "token";
const SCHEME_DESCRIPTION: &str = "A token of POST /v1/tokens, or of the OpenID Connect issuer that the operator has \
                                  configured. On the daemon's own socket the kernel says who asks, without one.";
