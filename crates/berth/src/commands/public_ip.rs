//! `berth public-ip …`

use std::net::Ipv4Addr;

use berth_api_types::{
    AllocatePublicIp, AttachPublicIp, ChangeLabels, GivePublicIp, PublicIpPoolView, PublicIpQuery, PublicIpView,
};
use clap::{Args, Subcommand};
use comfy_table::Table;

use crate::commands::Context;
use crate::commands::label::{self, ByLabel, NewLabels, Relabel};
use crate::commands::network::{dash, joined, public_address, public_ip};
use crate::output::{self, ago, fields, lines, table};
use crate::several::{Holds, Sure, each};
use crate::watch::Watching;

const EXAMPLES: &str = "\
A static public IP is the project's until it is released, and moves between instances. \
An ephemeral one goes back to its pool when its instance is stopped, shelved or deleted, or it is detached.

Examples:
  berth public-ip allocate                          # a static one, say 203.0.113.7
  berth public-ip attach 203.0.113.7 web            # to the instance 'web'
  berth public-ip attach 203.0.113.7 spare --move   # to 'spare', from whoever has it
  berth public-ip attach-ephemeral web              # any one, for as long as 'web' runs";

#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum PublicIpVerb {
    /// Take a static public IP from a pool; it is the project's until it is released
    Allocate {
        /// From this pool: see 'berth public-ip pools' [default: any with a free one]
        #[arg(long)]
        pool: Option<String>,
        /// This very address [default: any that is free]
        #[arg(long, value_parser = public_address)]
        address: Option<Ipv4Addr>,
        #[command(flatten)]
        labels: NewLabels,
    },
    /// List the public IPs, static and ephemeral ones, oldest first
    List {
        #[command(flatten)]
        which: Wanted,
        #[command(flatten)]
        watching: Watching,
    },
    /// Show a public IP
    Show {
        /// Its address or id
        #[arg(value_name = "ADDRESS", value_parser = public_ip)]
        ip: String,
        #[command(flatten)]
        watching: Watching,
    },
    /// Label a public IP, or take labels from it
    Label(Relabel),
    /// Attach a static public IP to an instance, or to a port
    #[command(override_usage = "berth public-ip attach [OPTIONS] <ADDRESS> <INSTANCE|--port <PORT>>")]
    Attach {
        /// Its address or id
        #[arg(value_name = "ADDRESS", value_parser = public_ip)]
        ip: String,
        #[command(flatten)]
        to: To,
        /// Take it from the port that has it now
        #[arg(long = "move")]
        take: bool,
    },
    /// Give an instance, or a port, an ephemeral public IP from a pool
    AttachEphemeral {
        #[command(flatten)]
        to: To,
        /// From this pool: see 'berth public-ip pools' [default: any with a free one]
        #[arg(long)]
        pool: Option<String>,
        #[command(flatten)]
        labels: NewLabels,
    },
    /// Detach a public IP from its port; an ephemeral one goes back to its pool
    Detach {
        /// Its address or id
        #[arg(value_name = "ADDRESS", value_parser = public_ip)]
        ip: String,
    },
    /// Give static public IPs that no port has back to their pools
    Release {
        /// Their addresses or ids
        #[arg(required = true, value_name = "ADDRESS", value_parser = public_ip)]
        ips: Vec<String>,
        #[command(flatten)]
        sure: Sure,
    },
    /// List the pools that public IPs are taken from
    Pools,
}

/// Which public IPs are listed.
#[derive(Debug, Args)]
pub(crate) struct Wanted {
    /// Only static ones, or only ephemeral ones
    #[arg(long, value_parser = ["static", "ephemeral"])]
    kind: Option<String>,
    /// Only those that a port has
    #[arg(long)]
    attached: bool,
    /// Only those that no port has
    #[arg(long, conflicts_with = "attached")]
    free: bool,
    /// Only those from this pool
    #[arg(long)]
    pool: Option<String>,
    /// The order [default: created_at]
    #[arg(long, value_name = "KEY", allow_hyphen_values = true, value_parser = ["created_at", "-created_at"])]
    sort: Option<String>,
    #[command(flatten)]
    by: ByLabel,
}

impl From<Wanted> for PublicIpQuery {
    fn from(list: Wanted) -> Self {
        Self {
            kind: list.kind,
            attached: (list.attached || list.free).then_some(list.attached),
            pool: list.pool,
            sort: list.sort,
            label: list.by.label,
            ..Self::default()
        }
    }
}

/// What a public IP is attached to.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct To {
    /// To the first NIC of this instance
    instance: Option<String>,
    /// To this port
    #[arg(long)]
    port: Option<String>,
}

