//! The same done to several things: all of them are tried, and the first failure is what the program exits with.
//!
//! On a terminal a deletion asks first, if it is of several things or of something with data in it.

use std::io::BufRead as _;

use berth_client::ClientError;
use berth_model::Code;
use clap::Args;

use crate::commands::Context;
use crate::failure::{self, Failure, Told};
use crate::{dry_run, output};

/// What has failed so far, each told when it happened.
pub(crate) struct Failures<'a> {
    cx: &'a Context,
    /// Of how many things: a single one's failure is told at the end, as any other.
    of: usize,
    first: Option<anyhow::Error>,
}

impl<'a> Failures<'a> {
    pub(crate) fn new(cx: &'a Context, of: usize) -> Self {
        Self { cx, of, first: None }
    }

    /// One has failed; the others are still to be done.
    pub(crate) async fn add(&mut self, error: anyhow::Error) {
        let error = match dry_run::told(error, self.cx) {
            Ok(()) => return,
            Err(error) => error,
        };
        let error = if self.of > 1 {
            failure::show(&error, self.cx.format, Some(self.cx)).await;
            Told(failure::code(&error)).into()
        } else {
            error
        };
        self.first.get_or_insert(error);
    }

    /// The first failure, if there was one.
    pub(crate) fn end(self) -> anyhow::Result<()> {
        self.first.map_or(Ok(()), Err)
    }
}

/// Asks for the same of each; what was answered for those that didn't fail.
pub(crate) async fn ask<T>(
    names: &[String],
    failures: &mut Failures<'_>,
    ask: impl AsyncFn(&str) -> Result<T, ClientError>,
) -> Vec<T> {
    let mut answers = Vec::with_capacity(names.len());
    for name in names {
        match ask(name).await {
            Ok(answer) => answers.push(answer),
            Err(error) => failures.add(error.into()).await,
        }
    }
    answers
}

/// Does the same to each.
pub(crate) async fn each(
    names: &[String],
    cx: &Context,
    one: impl AsyncFn(&str) -> Result<(), ClientError>,
) -> anyhow::Result<()> {
    let mut failures = Failures::new(cx, names.len());
    ask(names, &mut failures, one).await;
    failures.end()
}

/// Whether a deletion may ask.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Sure {
    /// Don't ask whether it is meant; without a terminal nothing is asked anyway
    #[arg(short, long)]
    yes: bool,
}

/// What is lost with a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holds {
    /// What nobody can make again.
    Data,
    /// What can be made again as it was.
    Nothing,
}

impl Sure {
    /// Asks on a terminal whether these are to be deleted; what is only tried needs no word.
    pub(crate) fn ask(
        self,
        cx: &Context,
        verb: &str,
        kind: (&str, &str),
        names: &[String],
        holds: Holds,
    ) -> anyhow::Result<()> {
        if self.yes || cx.dry_run || !output::may_ask() || (names.len() == 1 && holds == Holds::Nothing) {
            return Ok(());
        }
        if yes(&question(verb, kind, names))? {
            return Ok(());
        }
        Err(Failure::new(Code::OperationCancelled, "it wasn't confirmed, and nothing was done").into())
    }
}

/// How many names are told in a question.
const TOLD: usize = 10;

fn question(verb: &str, (one, many): (&str, &str), names: &[String]) -> String {
    if let [name] = names {
        return format!("{verb} {one} {name}?");
    }
    let told = names
        .iter()
        .take(TOLD)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    let more = names.len().saturating_sub(TOLD);
    let rest = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    format!("{verb} {} {many}: {told}{rest}?", names.len())
}

/// Asks a person; whatever isn't yes is no.
pub(crate) fn yes(question: &str) -> anyhow::Result<bool> {
    output::ask(&format!("{question} [y/N] "));
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: u32) -> Vec<String> {
        (1..=count).map(|number| format!("web-{number}")).collect()
    }

    #[test]
    fn a_question_names_what_goes() {
        let kind = ("instance", "instances");
        assert_eq!(question("delete", kind, &names(1)), "delete instance web-1?");
        assert_eq!(
            question("delete", kind, &names(3)),
            "delete 3 instances: web-1, web-2, web-3?"
        );
        let many = question("release", ("public IP", "public IPs"), &names(12));
        assert!(
            many.starts_with("release 12 public IPs: web-1, ") && many.ends_with("web-10 and 2 more?"),
            "{many}"
        );
    }
}
