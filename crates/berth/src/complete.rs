//! Completions with live names: the shell asks this program, and this program asks the daemon.
//!
//! ```text
//!   TAB ─▶ BERTH_COMPLETE=bash berth -- berth instance stop w ─▶ clap_complete ─▶ NAMED: what is typed there?
//!                                                                                    └─▶ live::Kind ─▶ the daemon
//! ```
//!
//! What an argument names follows from its id, in one table, so that no command says it by itself. A daemon that is
//! away, or slow, completes nothing and says nothing.

use std::ffi::{OsStr, OsString};
use std::io;
use std::time::Duration;

use berth_client::Client;
use clap::{ArgMatches, Command, CommandFactory as _, FromArgMatches as _};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use clap_complete::env::Shells;
use clap_complete::{CompleteEnv, Shell};

use crate::choice;
use crate::cli::{Cli, Daemon};
use crate::contexts::{Contexts, LOCAL};
use crate::live::{Kind, Known};

/// What tells this program that a shell asks it.
const VARIABLE: &str = "BERTH_COMPLETE";

/// How long the daemon may take to answer.
const WITHIN: Duration = Duration::from_millis(700);

/// What an argument names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Names {
    /// Things of this kind.
    Of(Kind),
    /// Those of this kind that one of these actions is allowed for.
    Allowed(Kind, &'static [&'static str]),
    /// Contexts, which are stored here.
    Contexts,
    /// The members of the project that is typed before them.
    Members,
}

/// Ids of arguments, and what is typed there, wherever it is.
const NAMED: &[(&[&str], Kind)] = &[
    (&["instance", "instances"], Kind::Instance),
    (&["volume", "volumes"], Kind::Volume),
    (&["volume_type"], Kind::VolumeType),
    (&["snapshot", "snapshots"], Kind::Snapshot),
    (&["image", "images"], Kind::Image),
    (&["entry"], Kind::CatalogEntry),
    (&["instance_type"], Kind::InstanceType),
    (&["keypair", "keypairs", "key"], Kind::KeyPair),
    (&["vpc", "vpcs"], Kind::Vpc),
    (&["subnet", "subnets"], Kind::Subnet),
    (
        &["group", "groups", "far_group", "security_groups"],
        Kind::SecurityGroup,
    ),
    (&["port", "ports"], Kind::Port),
    (&["ip", "ips", "public_ip"], Kind::PublicIp),
    (&["pool", "public_ip_pool"], Kind::Pool),
    (&["project", "projects", "the-project"], Kind::Project),
    (&["token", "tokens"], Kind::Token),
    (&["id", "ids"], Kind::Operation),
];

/// Verbs that not every instance or volume allows, and the actions that they ask for.
const ALLOWED: &[(&str, &str, &[&str])] = &[
    ("instance", "start", &["start"]),
    ("instance", "stop", &["stop"]),
    ("instance", "reboot", &["soft_reboot", "hard_reboot"]),
    ("instance", "resize", &["resize"]),
    ("instance", "resize-confirm", &["confirm_resize"]),
    ("instance", "resize-revert", &["revert_resize"]),
    ("instance", "shelve", &["shelve"]),
    ("instance", "unshelve", &["unshelve"]),
    ("instance", "delete", &["delete"]),
    ("volume", "attach", &["attach"]),
    ("volume", "detach", &["detach"]),
    ("volume", "extend", &["extend"]),
    ("volume", "delete", &["delete"]),
];

/// Answers a shell and ends, if it is one that asks.
pub(crate) fn answer_shell() {
    CompleteEnv::with_factory(command)
        .var(VARIABLE)
        .completer("berth")
        .complete();
}

/// What makes a shell ask this program: `berth completions SHELL`.
pub(crate) fn registration(shell: Shell) -> io::Result<Vec<u8>> {
    let shells = Shells::builtins();
    let shell = shells.completer(&shell.to_string());
    let shell = shell.ok_or_else(|| io::Error::other("there are no completions for this shell"))?;
    let mut text = Vec::new();
    shell.write_registration(VARIABLE, "berth", "berth", "berth", &mut text)?;
    Ok(text)
}

/// The command line, each argument with what is typed there.
fn command() -> Command {
    with_names(Cli::command(), &[])
}

fn with_names(command: Command, above: &[&str]) -> Command {
    // All of them in one go: each by itself would be put behind the others, and positional ones have their order.
    let command = command.mut_args(|argument| match names(above, argument.get_id().as_str()) {
        Some(names) => {
            let complete = move |typed: &OsStr| candidates(names, typed);
            argument.add(ArgValueCompleter::new(complete))
        }
        None => argument,
    });
    command.mut_subcommands(|inner| {
        let name = inner.get_name().to_owned();
        let path = [above, &[name.as_str()]].concat();
        with_names(inner, &path)
    })
}

/// What an argument of a command names.
fn names(path: &[&str], id: &str) -> Option<Names> {
    match (path, id) {
        (_, "the-context") | (["context", "use" | "show" | "remove"], _) => return Some(Names::Contexts),
        (["member", "set" | "remove"], "users") => return Some(Names::Members),
        // A file with a key, a name that is new, the port of a server.
        (["context", ..], _) | (["instance", "ssh" | "proxy"], "port") => return None,
        (["type", "show"], "name") => return Some(Names::Of(Kind::InstanceType)),
        ([noun, "label"], "of") => {
            let id = match *noun {
                "security-group" => "group",
                "public-ip" => "ip",
                noun => noun,
            };
            return names(&[], id);
        }
        (["image", "catalog"], "name") => return Some(Names::Of(Kind::CatalogEntry)),
        _ => {}
    }
    let (_, kind) = NAMED.iter().find(|(ids, _)| ids.contains(&id))?;
    let action = |(noun, verb, _): &&(&str, &str, _)| path == [*noun, *verb];
    match (kind, ALLOWED.iter().find(action)) {
        (Kind::Instance, Some(("instance", _, actions))) | (Kind::Volume, Some(("volume", _, actions))) => {
            Some(Names::Allowed(*kind, actions))
        }
        _ => Some(Names::Of(*kind)),
    }
}

