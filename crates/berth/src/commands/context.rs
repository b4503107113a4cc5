//! `berth context …`: the daemons that are worked with, by name.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use berth_model::{Code, Name};
use clap::{Args, Subcommand};
use serde::Serialize;

use crate::cli::{Daemon, Format, name};
use crate::commands::Context;
use crate::contexts::{Contexts, LOCAL, SOCKET, Stored};
use crate::failure::Failure;
use crate::output::{self, Named, fields, or_dash, table};
use crate::several::{Holds, Sure};

const EXAMPLES: &str = "\
Examples:
  berth context add test --socket /run/berth/test.sock
  berth context use test
  berth context list
  berth context remove test";

#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum ContextVerb {
    /// Remember a daemon, at a --url or a --socket of this host, and by what you are known there
    Add(Add),
    /// Work with that daemon from now on; 'local' is this host's
    Use {
        /// Its name
        context: String,
    },
    /// List the contexts; the one in use has a *
    List,
    /// Show a context [default: the one in use]
    Show {
        /// Its name
        context: Option<String>,
    },
    /// Forget contexts, and their tokens
    Remove {
        /// Their names
        #[arg(required = true)]
        contexts: Vec<String>,
        #[command(flatten)]
        sure: Sure,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Add {
    /// What it is called
    #[arg(value_parser = name)]
    name: Name,
    /// Where it is, as https://HOST:PORT
    #[arg(
        long,
        required_unless_present = "the-socket",
        conflicts_with = "the-socket",
        value_name = "URL"
    )]
    url: Option<String>,
    /// Who vouches for it, as a file in PEM; the system's authorities if not given
    #[arg(long, value_name = "FILE", requires = "url")]
    ca: Option<PathBuf>,
    /// A file with your token, or - for stdin; the token is stored, the file isn't needed any more
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Your certificate, as a file in PEM
    #[arg(long, value_name = "FILE", requires_all = ["key", "url"])]
    cert: Option<PathBuf>,
    /// Its private key, as a file in PEM that only you may read
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
}

/// A context as it is shown: whether there is a token, and never the token.
#[derive(Serialize)]
struct Shown {
    name: String,
    current: bool,
    at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ca: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    project: Option<Name>,
    token: bool,
}

impl Named for Shown {
    fn names(&self) -> Vec<String> {
        vec![self.name.clone()]
    }
}

/// The longest token in bytes.
const TOKEN_MAX: u64 = 16 << 10;

pub(crate) fn run(verb: ContextVerb, cx: &Context) -> anyhow::Result<()> {
    match verb {
        ContextVerb::Add(add) => add.run(&cx.daemon),
        ContextVerb::Use { context } => Contexts::change(|contexts| {
            contexts.current = if context == LOCAL {
                None
            } else {
                contexts.find(&context)?;
                context.parse().ok()
            };
            Ok(())
        }),
        ContextVerb::List => list(cx.format),
        ContextVerb::Show { context } => show(context.as_deref(), cx.format),
        ContextVerb::Remove { contexts: names, sure } => {
            sure.ask(cx, "remove", ("context", "contexts"), &names, Holds::Nothing)?;
            Contexts::change(|contexts| {
                for name in names {
                    contexts.find(&name)?;
                    contexts.contexts.retain(|of, _| of.as_str() != name);
                    contexts.current.take_if(|current| current.as_str() == name);
                }
                Ok(())
            })
        }
    }
}

impl Add {
    fn run(self, daemon: &Daemon) -> anyhow::Result<()> {
        let absolute = |path: Option<PathBuf>| path.map(std::path::absolute).transpose();
        let stored = Stored {
            url: self.url,
            socket: absolute(daemon.socket.clone())?,
            ca: absolute(self.ca)?,
            certificate: absolute(self.cert)?,
            key: absolute(self.key)?,
            project: daemon.project.clone(),
            token: self.token_file.as_deref().map(token).transpose()?,
        };
        // What can't be connected with isn't stored: files that are missing, or that others may read.
        berth_client::Client::to(stored.target()?)?;
        Contexts::change(|contexts| {
            if self.name.as_str() == LOCAL || contexts.contexts.contains_key(&self.name) {
                let message = format!("there is a context '{}' already", self.name);
                return Err(Failure::new(Code::AlreadyExists, message));
            }
            contexts.contexts.insert(self.name, stored);
            Ok(())
        })
    }
}

