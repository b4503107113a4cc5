//! Errors as problem+json (RFC 9457).

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use berth_api_types::Problem;
use berth_engine::{EngineError, StoreError};
use berth_model::Code;

/// An error on its way to the wire, and a header that says what would be right.
#[derive(Debug)]
pub struct ApiError(Box<Problem>, Option<(HeaderName, HeaderValue)>);

impl ApiError {
    /// An error that is all code and words.
    pub(crate) fn new(code: Code, detail: impl ToString, field: Option<&str>) -> Self {
        let problem = Problem {
            status: code.http(),
            code,
            title: code.as_str().replace('_', " "),
            detail: detail.to_string(),
            field: field.map(str::to_owned),
            state: None,
            allowed_actions: None,
            operation: None,
        };
        Self(Box::new(problem), None)
    }

    /// The same with a header in its answer.
    pub(crate) fn with(self, name: HeaderName, value: HeaderValue) -> Self {
        Self(self.0, Some((name, value)))
    }

    /// A field of the request isn't what it must be.
    pub(crate) fn invalid(field: &str, why: impl ToString) -> Self {
        Self::new(
            Code::InvalidArgument,
            format!("{field}: {}", why.to_string()),
            Some(field),
        )
    }

    /// It isn't known who asks.
    pub(crate) fn unauthenticated(why: impl ToString) -> Self {
        Self::new(Code::Unauthenticated, why, None)
    }

    /// Whoever asks has failed to sign in too often.
    pub(crate) fn too_many_attempts(wait: Duration) -> Self {
        // Whole seconds, and not too few (RFC 9110, 10.2.3).
        let seconds = u64::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u64::MAX);
        let detail = format!("too many attempts to sign in from here have failed: wait {seconds} s");
        Self::new(Code::TooManyAttempts, detail, None).with(header::RETRY_AFTER, seconds.into())
    }

    /// The stable code.
    pub(crate) fn code(&self) -> Code {
        self.0.code
    }

    /// What is wrong, in words.
    pub(crate) fn detail(&self) -> &str {
        &self.0.detail
    }

    /// Who asks may not.
    pub(crate) fn forbidden(why: impl ToString) -> Self {
        Self::new(Code::Forbidden, why, None)
    }

    /// For who asks there is no such project.
    pub(crate) fn no_project(name: &str) -> Self {
        let detail = format!("there is no project '{name}' that you are in");
        Self::new(Code::NotFound, detail, Some("project"))
    }

    /// What can't be written into the audit log isn't done.
    pub(crate) fn not_logged(error: &std::io::Error) -> Self {
        tracing::error!(%error, "the audit log can't be written");
        let code = match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Code::StorageFull,
            _ => Code::StorageError,
        };
        let detail = format!("the request is not done, for it can't be written into the audit log: {error}");
        Self::new(code, detail, None)
    }

    /// Its HTTP status.
    pub(crate) fn status(&self) -> u16 {
        self.0.status
    }

    /// A defect of ours.
    pub(crate) fn internal(what: impl ToString) -> Self {
        let what = what.to_string();
        tracing::error!(%what, "a request failed");
        Self::new(Code::Internal, format!("{what}: a defect of Berth"), None)
    }

    pub(crate) fn no_route(path: &str) -> Self {
        Self::new(
            Code::NotFound,
            format!("there is nothing at {path}; see /v1/openapi.json"),
            None,
        )
    }

    /// The path is there, and has other methods than that (RFC 9110, 15.5.6).
    pub(crate) fn no_method(path: &str, allowed: &str) -> Self {
        let mut error = Self::new(
            Code::InvalidArgument,
            format!("{path} has no such method, only {allowed}; see /v1/openapi.json"),
            None,
        );
        error.0.status = StatusCode::METHOD_NOT_ALLOWED.as_u16();
        match HeaderValue::try_from(allowed) {
            Ok(allowed) => error.with(header::ALLOW, allowed),
            Err(error) => Self::internal(error),
        }
    }
}

impl From<EngineError> for ApiError {
    fn from(error: EngineError) -> Self {
        let mut problem = Self::new(error.code(), &error, error.field());
        match error {
            EngineError::Refused {
                state,
                allowed,
                operation,
                ..
            } => {
                problem.0.state = Some(state.to_string());
                problem.0.allowed_actions = Some(allowed.iter().map(ToString::to_string).collect());
                problem.0.operation = operation.map(|id| id.to_string());
            }
            EngineError::WrongState { state, .. } => problem.0.state = Some(state.to_string()),
            EngineError::Internal(_) | EngineError::NotMeasured(_) | EngineError::Io { .. } => {
                tracing::error!(%error, "a request failed");
            }
            EngineError::Store(StoreError::VolumeRefused {
                state,
                allowed,
                operation,
                ..
            }) => {
                problem.0.state = Some(state.to_string());
                problem.0.allowed_actions = Some(allowed.iter().map(ToString::to_string).collect());
                problem.0.operation = operation.map(|id| id.to_string());
            }
            EngineError::Invalid { .. }
            | EngineError::TooLarge { .. }
            | EngineError::NoRoom(_)
            | EngineError::Store(_)
            | EngineError::Hypervisor(_)
            | EngineError::Storage(_)
            | EngineError::Network(_)
            | EngineError::NotInForce(_)
            | EngineError::Nic { .. } => {}
        }
        problem
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let code = self.0.code;
        let mut response = (status, Json(*self.0)).into_response();
        response.extensions_mut().insert(code);
        let problem = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, problem);
        if status == StatusCode::UNAUTHORIZED {
            // RFC 9110, 11.6.1: an answer of this status says how to sign in.
            let how = HeaderValue::from_static("Bearer realm=\"berth\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, how);
        }
        if let Some((name, value)) = self.1 {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_to_wait_is_told_how_long() {
        let response = ApiError::too_many_attempts(Duration::from_millis(5001)).into_response();
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()[header::RETRY_AFTER], "6");
    }
}
