//! `berth token …`, `berth whoami`.

use std::path::PathBuf;

use berth_api_types::{CreateToken, TokenView, WhoAmI};
use berth_model::{Name, Role, User};
use clap::{Args, Subcommand};
use comfy_table::Table;
use jiff::{SignedDuration, Timestamp};

use crate::cli::{Format, name};
use crate::commands::Context;
use crate::failure::Failure;
use crate::output::{self, ago, fields, lines, or_dash, table};
use crate::secret::SecretFile;
use crate::several::{Holds, Sure, each};
use crate::watch::Watching;

const EXAMPLES: &str = "\
Examples:
  berth token create ci --for lab --role reader --expires 30d
  berth token list
  berth token revoke ci";

#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum TokenVerb {
    /// Make a token for a program; it is shown once and stored nowhere
    Create(NewToken),
    /// List your tokens; for the operator everybody's
    List {
        #[command(flatten)]
        watching: Watching,
    },
    /// Show what is kept of a token
    Show {
        /// Its name or id
        token: String,
    },
    /// Make tokens worth nothing from now on
    Revoke {
        /// Their names or ids
        #[arg(required = true, value_name = "TOKEN")]
        tokens: Vec<String>,
        #[command(flatten)]
        sure: Sure,
    },
}

#[derive(Debug, Args)]
pub(crate) struct NewToken {
    /// What it is called
    #[arg(value_parser = name)]
    name: Name,
    /// The project that it is good for [default: yours]
    #[arg(long = "for", value_name = "PROJECT")]
    project: Option<String>,
    /// The most it may be there: reader, member or admin [default: what its user is]
    #[arg(long)]
    role: Option<Role>,
    /// Whose it is, e.g. ci; only the operator makes tokens for others
    #[arg(long)]
    user: Option<User>,
    /// Make an operator's token, which is good everywhere
    #[arg(long, conflicts_with_all = ["project", "role"])]
    operator: bool,
    /// For how long it is good, e.g. 30d or 12h
    #[arg(long, value_name = "TIME", default_value = "90d", value_parser = seconds)]
    expires: u64,
    /// Write it into this new file, which only you may read, rather than to stdout
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// A span of time in seconds.
fn seconds(text: &str) -> Result<u64, String> {
    let wrong = |why: String| format!("{why}: a time is such as 30d, 12h or 90m");
    let span: jiff::Span = text.parse().map_err(|error: jiff::Error| wrong(error.to_string()))?;
    // A day has 24 hours here: what a token is good for doesn't depend on where its user lives.
    let duration = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours());
    let duration: SignedDuration = duration.map_err(|error| wrong(error.to_string()))?;
    u64::try_from(duration.as_secs()).map_err(|_| wrong(format!("'{text}' is over already")))
}

pub(crate) async fn run(verb: TokenVerb, cx: &Context) -> anyhow::Result<()> {
    match verb {
        TokenVerb::Create(new) => create(new, cx).await,
        TokenVerb::List { watching } => {
            let fetch = async || cx.client.tokens().await;
            watching
                .show(cx, &["token"], fetch, |tokens| lines(&list(tokens)))
                .await
        }
        TokenVerb::Show { token } => output::print(cx.format, &cx.client.token(&token).await?, shown),
        TokenVerb::Revoke { tokens, sure } => {
            sure.ask(cx, "revoke", ("token", "tokens"), &tokens, Holds::Nothing)?;
            each(&tokens, cx, async |token| cx.client.revoke_token(token).await).await
        }
    }
}

fn list(tokens: &[TokenView]) -> Table {
    let row = |one: &TokenView| {
        let last = one.last_used_at.map_or_else(|| "never".to_owned(), ago);
        let (name, user) = (one.name.to_string(), one.user.to_string());
        [name, user, good_for(one), standing(one), last]
    };
    table(
        ["name", "user", "good for", "until", "last used"],
        tokens.iter().map(row),
    )
}

async fn create(new: NewToken, cx: &Context) -> anyhow::Result<()> {
    let request = CreateToken {
        name: new.name,
        user: new.user,
        project: new.project,
        role: new.role,
        operator: new.operator,
        ttl_seconds: Some(new.expires),
    };
    if new.out.is_none() && cx.format == Format::Name {
        return Err(
            Failure::invalid("-o name: a token is shown once, and would be lost: write it to a file by --out").into(),
        );
    }
    let file = new.out.as_deref().map(SecretFile::new).transpose()?;
    let made = SecretFile::made(file.as_ref(), cx.client.create_token(&request).await)?;
    match file {
        Some(file) => {
            file.keep(format!("{}\n", made.token).as_bytes())?;
            output::print(cx.format, &made.view, shown)?;
        }
        None => output::text(cx.format, &made, |made| format!("{}\n", made.token))?,
    }
    Ok(())
}

fn good_for(token: &TokenView) -> String {
    match (&token.project, token.role) {
        (Some(project), Some(role)) => format!("{role} of {project}"),
        _ => "everything (operator)".to_owned(),
    }
}

fn standing(token: &TokenView) -> String {
    match token.revoked_at {
        Some(_) => "revoked".to_owned(),
        None if token.expires_at <= Timestamp::now() => "expired".to_owned(),
        None => token.expires_at.strftime("%Y-%m-%d %H:%M").to_string(),
    }
}

fn shown(token: &TokenView) -> Table {
    let time = |at: Option<Timestamp>| or_dash(at.map(|at| at.to_string()).as_ref());
    fields([
        ("id", token.id.to_string()),
        ("name", token.name.to_string()),
        ("user", token.user.to_string()),
        ("good for", good_for(token)),
        ("made", token.created_at.to_string()),
        ("expires", token.expires_at.to_string()),
        ("last used", time(token.last_used_at)),
        ("revoked", time(token.revoked_at)),
    ])
}

/// `berth whoami`.
pub(crate) async fn whoami(cx: &Context) -> anyhow::Result<()> {
    output::show(cx.format, &cx.client.whoami().await?, |me: &WhoAmI| {
        let known = me
            .token
            .map_or_else(|| me.via.clone(), |id| format!("{}, {id}", me.via));
        let mut text = lines(&fields([
            ("user", me.user.to_string()),
            ("known by", known),
            ("operator", if me.operator { "yes" } else { "no" }.to_owned()),
            ("project", or_dash(me.project.as_ref())),
        ]));
        if !me.roles.is_empty() {
            let row = |one: &berth_api_types::RoleView| [one.project.clone(), one.role.to_string()];
            text.push('\n');
            text.push_str(&lines(&table(["project", "role"], me.roles.iter().map(row))));
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_with_its_unit() {
        assert_eq!(seconds("30d"), Ok(30 * 86_400));
        assert_eq!(seconds("12h"), Ok(12 * 3600));
        assert_eq!(seconds("90m"), Ok(90 * 60));
        for bad in ["", "30", "-1d", "soon"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
