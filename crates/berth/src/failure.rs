//! Errors as a person or a program is told, and what the program exits with.

use std::io;
use std::process::ExitCode;

use berth_client::ClientError;
use berth_model::Code;

use crate::cli::Format;
use crate::output;

/// An error that this program finds by itself.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    pub(crate) code: Code,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidArgument, message)
    }
}

/// Says what went wrong on stderr, and returns what to exit with.
pub(crate) fn show(error: &anyhow::Error, format: Format) -> ExitCode {
    if let Some(error) = error.downcast_ref::<io::Error>()
        && error.kind() == io::ErrorKind::BrokenPipe
    {
        // Whoever read our output has seen enough.
        return ExitCode::SUCCESS;
    }
    let code = code(error);
    if matches!(format, Format::Table | Format::Csv) {
        output::error(&format!("error: {error:#}"));
        for hint in hints(error) {
            output::error(&format!("  {hint}"));
        }
    } else {
        output::error(&problem(error, code));
    }
    ExitCode::from(code.exit())
}

fn code(error: &anyhow::Error) -> Code {
    if let Some(error) = error.downcast_ref::<ClientError>() {
        return error.code();
    }
    match error.downcast_ref::<Failure>() {
        Some(failure) => failure.code,
        None => Code::InvalidArgument,
    }
}

fn hints(error: &anyhow::Error) -> Vec<String> {
    let Some(ClientError::Problem(problem)) = error.downcast_ref::<ClientError>() else {
        return Vec::new();
    };
    let mut hints = Vec::new();
    if let Some(allowed) = &problem.allowed_actions {
        hints.push(format!("allowed now: {}", allowed.join(", ")));
    }
    if let Some(operation) = &problem.operation {
        hints.push(format!(
            "in flight: operation {operation}; see 'berth operation wait {operation}'"
        ));
    }
    hints
}

/// The problem as the daemon sent it, or one like it.
fn problem(error: &anyhow::Error, code: Code) -> String {
    let own = serde_json::json!({
        "status": code.http(), "code": code, "title": code.as_str().replace('_', " "), "detail": format!("{error:#}"),
    });
    let shown = match error.downcast_ref::<ClientError>() {
        Some(ClientError::Problem(problem)) => serde_json::to_value(problem).unwrap_or(own),
        _ => own,
    };
    serde_json::to_string_pretty(&shown).unwrap_or_default()
}
