//! Which users the processes of this host are, at the other end of the socket.
//!
//! root, who runs the daemon, and the members of the operators' group are operators. Others are whom the configuration
//! says, or nobody. Groups are looked up where the host keeps them, which may be slow and far away: on the blocking
//! pool, and not more often than every half minute for one user.

use std::collections::{BTreeMap, HashMap};
use std::ffi::CString;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use berth_model::User;
use nix::unistd::{self, Gid, Uid, getgrouplist};

use crate::auth::AuthSettings;
use crate::problem::ApiError;

/// How long it is believed what was looked up.
const KEPT: Duration = Duration::from_secs(30);

/// How many users are remembered.
const REMEMBERED: usize = 1024;

/// A local user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Local {
    pub(crate) user: User,
    pub(crate) operator: bool,
}

/// A local user, or why it is none of Berth's.
type Found = Result<Local, String>;

/// The local users, as far as they were looked up.
pub(crate) struct LocalUsers {
    group: Option<String>,
    users: BTreeMap<String, User>,
    known: Mutex<HashMap<(u32, u32), (Instant, Found)>>,
}

impl LocalUsers {
    pub(crate) fn new(settings: &AuthSettings) -> Self {
        Self {
            group: settings.operators_group.clone(),
            users: settings.local_users.clone(),
            known: Mutex::default(),
        }
    }

    /// Who a process is that runs as that user and group.
    pub(crate) async fn find(&self, uid: u32, gid: u32) -> Result<Local, ApiError> {
        if let Some(known) = self.remembered((uid, gid)) {
            return known.map_err(ApiError::unauthenticated);
        }
        let (group, users) = (self.group.clone(), self.users.clone());
        let looked_up = tokio::task::spawn_blocking(move || look_up((uid, gid), group.as_deref(), &users));
        let found = looked_up.await.map_err(ApiError::internal)?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert((uid, gid), (Instant::now(), found.clone()));
        found.map_err(ApiError::unauthenticated)
    }

    fn remembered(&self, who: (u32, u32)) -> Option<Found> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, found) = known.get(&who)?;
        (since.elapsed() < KEPT).then(|| found.clone())
    }
}

/// Who that is; else why it is nobody.
fn look_up((uid, gid): (u32, u32), group: Option<&str>, users: &BTreeMap<String, User>) -> Found {
    let account = unistd::User::from_uid(Uid::from_raw(uid)).ok().flatten();
    let login = account.map_or_else(|| uid.to_string(), |account| account.name);
    let operator =
        uid == 0 || uid == unistd::geteuid().as_raw() || group.is_some_and(|group| is_in(&login, gid, group));
    let named = users.get(&login).or_else(|| users.get(&uid.to_string()));
    match named {
        Some(user) => Ok(Local {
            user: user.clone(),
            operator,
        }),
        None if operator => Ok(Local {
            user: User::vouched("local", &login).map_err(|error| error.to_string())?,
            operator,
        }),
        None => Err(format!(
            "'{login}' (uid {uid}) of this host is no user of Berth: the operator says who is, in [local_users]"
        )),
    }
}

/// Whether a user is in a group, by what its process runs as or by the host's records.
fn is_in(login: &str, gid: u32, group: &str) -> bool {
    let Some(group) = unistd::Group::from_name(group).ok().flatten() else {
        return false;
    };
    let Ok(login) = CString::new(login) else { return false };
    group.gid.as_raw() == gid
        || getgrouplist(&login, Gid::from_raw(gid)).is_ok_and(|groups| groups.contains(&group.gid))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn users(of: &[(&str, &str)]) -> BTreeMap<String, User> {
        let entry = |(login, user): &(&str, &str)| ((*login).to_owned(), user.parse().unwrap());
        of.iter().map(entry).collect()
    }

    #[test]
    fn root_is_the_operator_whatever_it_is_called() {
        let root = look_up((0, 0), None, &users(&[])).unwrap();
        assert_eq!((root.user.as_str(), root.operator), ("local:root", true));
        let named = look_up((0, 0), None, &users(&[("root", "alice")])).unwrap();
        assert_eq!((named.user.as_str(), named.operator), ("alice", true));
    }

    #[test]
    fn a_stranger_is_nobody_until_the_operator_says_who() {
        let stranger = (4_000_000, 4_000_000);
        let refused = look_up(stranger, Some("root"), &users(&[])).unwrap_err();
        assert!(
            refused.contains("4000000") && refused.contains("[local_users]"),
            "{refused}"
        );
        let named = look_up(stranger, Some("root"), &users(&[("4000000", "oidc:bob")])).unwrap();
        assert_eq!((named.user.as_str(), named.operator), ("oidc:bob", false));
    }

    #[test]
    fn a_member_of_the_operators_group_is_an_operator() {
        // The group of the process counts, as the kernel tells it: group 0 is called root wherever there is one.
        let group = unistd::Group::from_gid(Gid::from_raw(0)).unwrap().unwrap().name;
        let member = look_up((4_000_000, 0), Some(&group), &users(&[])).unwrap();
        assert_eq!((member.user.as_str(), member.operator), ("local:4000000", true));
        assert!(look_up((4_000_000, 0), Some("no-such-group"), &users(&[])).is_err());
    }
}
