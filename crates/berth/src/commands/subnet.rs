//! `berth subnet …`

use std::net::Ipv4Addr;

use berth_api_types::{ChangeSubnet, CreateSubnet, SubnetQuery, SubnetView};
use berth_model::Name;
use clap::{Args, Subcommand};
use comfy_table::Table;
use ipnet::Ipv4Net;

use crate::cli::name;
use crate::commands::Context;
use crate::commands::label::{self, Listing, NewLabels, Relabel};
use crate::commands::network::{address, cidr, joined, yes};
use crate::output::{self, ago, fields, lines, table};
use crate::several::{Holds, Sure, each};
use crate::watch::Watching;

const EXAMPLES: &str = "\
Examples:
  berth subnet create front --vpc lab --cidr 10.1.0.0/24
  berth subnet create back --vpc lab --cidr 10.1.1.0/24 --no-nat
  berth subnet list --vpc lab
  berth subnet set lab/front --dns 192.0.2.53
  berth subnet delete lab/front";

#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum SubnetVerb {
    /// Make a subnet of a VPC; its first address is the gateway's
    Create(Create),
    /// List subnets, oldest first
    List {
        /// Only those of this VPC
        #[arg(long)]
        vpc: Option<String>,
        #[command(flatten)]
        listing: Listing,
        #[command(flatten)]
        watching: Watching,
    },
    /// Show a subnet
    Show {
        /// Its name or id, or VPC/NAME
        subnet: String,
        #[command(flatten)]
        watching: Watching,
    },
    /// Change a subnet; its guests hear of other servers when they renew their lease
    #[command(override_usage = "berth subnet set <SUBNET> <OPTIONS>")]
    Set {
        /// Its name or id, or VPC/NAME
        subnet: String,
        #[command(flatten)]
        change: Change,
    },
    /// Label a subnet, or take labels from it
    Label(Relabel),
    /// Delete subnets that have no ports left
    Delete {
        /// Their names or ids, or VPC/NAME
        #[arg(required = true, value_name = "SUBNET")]
        subnets: Vec<String>,
        #[command(flatten)]
        sure: Sure,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Its name, unique in its VPC
    #[arg(value_parser = name)]
    name: Name,
    /// Its range, a /16 to a /28 such as 10.1.0.0/24, apart from the other subnets of its VPC
    #[arg(long, value_name = "CIDR", value_parser = cidr)]
    cidr: Ipv4Net,
    /// The VPC it is part of [default: default]
    #[arg(long)]
    vpc: Option<String>,
    /// Keep its guests from the outside: only those with a public IP reach it
    #[arg(long)]
    no_nat: bool,
    /// A resolver its guests are told of, up to four times [default: the gateway]
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    dns: Vec<Ipv4Addr>,
    /// A time server its guests are told of, up to four times
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    ntp: Vec<Ipv4Addr>,
    #[command(flatten)]
    labels: NewLabels,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
#[allow(clippy::struct_excessive_bools, reason = "four flags")]
pub(crate) struct Change {
    /// Another name
    #[arg(long, value_parser = name)]
    name: Option<Name>,
    /// Let its guests reach the outside by the host's address
    #[arg(long)]
    nat: bool,
    /// Keep its guests from the outside: only those with a public IP reach it
    #[arg(long, conflicts_with = "nat")]
    no_nat: bool,
    /// A resolver its guests are told of, up to four times; the others are forgotten
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    dns: Vec<Ipv4Addr>,
    /// Forget all resolvers: the gateway is one then
    #[arg(long, conflicts_with = "dns")]
    no_dns: bool,
    /// A time server its guests are told of, up to four times; the others are forgotten
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    ntp: Vec<Ipv4Addr>,
    /// Forget all time servers
    #[arg(long, conflicts_with = "ntp")]
    no_ntp: bool,
}

impl From<Change> for ChangeSubnet {
    fn from(change: Change) -> Self {
        let servers = |servers: Vec<Ipv4Addr>, none: bool| (none || !servers.is_empty()).then_some(servers);
        Self {
            name: change.name,
            nat: (change.nat || change.no_nat).then_some(change.nat),
            dns: servers(change.dns, change.no_dns),
            ntp: servers(change.ntp, change.no_ntp),
            ..Self::default()
        }
    }
}

pub(crate) async fn run(verb: SubnetVerb, cx: &Context) -> anyhow::Result<()> {
    let client = &cx.client;
    match verb {
        SubnetVerb::Create(new) => {
            let request = CreateSubnet {
                name: new.name,
                vpc: new.vpc,
                cidr: new.cidr,
                nat: Some(!new.no_nat),
                dns: new.dns,
                ntp: new.ntp,
                labels: new.labels.given()?,
            };
            show(&client.create_subnet(&request).await?, cx)
        }
        SubnetVerb::List { vpc, listing, watching } => {
            let query = SubnetQuery {
                vpc,
                name: listing.name,
                sort: listing.sort,
                label: listing.by.label,
                ..SubnetQuery::default()
            };
            let fetch = async || client.subnets(&query).await;
            watching.show(cx, KINDS, fetch, |subnets| lines(&rows(subnets))).await
        }
        SubnetVerb::Show { subnet, watching } => {
            let fetch = async || client.subnet(&subnet).await;
            watching.show(cx, KINDS, fetch, |subnet| lines(&shown(subnet))).await
        }
        SubnetVerb::Set { subnet, change } => show(&client.change_subnet(&subnet, &change.into()).await?, cx),
        SubnetVerb::Label(relabel) => {
            let change = ChangeSubnet {
                labels: relabel.patch(),
                ..ChangeSubnet::default()
            };
            show(&client.change_subnet(&relabel.of, &change).await?, cx)
        }
        SubnetVerb::Delete { subnets, sure } => {
            sure.ask(cx, "delete", ("subnet", "subnets"), &subnets, Holds::Nothing)?;
            each(&subnets, cx, async |subnet| client.delete_subnet(subnet).await).await
        }
    }
}

/// What changes what is shown of a subnet: its free addresses too.
const KINDS: &[&str] = &["subnet", "port", "instance"];

/// A row for each subnet.
pub(super) fn rows(subnets: &[SubnetView]) -> Table {
    let row = |one: &SubnetView| {
        [
            one.name.to_string(),
            one.vpc_name.to_string(),
            one.cidr.to_string(),
            one.gateway.to_string(),
            yes(one.nat),
            room(one),
            ago(one.created_at),
        ]
    };
    table(
        ["subnet", "vpc", "range", "gateway", "nat", "free", "created"],
        subnets.iter().map(row),
    )
}

fn room(subnet: &SubnetView) -> String {
    format!("{} of {}", subnet.addresses_free, subnet.addresses)
}

fn show(subnet: &SubnetView, cx: &Context) -> anyhow::Result<()> {
    output::print(cx.format, subnet, shown)
}

fn shown(subnet: &SubnetView) -> Table {
    let dns = if subnet.dns.is_empty() {
        format!("{} (the gateway)", subnet.gateway)
    } else {
        joined(&subnet.dns)
    };
    fields([
        ("id", subnet.id.to_string()),
        ("name", subnet.name.to_string()),
        ("vpc", format!("{} ({})", subnet.vpc_name, subnet.vpc)),
        ("range", subnet.cidr.to_string()),
        ("gateway", subnet.gateway.to_string()),
        ("nat", yes(subnet.nat)),
        ("dns", dns),
        ("ntp", joined(&subnet.ntp)),
        ("free addresses", room(subnet)),
        ("labels", label::shown(&subnet.labels)),
        ("created", subnet.created_at.to_string()),
    ])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Noun};

    /// The change that a line asks for, or what is said of it.
    fn asked(line: &str) -> Result<ChangeSubnet, String> {
        let words = "berth subnet set lab/front".split(' ').chain(line.split_whitespace());
        let cli = Cli::try_parse_from(words).map_err(|error| error.to_string())?;
        match cli.noun {
            Noun::Subnet(SubnetVerb::Set { change, .. }) => Ok(change.into()),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn only_what_is_typed_is_changed() {
        let change = ChangeSubnet {
            nat: Some(false),
            ..ChangeSubnet::default()
        };
        assert_eq!(asked("--no-nat"), Ok(change));
        let change = ChangeSubnet {
            nat: Some(true),
            dns: Some(vec![Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 2)]),
            ntp: Some(Vec::new()),
            ..ChangeSubnet::default()
        };
        assert_eq!(asked("--nat --dns 192.0.2.1 --dns 192.0.2.2 --no-ntp"), Ok(change));
        assert!(asked("").unwrap_err().contains("--no-nat"));
        assert!(asked("--nat --no-nat").is_err() && asked("--dns 192.0.2.1 --no-dns").is_err());
    }
}
