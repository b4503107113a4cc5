//! People: local users of the host who are users of Berth, members of projects, and what tokens they have.

use std::time::{Duration, Instant};

use berth_testkit::{Caller, Daemon, Host, Options};
use jiff::Timestamp;
use serde_json::{Value, json};

/// Which users of Berth some local users of the host are.
pub(crate) const CONFIG: &str = "\
local_users.4000001 = \"local:ruth\"
local_users.4000002 = \"local:mel\"
local_users.4000003 = \"local:ann\"
local_users.4000004 = \"local:bob\"
";
pub(crate) const RUTH: u32 = 4_000_001;
pub(crate) const MEL: u32 = 4_000_002;
pub(crate) const ANN: u32 = 4_000_003;
pub(crate) const BOB: u32 = 4_000_004;
/// A local user who is nobody's.
pub(crate) const STRANGER: u32 = 4_000_009;

/// A daemon that knows these people.
pub(crate) fn daemon(host: &Host) -> Daemon<'_> {
    let config = CONFIG.to_owned();
    Daemon::start_with(
        host,
        Options {
            config,
            ..Options::default()
        },
    )
}

/// Makes a project with these members: users and roles.
pub(crate) fn project(root: &Caller, name: &str, members: &[(&str, &str)]) {
    root.post("/v1/projects", &json!({ "name": name })).ok();
    for (user, role) in members {
        member(root, name, user, role);
    }
}

/// Makes a user a member of a project, or gives a member another role.
pub(crate) fn member(root: &Caller, project: &str, user: &str, role: &str) {
    let path = format!("/v1/projects/{project}/members/{user}");
    root.ask("PUT", &path, &json!({ "role": role }).to_string()).ok();
}

/// A token as it was made.
pub(crate) struct Token {
    pub(crate) id: String,
    pub(crate) bearer: String,
    pub(crate) expires_at: Timestamp,
}

/// Makes a token.
pub(crate) fn token(by: &Caller, body: &Value) -> Token {
    let made = by.post("/v1/tokens", body).ok();
    Token {
        id: made["id"].as_str().unwrap().to_owned(),
        bearer: made["token"].as_str().unwrap().to_owned(),
        expires_at: made["expires_at"].as_str().unwrap().parse().unwrap(),
    }
}

/// Waits for a moment of the clock.
pub(crate) fn until(moment: Timestamp) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while Timestamp::now() <= moment {
        assert!(Instant::now() < deadline, "the clock stands still");
        std::thread::sleep(Duration::from_millis(20));
    }
}