/// The token in a file, or on stdin.
fn token(path: &Path) -> anyhow::Result<String> {
    let wrong = |error: std::io::Error| Failure::invalid(format!("--token-file {}: {error}", path.display()));
    let mut text = String::new();
    if path == Path::new("-") {
        std::io::stdin()
            .take(TOKEN_MAX)
            .read_to_string(&mut text)
            .map_err(wrong)?;
    } else {
        let file = std::fs::File::open(path).map_err(wrong)?;
        file.take(TOKEN_MAX).read_to_string(&mut text).map_err(wrong)?;
    }
    let token = text.trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Failure::invalid(format!("--token-file {}: there is no token in it", path.display())).into());
    }
    Ok(token.to_owned())
}

fn list(format: Format) -> anyhow::Result<()> {
    let contexts = Contexts::load()?;
    let mut shown = vec![local(contexts.current.is_none())];
    shown.extend(contexts.contexts.iter().map(|(name, stored)| {
        let current = contexts.current.as_ref() == Some(name);
        of(name.as_str(), stored, current)
    }));
    output::print(format, &shown, |shown| {
        let row = |one: &Shown| {
            let mark = if one.current { "*" } else { "" };
            [
                format!("{}{mark}", one.name),
                one.at.clone(),
                or_dash(one.project.as_ref().map(ToString::to_string).as_ref()),
                known_by(one),
            ]
        };
        table(["name", "at", "project", "known by"], shown.iter().map(row))
    })?;
    Ok(())
}

fn show(name: Option<&str>, format: Format) -> anyhow::Result<()> {
    let contexts = Contexts::load()?;
    let current = contexts.current.as_ref().map_or(LOCAL, Name::as_str);
    let name = name.unwrap_or(current);
    let shown = match name {
        LOCAL => local(current == LOCAL),
        name => of(name, contexts.find(name)?, current == name),
    };
    output::print(format, &shown, |one| {
        let path = |path: &Option<PathBuf>| or_dash(path.as_ref().map(|path| path.display().to_string()).as_ref());
        fields([
            ("name", one.name.clone()),
            ("in use", if one.current { "yes" } else { "no" }.to_owned()),
            ("at", one.at.clone()),
            ("ca", path(&one.ca)),
            ("certificate", path(&one.certificate)),
            (
                "project",
                or_dash(one.project.as_ref().map(ToString::to_string).as_ref()),
            ),
            ("known by", known_by(one)),
        ])
    })?;
    Ok(())
}

fn local(current: bool) -> Shown {
    Shown {
        name: LOCAL.to_owned(),
        current,
        at: SOCKET.to_owned(),
        ca: None,
        certificate: None,
        project: None,
        token: false,
    }
}

fn of(name: &str, stored: &Stored, current: bool) -> Shown {
    Shown {
        name: name.to_owned(),
        current,
        at: stored.at(),
        ca: stored.ca.clone(),
        certificate: stored.certificate.clone(),
        project: stored.project.clone(),
        token: stored.token.is_some(),
    }
}

/// What says who one is there.
fn known_by(one: &Shown) -> String {
    let certificate = one.certificate.as_ref().map(|_| "certificate");
    let token = one.token.then_some("token");
    let known: Vec<_> = certificate.into_iter().chain(token).collect();
    match known.is_empty() {
        true if !one.at.starts_with("https:") => "this host's user".to_owned(),
        true => "-".to_owned(),
        false => known.join(", "),
    }
}
