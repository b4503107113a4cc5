//! Fault points: where a test has the daemon die, or a step fail. In builds with debug assertions only; a release has
//! none of it.
//!
//! A file named by `BERTH_FAULT_FILE` says which, one a line: action, state, point, and `die` or `fail`, for example
//! `create Networking after die`; of volumes and images it is the number of the step in place of the state, as in
//! `volume.create 1 before fail`, and of ports and networks the place, as in `port.attach plugged die`. `die` is a SIGKILL of the process by itself: nothing is cleaned up, as after a power
//! failure.

use berth_model::Work;

use crate::Failure;

/// Where in the doing of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Point {
    /// Before the effect.
    Before,
    /// After the effect, before it is written down.
    After,
    /// After it was written down.
    Committed,
    /// Before the effect is undone.
    UndoBefore,
    /// After it is undone, before that is written down.
    UndoAfter,
}

/// Dies or fails here, if a test wants it.
#[cfg(debug_assertions)]
pub(crate) fn at(work: Work, point: Point) -> Result<(), Failure> {
    let point = point.as_str();
    fault_point(&match work {
        Work::Instance(position) => format!("{} {} {point}", position.action(), position.state()),
        Work::Volume(..) | Work::Image(_) => format!("{} {} {point}", work.word(), work.step()),
    })
}

/// Dies or fails at a place that is no step's, if a test wants it: the beginning of the line that says so.
#[cfg(debug_assertions)]
pub fn fault_point(here: &str) -> Result<(), Failure> {
    let Some(file) = std::env::var_os("BERTH_FAULT_FILE") else {
        return Ok(());
    };
    let wanted = std::fs::read_to_string(file).unwrap_or_default();
    let fault = wanted.lines().find_map(|line| line.strip_prefix(here));
    match fault.map(str::trim) {
        Some("die") => {
            // It ends here: a signal to oneself is delivered before the call returns.
            let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL);
            Ok(())
        }
        Some(_) => Err(Failure::fatal(
            berth_model::Code::Internal,
            format!("a test has {here} fail"),
        )),
        None => Ok(()),
    }
}

/// Nothing in a release.
#[cfg(not(debug_assertions))]
#[inline]
pub(crate) fn at(_: Work, _: Point) -> Result<(), Failure> {
    Ok(())
}

/// Nothing in a release.
#[cfg(not(debug_assertions))]
#[inline]
pub fn fault_point(_: &str) -> Result<(), Failure> {
    Ok(())
}

#[cfg(debug_assertions)]
impl Point {
    fn as_str(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
            Self::Committed => "committed",
            Self::UndoBefore => "undo-before",
            Self::UndoAfter => "undo-after",
        }
    }
}
