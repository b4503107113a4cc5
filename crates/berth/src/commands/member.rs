//! `berth member …`

use berth_api_types::{MemberView, SetMember};
use berth_model::{Role, User};
use clap::Subcommand;
use comfy_table::Table;

use crate::commands::Context;
use crate::output::{self, ago, lines, table};
use crate::several::{self, Failures, Holds, Sure, each};
use crate::watch::Watching;

const EXAMPLES: &str = "\
Examples:
  berth member add lab local:alice oidc:bob@example.com
  berth member set lab local:alice --role admin
  berth member list lab
  berth member remove lab local:alice";

#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum MemberVerb {
    /// Make users members of a project
    Add {
        /// The project
        project: String,
        /// The users, e.g. local:alice, cert:ci or oidc:alice@example.com; they need not have been here before
        #[arg(required = true, value_name = "USER")]
        users: Vec<User>,
        /// What they are: reader (looks), member (works), admin (adds members, sets public IPs)
        #[arg(long, default_value_t = Role::Member)]
        role: Role,
    },
    /// Give members another role
    Set {
        /// The project
        project: String,
        /// The users
        #[arg(required = true, value_name = "USER")]
        users: Vec<User>,
        /// What they are from now on: reader, member or admin
        #[arg(long)]
        role: Role,
    },
    /// List the members of a project
    List {
        /// The project
        project: String,
        #[command(flatten)]
        watching: Watching,
    },
    /// Take members from a project; their tokens are worth nothing there from then on
    Remove {
        /// The project
        project: String,
        /// The users
        #[arg(required = true, value_name = "USER")]
        users: Vec<User>,
        #[command(flatten)]
        sure: Sure,
    },
}

pub(crate) async fn run(verb: MemberVerb, cx: &Context) -> anyhow::Result<()> {
    match verb {
        MemberVerb::Add { project, users, role } | MemberVerb::Set { project, users, role } => {
            let set = SetMember { role };
            let mut failures = Failures::new(cx, users.len());
            let one = async |user: &str| cx.client.set_member(&project, user, &set).await;
            let members = several::ask(&names(&users), &mut failures, one).await;
            if !members.is_empty() {
                output::print(cx.format, &members, |members| list(members))?;
            }
            failures.end()
        }
        MemberVerb::List { project, watching } => {
            let fetch = async || cx.client.members(&project).await;
            watching
                .show(cx, &["member"], fetch, |members| lines(&list(members)))
                .await
        }
        MemberVerb::Remove { project, users, sure } => {
            let users = names(&users);
            sure.ask(cx, "remove", ("member", "members"), &users, Holds::Nothing)?;
            let one = async |user: &str| cx.client.remove_member(&project, user).await;
            each(&users, cx, one).await
        }
    }
}

fn names(users: &[User]) -> Vec<String> {
    users.iter().map(ToString::to_string).collect()
}

fn list(members: &[MemberView]) -> Table {
    let row = |one: &MemberView| {
        let (user, role) = (one.user.to_string(), one.role.to_string());
        [user, role, one.project.clone(), ago(one.created_at)]
    };
    table(["user", "role", "project", "since"], members.iter().map(row))
}
