//! Which daemon a command goes to, and as whom: what was typed, else the environment, else the context in use.
//!
//! ```text
//!   --socket ▶ --context ▶ BERTH_SOCKET ▶ BERTH_CONTEXT ▶ the one in use ▶ /run/berth/berth.sock
//!   BERTH_TOKEN ▶ the context's token            --project ▶ BERTH_PROJECT ▶ the context's project
//! ```

use std::path::{Path, PathBuf};

use berth_client::{At, Target};

use crate::cli::{Cli, Daemon, Noun};
use crate::contexts::{Contexts, LOCAL, SOCKET};
use crate::failure::Failure;

/// A daemon, and how another process of this program is told of the same.
pub(crate) struct Choice {
    pub(crate) target: Target,
    pub(crate) arguments: Vec<String>,
}

/// What names a daemon.
enum Named {
    Socket(PathBuf),
    Context(String),
    InUse,
}

/// The daemon that is meant.
pub(crate) fn choose(cli: &Cli) -> anyhow::Result<Choice> {
    if let Noun::Context(_) | Noun::Completions { .. } | Noun::Man { .. } = cli.noun {
        // They speak with no daemon, and have to work also when the one in use can't be.
        return socket(Path::new(SOCKET));
    }
    daemon(&cli.daemon)
}

/// The daemon that these words mean.
pub(crate) fn daemon(typed: &Daemon) -> anyhow::Result<Choice> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let named = typed.socket.clone().map(Named::Socket);
    let named = named.or_else(|| typed.context.clone().map(Named::Context));
    let named = named.or_else(|| std::env::var_os("BERTH_SOCKET").map(|path| Named::Socket(path.into())));
    let named = named.or_else(|| variable("BERTH_CONTEXT").map(Named::Context));
    let mut choice = of(named.unwrap_or(Named::InUse))?;
    choice.target.token = variable("BERTH_TOKEN").or(choice.target.token);
    if let Some(project) = &typed.project {
        choice.target.project = Some(project.to_string());
        choice.arguments.extend(["--project".to_owned(), project.to_string()]);
    }
    Ok(choice)
}

fn of(named: Named) -> anyhow::Result<Choice> {
    let name = match named {
        Named::Socket(path) => return socket(&path),
        Named::Context(name) => name,
        Named::InUse => match Contexts::load()?.current {
            Some(current) => current.to_string(),
            None => LOCAL.to_owned(),
        },
    };
    if name == LOCAL {
        return socket(Path::new(SOCKET));
    }
    let target = Contexts::load()?.find(&name)?.target();
    Ok(Choice {
        target: target.map_err(|error| Failure::invalid(format!("context '{name}': {error}")))?,
        arguments: vec!["--context".to_owned(), name],
    })
}

fn socket(path: &Path) -> anyhow::Result<Choice> {
    let path = std::path::absolute(path)?;
    let text = path
        .to_str()
        .ok_or_else(|| Failure::invalid(format!("{}: not UTF-8", path.display())))?;
    Ok(Choice {
        arguments: vec!["--socket".to_owned(), text.to_owned()],
        target: Target {
            at: At::Socket(path),
            token: None,
            project: None,
        },
    })
}
