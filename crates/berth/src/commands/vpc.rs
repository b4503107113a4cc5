//! `berth vpc …`

use berth_api_types::{ChangeVpc, CreateVpc, VpcView};
use berth_model::Name;
use clap::Subcommand;
use comfy_table::Table;

use crate::cli::name;
use crate::commands::Context;
use crate::commands::label::{self, Listing, NewLabels, Relabel};
use crate::commands::network::joined;
use crate::commands::subnet;
use crate::output::{self, ago, fields, lines, table};
use crate::several::{Holds, Sure, each};
use crate::watch::Watching;

const EXAMPLES: &str = "\
Examples:
  berth vpc create lab
  berth vpc list
  berth vpc show lab
  berth vpc rename lab office
  berth vpc delete lab";

#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum VpcVerb {
    /// Make a VPC: a private network that no other VPC can reach; give it a subnet next, see 'berth subnet create'
    Create {
        /// Its name
        #[arg(value_parser = name)]
        name: Name,
        #[command(flatten)]
        labels: NewLabels,
    },
    /// List the VPCs, oldest first
    List {
        #[command(flatten)]
        which: Listing,
        #[command(flatten)]
        watching: Watching,
    },
    /// Show a VPC and its subnets
    Show {
        /// Its name or id
        vpc: String,
        #[command(flatten)]
        watching: Watching,
    },
    /// Give a VPC another name
    Rename {
        /// Its name or id
        vpc: String,
        /// Its new name
        #[arg(value_parser = name)]
        to: Name,
    },
    /// Label a VPC, or take labels from it
    Label(Relabel),
    /// Delete VPCs that have no subnets left
    Delete {
        /// Their names or ids
        #[arg(required = true, value_name = "VPC")]
        vpcs: Vec<String>,
        #[command(flatten)]
        sure: Sure,
    },
}

pub(crate) async fn run(verb: VpcVerb, cx: &Context) -> anyhow::Result<()> {
    let client = &cx.client;
    match verb {
        VpcVerb::Create { name, labels } => {
            let labels = labels.given()?;
            show(&client.create_vpc(&CreateVpc { name, labels }).await?, cx)
        }
        VpcVerb::List { which, watching } => {
            let query = which.into();
            let fetch = async || client.vpcs(&query).await;
            watching.show(cx, KINDS, fetch, |vpcs| lines(&list(vpcs))).await
        }
        VpcVerb::Show { vpc, watching } => watching.show(cx, KINDS, async || client.vpc(&vpc).await, told).await,
        VpcVerb::Rename { vpc, to } => {
            let change = ChangeVpc {
                name: Some(to),
                ..ChangeVpc::default()
            };
            show(&client.change_vpc(&vpc, &change).await?, cx)
        }
        VpcVerb::Label(relabel) => {
            let change = ChangeVpc {
                labels: relabel.patch(),
                ..ChangeVpc::default()
            };
            show(&client.change_vpc(&relabel.of, &change).await?, cx)
        }
        VpcVerb::Delete { vpcs, sure } => {
            sure.ask(cx, "delete", ("VPC", "VPCs"), &vpcs, Holds::Nothing)?;
            each(&vpcs, cx, async |vpc| client.delete_vpc(vpc).await).await
        }
    }
}

/// What changes what is shown of a VPC.
const KINDS: &[&str] = &["vpc", "subnet"];

fn list(vpcs: &[VpcView]) -> Table {
    let row = |one: &VpcView| {
        let subnets: Vec<_> = one.subnets.iter().map(|subnet| subnet.cidr).collect();
        [one.name.to_string(), joined(&subnets), ago(one.created_at)]
    };
    table(["name", "subnets", "created"], vpcs.iter().map(row))
}

fn show(vpc: &VpcView, cx: &Context) -> anyhow::Result<()> {
    output::show(cx.format, vpc, told)
}

fn told(vpc: &VpcView) -> String {
    let mut text = lines(&fields([
        ("id", vpc.id.to_string()),
        ("name", vpc.name.to_string()),
        ("project", vpc.project.clone()),
        ("labels", label::shown(&vpc.labels)),
        ("created", vpc.created_at.to_string()),
    ]));
    if !vpc.subnets.is_empty() {
        text.push('\n');
        text.push_str(&lines(&subnet::rows(&vpc.subnets)));
    }
    text
}
