//! Errors as a person or a program is told, and what the program exits with.

use std::io;
use std::process::ExitCode;

use anstyle::AnsiColor;
use berth_client::ClientError;
use berth_model::Code;

use crate::cli::Format;
use crate::commands::Context;
use crate::wait::Interrupted;
use crate::{hints, output};

/// An error that this program finds by itself.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    pub(crate) code: Code,
    pub(crate) message: String,
    /// What to do next.
    pub(crate) hint: Option<String>,
}

impl Failure {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: None,
        }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidArgument, message)
    }

    /// The same, and what to do next.
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }
}

/// An error that was told already, when it happened; it is only exited with.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Told(pub(crate) Code);

/// Says what went wrong on stderr and what to do next, and returns what to exit with.
pub(crate) async fn show(error: &anyhow::Error, format: Format, cx: Option<&Context>) -> ExitCode {
    if let Some(error) = error.downcast_ref::<io::Error>()
        && error.kind() == io::ErrorKind::BrokenPipe
    {
        // Whoever read our output has seen enough.
        return ExitCode::SUCCESS;
    }
    let code = code(error);
    if error.downcast_ref::<Told>().is_none() {
        if matches!(format, Format::Json | Format::Yaml) {
            output::error(&problem(error, code));
        } else {
            let red = AnsiColor::Red.on_default().bold();
            output::error(&format!("{red}error:{red:#} {error:#}"));
            for hint in hints::of(error, cx).await {
                output::error(&format!("  {hint}"));
            }
        }
    }
    if error.downcast_ref::<Interrupted>().is_some() {
        return ExitCode::from(Interrupted::EXIT);
    }
    ExitCode::from(code.exit())
}

/// The stable code of an error.
pub(crate) fn code(error: &anyhow::Error) -> Code {
    if let Some(error) = error.downcast_ref::<ClientError>() {
        return error.code();
    }
    if let Some(Told(code)) = error.downcast_ref::<Told>() {
        return *code;
    }
    match error.downcast_ref::<Failure>() {
        Some(failure) => failure.code,
        None => Code::InvalidArgument,
    }
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
