//! `berth security-group …`

use berth_api_types::{ChangeSecurityGroup, CreateSecurityGroup, RuleView, SecurityGroupQuery, SecurityGroupView};
use berth_model::{Direction, Name};
use clap::Subcommand;
use comfy_table::Table;

use crate::cli::name;
use crate::commands::Context;
use crate::commands::label::{self, Listing, NewLabels, Relabel};
use crate::commands::network::{dash, yes};
use crate::commands::rule::{self, RuleVerb};
use crate::output::{self, ago, fields, lines, table};
use crate::several::{Holds, Sure, each};
use crate::watch::Watching;

const EXAMPLES: &str = "\
Examples:
  berth security-group create web --vpc lab --description 'web servers'
  berth security-group rule add lab/web --port 443
  berth security-group show lab/web
  berth security-group rename lab/web front
  berth security-group delete lab/web";

#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum SecurityGroupVerb {
    /// Make a security group: what no rule of a port's groups allows is dropped
    Create {
        /// Its name, unique in its VPC
        #[arg(value_parser = name)]
        name: Name,
        /// The VPC it is part of [default: default]
        #[arg(long)]
        vpc: Option<String>,
        /// What it is for
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
        #[command(flatten)]
        labels: NewLabels,
    },
    /// List security groups, oldest first
    List {
        /// Only those of this VPC
        #[arg(long)]
        vpc: Option<String>,
        #[command(flatten)]
        listing: Listing,
        #[command(flatten)]
        watching: Watching,
    },
    /// Show a security group and its rules
    Show {
        /// Its name or id, or VPC/NAME
        group: String,
        #[command(flatten)]
        watching: Watching,
    },
    /// Give a security group another name
    Rename {
        /// Its name or id, or VPC/NAME
        group: String,
        /// Its new name
        #[arg(value_parser = name)]
        to: Name,
    },
    /// Say what a security group is for
    Set {
        /// Its name or id, or VPC/NAME
        group: String,
        /// What it is for
        #[arg(long, value_name = "TEXT")]
        description: String,
    },
    /// Label a security group, or take labels from it
    Label(Relabel),
    /// Delete security groups that no port is in
    Delete {
        /// Their names or ids, or VPC/NAME
        #[arg(required = true, value_name = "GROUP")]
        groups: Vec<String>,
        #[command(flatten)]
        sure: Sure,
    },
    /// Add rules to a security group, or take them away
    #[command(subcommand)]
    Rule(RuleVerb),
}

pub(crate) async fn run(verb: SecurityGroupVerb, cx: &Context) -> anyhow::Result<()> {
    let client = &cx.client;
    match verb {
        SecurityGroupVerb::Create {
            name,
            vpc,
            description,
            labels,
        } => {
            let request = CreateSecurityGroup {
                name,
                vpc,
                description,
                labels: labels.given()?,
            };
            show(&client.create_security_group(&request).await?, cx)
        }
        SecurityGroupVerb::List { vpc, listing, watching } => {
            let query = SecurityGroupQuery {
                vpc,
                name: listing.name,
                sort: listing.sort,
                label: listing.by.label,
                ..SecurityGroupQuery::default()
            };
            let fetch = async || client.security_groups(&query).await;
            watching.show(cx, KINDS, fetch, |groups| lines(&list(groups))).await
        }
        SecurityGroupVerb::Show { group, watching } => {
            let fetch = async || client.security_group(&group).await;
            watching.show(cx, KINDS, fetch, told).await
        }
        SecurityGroupVerb::Rename { group, to } => {
            let change = ChangeSecurityGroup {
                name: Some(to),
                ..ChangeSecurityGroup::default()
            };
            show(&client.change_security_group(&group, &change).await?, cx)
        }
        SecurityGroupVerb::Set { group, description } => {
            let change = ChangeSecurityGroup {
                description: Some(description),
                ..ChangeSecurityGroup::default()
            };
            show(&client.change_security_group(&group, &change).await?, cx)
        }
        SecurityGroupVerb::Label(relabel) => {
            let change = ChangeSecurityGroup {
                labels: relabel.patch(),
                ..ChangeSecurityGroup::default()
            };
            show(&client.change_security_group(&relabel.of, &change).await?, cx)
        }
        SecurityGroupVerb::Delete { groups, sure } => {
            sure.ask(
                cx,
                "delete",
                ("security group", "security groups"),
                &groups,
                Holds::Nothing,
            )?;
            each(&groups, cx, async |group| client.delete_security_group(group).await).await
        }
        SecurityGroupVerb::Rule(verb) => rule::run(verb, cx).await,
    }
}

/// What changes what is shown of a group: which ports are in it too.
const KINDS: &[&str] = &["security_group", "port", "instance"];

fn list(groups: &[SecurityGroupView]) -> Table {
    let row = |one: &SecurityGroupView| {
        [
            one.name.to_string(),
            one.vpc_name.to_string(),
            one.rules.len().to_string(),
            one.ports.to_string(),
            one.description.clone(),
            ago(one.created_at),
        ]
    };
    table(
        ["group", "vpc", "rules", "ports", "description", "created"],
        groups.iter().map(row),
    )
}

fn show(group: &SecurityGroupView, cx: &Context) -> anyhow::Result<()> {
    output::show(cx.format, group, told)
}

fn told(group: &SecurityGroupView) -> String {
    let mut text = lines(&fields([
        ("id", group.id.to_string()),
        ("name", group.name.to_string()),
        ("vpc", format!("{} ({})", group.vpc_name, group.vpc)),
        (
            "description",
            dash(Some(&group.description).filter(|text| !text.is_empty())),
        ),
        ("default", yes(group.default)),
        ("ports", group.ports.to_string()),
        ("labels", label::shown(&group.labels)),
        ("created", group.created_at.to_string()),
    ]));
    if !group.rules.is_empty() {
        text.push('\n');
        let rows = table(
            ["rule", "allows", "protocol", "ports", "with"],
            group.rules.iter().map(row),
        );
        text.push_str(&lines(&rows));
    }
    text
}

fn row(rule: &RuleView) -> [String; 5] {
    let way = match rule.direction {
        Direction::Ingress => "in",
        Direction::Egress => "out",
    };
    [
        rule.id.to_string(),
        way.to_owned(),
        rule.protocol.to_string(),
        rule.ports.map_or_else(|| "all".to_owned(), |ports| ports.to_string()),
        rule::far_end(rule),
    ]
}