/// What may be typed there that begins as what is.
fn candidates(names: Names, typed: &OsStr) -> Vec<CompletionCandidate> {
    let Some(typed) = typed.to_str() else {
        return Vec::new();
    };
    let known = match names {
        Names::Contexts => contexts(),
        Names::Members => ask(members).unwrap_or_default(),
        Names::Of(kind) | Names::Allowed(kind, _) => {
            ask(async |client| kind.all(client).await.ok()).unwrap_or_default()
        }
    };
    let allowed = |known: &Known| match (names, &known.allowed) {
        (Names::Allowed(_, actions), Some(allowed)) => actions.iter().any(|one| allowed.iter().any(|it| it == one)),
        _ => true,
    };
    // A name with its VPC before it is only of use to somebody who has begun with the VPC.
    let wanted = |known: &Known| known.name.starts_with(typed) && (!typed.is_empty() || !known.name.contains('/'));
    let known = known.into_iter().filter(|known| wanted(known) && allowed(known));
    let candidate = |known: Known| {
        let about = Some(known.about).filter(|about| !about.is_empty());
        CompletionCandidate::new(known.name).help(about.map(Into::into))
    };
    known.map(candidate).collect()
}

/// Asks the daemon that the words before the cursor mean.
fn ask(what: impl AsyncFn(&Client) -> Option<Vec<Known>>) -> Option<Vec<Known>> {
    let daemon = Daemon::from_arg_matches(&typed()?).ok()?;
    let client = Client::to(choice::daemon(&daemon).ok()?.target).ok()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .ok()?;
    let asked = async { tokio::time::timeout(WITHIN, what(&client)).await };
    runtime.block_on(asked).ok()?
}

/// The members of the project that is typed.
async fn members(client: &Client) -> Option<Vec<Known>> {
    let matches = typed()?;
    let (_, verb) = matches.subcommand_matches("member")?.subcommand()?;
    let members = client.members(verb.get_one::<String>("project")?).await.ok()?;
    let known = |member: berth_api_types::MemberView| Known {
        name: member.user.to_string(),
        about: member.role.to_string(),
        allowed: None,
    };
    Some(members.into_iter().map(known).collect())
}

/// What is typed before the cursor, as far as it makes sense.
fn typed() -> Option<ArgMatches> {
    let words: Vec<OsString> = std::env::args_os().skip_while(|word| word != "--").skip(1).collect();
    Cli::command().ignore_errors(true).try_get_matches_from(words).ok()
}

fn contexts() -> Vec<Known> {
    let stored = Contexts::load().unwrap_or_default();
    let stored = stored
        .contexts
        .iter()
        .map(|(name, stored)| (name.to_string(), stored.at()));
    let all = std::iter::once((LOCAL.to_owned(), String::new())).chain(stored);
    let known = |(name, about)| Known {
        name,
        about,
        allowed: None,
    };
    all.map(known).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn what_is_typed_follows_from_where() {
        assert_eq!(
            names(&["instance", "show"], "instance"),
            Some(Names::Of(Kind::Instance))
        );
        assert_eq!(
            names(&["instance", "stop"], "instances"),
            Some(Names::Allowed(Kind::Instance, &["stop"]))
        );
        assert_eq!(
            names(&["volume", "attach"], "instance"),
            Some(Names::Of(Kind::Instance))
        );
        assert_eq!(names(&["instance", "create"], "key"), Some(Names::Of(Kind::KeyPair)));
        assert_eq!(names(&["context", "add"], "key"), None);
        assert_eq!(names(&["instance", "ssh"], "port"), None);
        assert_eq!(names(&["instance", "create"], "name"), None);
        assert_eq!(names(&["context", "use"], "context"), Some(Names::Contexts));
    }

    #[test]
    fn every_verb_that_names_what_there_is_completes_it() {
        fn of(command: &Command, path: &str, missing: &mut Vec<String>) {
            for argument in command.get_positionals() {
                let id = argument.get_id().as_str();
                if argument.get::<ArgValueCompleter>().is_none() {
                    missing.push(format!("{path} {id}"));
                }
            }
            for inner in command.get_subcommands() {
                of(inner, &format!("{path} {}", inner.get_name()), missing);
            }
        }
        let mut missing = Vec::new();
        let command = command();
        command.clone().debug_assert();
        of(&command, "berth", &mut missing);
        // What is left is new, or no name.
        insta::assert_snapshot!("without", missing.join("\n"));
    }

    #[test]
    fn the_words_before_the_cursor_say_which_daemon() {
        let words = ["berth", "--socket", "/tmp/x", "instance", "stop", ""];
        let matches = Cli::command().ignore_errors(true).try_get_matches_from(words).unwrap();
        let daemon = Daemon::from_arg_matches(&matches).unwrap();
        assert_eq!(daemon.socket.unwrap().to_str(), Some("/tmp/x"));
    }
}
