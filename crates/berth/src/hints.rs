//! What to do next: a line or two below an error, for people.
//!
//! A name that nothing has is compared with those that there are; everything else follows from the stable code.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use berth_api_types::Problem;
use berth_client::{At, ClientError};
use berth_model::Code;
use nix::unistd::{Gid, Group};

use crate::commands::Context;
use crate::failure::Failure;
use crate::live::Kind;

/// How long a look for what was meant may take.
const LOOK: Duration = Duration::from_secs(2);

/// The lines below an error.
pub(crate) async fn of(error: &anyhow::Error, cx: Option<&Context>) -> Vec<String> {
    match error.downcast_ref::<ClientError>() {
        Some(ClientError::Unreachable { at, reason }) => match at.as_ref() {
            At::Socket(path) => vec![socket(path)],
            At::Https { .. } => vec![tls(reason)],
        },
        Some(ClientError::Problem(problem)) => {
            let mut hints = meant(problem, cx).await;
            hints.extend(of_problem(problem));
            hints
        }
        _ => {
            let failure = error.downcast_ref::<Failure>();
            failure.and_then(|failure| failure.hint.clone()).into_iter().collect()
        }
    }
}

/// Why nobody answers at a socket, as far as it can be seen from here.
fn socket(path: &Path) -> String {
    match std::fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            "is berthd running? 'systemctl start berthd' starts it, and 'berth init' sets a host up".to_owned()
        }
        Ok(socket) if nix::unistd::access(path, nix::unistd::AccessFlags::W_OK).is_err() => {
            let group = Group::from_gid(Gid::from_raw(socket.gid())).ok().flatten();
            match group.filter(|group| group.gid.as_raw() != 0) {
                Some(Group { name, .. }) => format!(
                    "only root and the group '{name}' may use it: 'sudo usermod -aG {name} $USER', then log in again"
                ),
                None => "only root may use it: try 'sudo berth …', or set socket_group in berthd.toml".to_owned(),
            }
        }
        _ => "the socket is there, and nobody serves it: 'systemctl status berthd' and 'journalctl -u berthd' say why"
            .to_owned(),
    }
}

/// Why nobody answers over TLS.
fn tls(reason: &str) -> String {
    let lower = reason.to_lowercase();
    let hint = if lower.contains("unknownissuer") || lower.contains("unknown issuer") {
        "its certificate is from a CA that isn't trusted here: 'berth context add … --ca FILE' names it"
    } else if lower.contains("expired") || lower.contains("not valid yet") {
        "its certificate isn't valid now: compare the clocks, or have the daemon's certificate renewed"
    } else if lower.contains("notvalidforname") || lower.contains("not valid for name") {
        "its certificate is for another name: use the one that is in it in the context's --url"
    } else if lower.contains("certificaterequired") || lower.contains("certificate required") {
        "it wants a certificate: 'berth context add … --cert FILE --key FILE'"
    } else {
        "is it served there ([tls] listen in its berthd.toml), and does nothing in between keep it away? 'berth context show'"
    };
    hint.to_owned()
}

/// The kind and the name of "there is no KIND 'NAME'".
fn missing(detail: &str) -> Option<(&str, &str)> {
    let (_, rest) = detail.split_once("there is no ")?;
    let (kind, rest) = rest.split_once(" '")?;
    let (name, _) = rest.split_once('\'')?;
    Some((kind, name))
}

/// What may have been meant by a name that nothing has.
async fn meant(problem: &Problem, cx: Option<&Context>) -> Vec<String> {
    let (Some((kind, name)), Some(cx)) = (missing(&problem.detail), cx) else {
        return Vec::new();
    };
    let Some(kind) = Kind::called(kind) else {
        return Vec::new();
    };
    let all = tokio::time::timeout(LOOK, kind.all(&cx.client)).await;
    let names: Vec<_> = all.ok().and_then(Result::ok).unwrap_or_default();
    let mut hints = Vec::new();
    if let Some(close) = closest(name, names.iter().map(|known| known.name.as_str())) {
        hints.push(format!("did you mean '{close}'?"));
    }
    hints.push(format!("'{}' shows what there is", kind.listed_by()));
    hints
}

