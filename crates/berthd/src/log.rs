//! The log: to stderr, which systemd takes into its journal.

use std::io::IsTerminal as _;

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

use crate::keys::LogFormat;

/// What of the log is written, to be changed while it is.
pub(crate) struct LogFilter(reload::Handle<EnvFilter, Registry>);

/// Begins to log.
pub(crate) fn begin(filter: &str, format: LogFormat) -> LogFilter {
    let (filter, handle) = reload::Layer::new(EnvFilter::new(filter));
    let lines = fmt::layer()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry().with(filter);
    match format {
        LogFormat::Text => registry.with(lines).init(),
        LogFormat::Json => registry.with(lines.json()).init(),
    }
    LogFilter(handle)
}

impl LogFilter {
    /// Goes on with another filter.
    pub(crate) fn set(&self, filter: &str) {
        // It fails only for a log that is gone.
        let _ = self.0.reload(EnvFilter::new(filter));
    }
}