pub(crate) async fn run(verb: PublicIpVerb, cx: &Context) -> anyhow::Result<()> {
    let client = &cx.client;
    match verb {
        PublicIpVerb::Allocate { pool, address, labels } => {
            let labels = labels.given()?;
            let request = AllocatePublicIp { pool, address, labels };
            show(&client.allocate_public_ip(&request).await?, cx)
        }
        PublicIpVerb::List { which, watching } => {
            let query = which.into();
            let fetch = async || client.public_ips(&query).await;
            watching.show(cx, KINDS, fetch, |ips| lines(&list(ips))).await
        }
        PublicIpVerb::Show { ip, watching } => {
            let fetch = async || client.public_ip(&ip).await;
            watching.show(cx, KINDS, fetch, |ip| lines(&shown(ip))).await
        }
        PublicIpVerb::Label(change) => {
            let labels = change.patch();
            show(
                &client.change_public_ip(&change.of, &ChangeLabels { labels }).await?,
                cx,
            )
        }
        PublicIpVerb::Attach { ip, to, take } => {
            let how = AttachPublicIp {
                instance: to.instance,
                port: to.port,
                take,
            };
            show(&client.attach_public_ip(&ip, &how).await?, cx)
        }
        PublicIpVerb::AttachEphemeral { to, pool, labels } => {
            let labels = labels.given()?;
            let request = GivePublicIp { pool, labels };
            let given = match (&to.instance, &to.port) {
                (_, Some(port)) => client.give_port_public_ip(port, &request).await?,
                (instance, None) => {
                    let instance = instance.as_deref().unwrap_or_default();
                    client.give_instance_public_ip(instance, &request).await?
                }
            };
            show(&given, cx)
        }
        PublicIpVerb::Detach { ip } => show(&client.detach_public_ip(&ip).await?, cx),
        PublicIpVerb::Release { ips, sure } => {
            sure.ask(cx, "release", ("public IP", "public IPs"), &ips, Holds::Nothing)?;
            each(&ips, cx, async |ip| client.release_public_ip(ip).await).await
        }
        PublicIpVerb::Pools => pools(&client.public_ip_pools().await?, cx),
    }
}

/// What changes what is shown of a public IP.
const KINDS: &[&str] = &["public_ip", "port", "instance"];

fn list(ips: &[PublicIpView]) -> Table {
    let row = |one: &PublicIpView| {
        [
            one.address.to_string(),
            one.kind.to_string(),
            one.pool.clone(),
            dash(one.instance_name.as_ref()),
            dash(one.private_address),
            ago(one.created_at),
        ]
    };
    table(
        ["public ip", "kind", "pool", "instance", "address", "taken"],
        ips.iter().map(row),
    )
}

fn show(ip: &PublicIpView, cx: &Context) -> anyhow::Result<()> {
    output::print(cx.format, ip, shown)
}

fn shown(ip: &PublicIpView) -> Table {
    let instance = match (&ip.instance_name, ip.instance) {
        (Some(name), Some(id)) => format!("{name} ({id})"),
        (_, id) => dash(id),
    };
    fields([
        ("id", ip.id.to_string()),
        ("public ip", ip.address.to_string()),
        ("project", ip.project.clone()),
        ("kind", ip.kind.to_string()),
        ("pool", ip.pool.clone()),
        ("port", dash(ip.port)),
        ("instance", instance),
        ("address", dash(ip.private_address)),
        ("labels", label::shown(&ip.labels)),
        ("taken", ip.created_at.to_string()),
    ])
}

fn pools(pools: &Vec<PublicIpPoolView>, cx: &Context) -> anyhow::Result<()> {
    output::print(cx.format, pools, |pools| {
        let row = |one: &PublicIpPoolView| {
            [
                one.name.clone(),
                one.interface.clone().unwrap_or_else(|| "(routed)".to_owned()),
                joined(&one.ranges),
                format!("{} of {}", one.free, one.addresses),
            ]
        };
        table(["pool", "interface", "ranges", "free"], pools.iter().map(row))
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use crate::cli::Cli;

    /// What is said of a line; nothing if it may be typed.
    fn said(line: &str) -> String {
        let words = ["berth", "public-ip"].into_iter().chain(line.split(' '));
        Cli::try_parse_from(words).map_or_else(|error| error.to_string(), |_| String::new())
    }

    #[test]
    fn it_is_attached_to_an_instance_or_to_a_port() {
        for good in [
            "attach 203.0.113.7 web",
            "attach 203.0.113.7 web --move",
            "attach 203.0.113.7 --port vip",
            "attach-ephemeral web --pool lab",
            "attach-ephemeral --port vip",
            "release 203.0.113.7 203.0.113.8",
        ] {
            assert_eq!(said(good), "", "{good}");
        }
        for bad in [
            "attach 203.0.113.7",
            "attach 203.0.113.7 web --port vip",
            "attach-ephemeral",
        ] {
            assert_ne!(said(bad), "", "{bad}");
        }
    }

    #[test]
    fn what_is_no_public_ip_is_refused_in_words() {
        for bad in ["attach web 203.0.113.7", "detach web", "release web"] {
            let words = "'web' is neither an IPv4 address such as 203.0.113.7 nor the id of a public IP";
            assert!(said(bad).contains(words), "{bad}");
        }
        assert!(said("allocate --address 203.0.113").contains("'203.0.113' is not an IPv4 address"));
    }
}