/// The name that is so like what was typed that it may have been meant.
pub(crate) fn closest<'a>(typed: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let most = (typed.chars().count() / 3).max(1);
    let near = names.map(|name| (strsim::damerau_levenshtein(typed, name), name));
    let nearest = near.min_by_key(|(distance, _)| *distance)?;
    (nearest.0 <= most).then_some(nearest.1)
}

/// What follows from the code, and from what the daemon has said besides.
fn of_problem(problem: &Problem) -> Vec<String> {
    let mut hints = Vec::new();
    if let Some(allowed) = problem.allowed_actions.as_ref().filter(|allowed| !allowed.is_empty()) {
        hints.push(format!("allowed now: {}", allowed.join(", ")));
    }
    if let Some(operation) = &problem.operation {
        hints.push(format!(
            "in flight: operation {operation}; see 'berth operation wait {operation}'"
        ));
    }
    let next = match problem.code {
        Code::QuotaExceeded => {
            "'berth quota show' tells what is used of what; an operator gives more by 'berth quota set'"
        }
        Code::Unauthenticated => {
            "sign in by a token: BERTH_TOKEN, or 'berth context add … --token-file FILE'; 'berth token create' makes one"
        }
        Code::Forbidden => "'berth whoami' tells who you are here, and in which projects you are what",
        Code::TooManyAttempts => "wait a minute, and look at your token: 'berth context show'",
        Code::NoCapacity => "'berth host show' tells what the host has left",
        Code::StorageFull => {
            "'berth host show' tells how full the disk is; make room there, or delete what isn't needed"
        }
        Code::StorageError | Code::StoreError | Code::NetworkError => {
            "the daemon's log says more: 'journalctl -u berthd'; 'berth host check' compares the records with the host"
        }
        Code::HypervisorUnavailable => "'berth host show' tells why libvirt isn't reached; 'systemctl status libvirtd'",
        Code::Conflict => "it changed meanwhile: look at it again, then ask again",
        Code::InvalidImage => "'qemu-img info FILE' tells what it is; it must be whole, and refer to no other file",
        Code::Internal => "please report it, with the daemon's log: 'journalctl -u berthd'",
        _ => return hints,
    };
    hints.push(next.to_owned());
    hints
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_read_from_the_daemons_words() {
        assert_eq!(missing("there is no instance 'wbe'"), Some(("instance", "wbe")));
        assert_eq!(
            missing("type: there is no instance type 't1.nao'"),
            Some(("instance type", "t1.nao"))
        );
        assert_eq!(missing("there is no such token"), None);
    }

    #[test]
    fn only_what_is_near_was_meant() {
        let names = ["web", "db", "golden-image"];
        let near = |typed| closest(typed, names.iter().copied());
        assert_eq!(near("wbe"), Some("web"));
        assert_eq!(near("dv"), Some("db"));
        assert_eq!(near("goldn-imag"), Some("golden-image"));
        assert_eq!(near("mail"), None);
        assert_eq!(closest("web", std::iter::empty()), None);
    }

    #[test]
    fn a_certificate_that_is_not_trusted_is_told_from_one_of_another_name() {
        assert!(tls("invalid peer certificate: UnknownIssuer").contains("--ca FILE"));
        assert!(tls("invalid peer certificate: NotValidForName").contains("another name"));
        assert!(tls("invalid peer certificate: Expired").contains("clocks"));
        assert!(tls("Connection refused (os error 111)").contains("served there"));
    }

    #[test]
    fn each_code_that_leaves_one_helpless_says_what_to_do() {
        let problem = |code: Code| Problem {
            status: code.http(),
            code,
            title: String::new(),
            detail: String::new(),
            field: None,
            state: None,
            allowed_actions: None,
            operation: None,
        };
        for code in [
            Code::QuotaExceeded,
            Code::Forbidden,
            Code::HypervisorUnavailable,
            Code::NoCapacity,
        ] {
            let hints = of_problem(&problem(code));
            assert!(hints.iter().any(|hint| hint.contains("berth ")), "{code}: {hints:?}");
        }
    }
}
