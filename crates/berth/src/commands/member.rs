//! `berth member …`

use berth_api_types::{MemberView, SetMember};
use berth_model::{Role, User};
use clap::Subcommand;

use crate::commands::Context;
use crate::output::{self, ago, table};

#[derive(Debug, Subcommand)]
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
    },
    /// Take members from a project; their tokens are worth nothing there from then on
    Remove {
        /// The project
        project: String,
        /// The users
        #[arg(required = true, value_name = "USER")]
        users: Vec<User>,
    },
}

pub(crate) async fn run(verb: MemberVerb, cx: &Context) -> anyhow::Result<()> {
    match verb {
        MemberVerb::Add { project, users, role } | MemberVerb::Set { project, users, role } => {
            let mut members = Vec::with_capacity(users.len());
            for user in users {
                let set = SetMember { role };
                members.push(cx.client.set_member(&project, user.as_str(), &set).await?);
            }
            list(&members, cx)
        }
        MemberVerb::List { project } => list(&cx.client.members(&project).await?, cx),
        MemberVerb::Remove { project, users } => {
            for user in users {
                cx.client.remove_member(&project, user.as_str()).await?;
            }
            Ok(())
        }
    }
}

fn list(members: &Vec<MemberView>, cx: &Context) -> anyhow::Result<()> {
    output::print(cx.format, members, |members| {
        let row = |one: &MemberView| {
            let (user, role) = (one.user.to_string(), one.role.to_string());
            [user, role, one.project.clone(), ago(one.created_at)]
        };
        table(["user", "role", "project", "since"], members.iter().map(row))
    })?;
    Ok(())
}
