//! `berth port …`

use std::net::Ipv4Addr;

use berth_api_types::{AttachPort, ChangePort, CreatePort, PortQuery, PortView};
use berth_model::{Mac, Name, PortState};
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use comfy_table::Table;

use crate::cli::name;
use crate::commands::Context;
use crate::commands::label::{self, Listing, NewLabels, Relabel};
use crate::commands::network::{address, dash, joined, mac, yes};
use crate::output::{self, ago, bytes, fields, lines, table};
use crate::several::{Holds, Sure, each};
use crate::watch::Watching;

const EXAMPLES: &str = "\
Examples:
  berth port create --name vip --subnet front
  berth port list --subnet front
  berth port set vip --security-group web
  berth port attach vip web
  berth port detach vip
  berth port delete vip";

#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum PortVerb {
    /// Make a port: a NIC that no instance has yet, whose addresses are kept for it
    Create(Create),
    /// List ports, oldest first
    List {
        /// Only those of this instance
        #[arg(long)]
        instance: Option<String>,
        /// Only those of this subnet: its name or id, or VPC/NAME
        #[arg(long)]
        subnet: Option<String>,
        /// Only those of this VPC
        #[arg(long)]
        vpc: Option<String>,
        /// Only those in this state
        #[arg(long, value_parser = PossibleValuesParser::new(PortState::ALL.iter().map(|state| state.as_str())))]
        state: Option<String>,
        #[command(flatten)]
        listing: Listing,
        #[command(flatten)]
        watching: Watching,
    },
    /// Show a port and what went through it
    Show {
        /// Its name or id
        port: String,
        #[command(flatten)]
        watching: Watching,
    },
    /// Change a port, also while a guest has it
    #[command(override_usage = "berth port set <PORT> <OPTIONS>")]
    Set {
        /// Its name or id
        port: String,
        #[command(flatten)]
        change: Change,
    },
    /// Label a port, or take labels from it
    Label(Relabel),
    /// Attach a port to an instance as another NIC
    Attach {
        /// The port's name or id
        port: String,
        /// The instance's name or id
        instance: String,
        /// Delete it when the instance is deleted
        #[arg(long)]
        delete_on_termination: bool,
    },
    /// Detach a port from its instance; it keeps its addresses
    Detach {
        /// Its name or id
        port: String,
    },
    /// Delete ports that no instance has
    Delete {
        /// Their names or ids
        #[arg(required = true, value_name = "PORT")]
        ports: Vec<String>,
        #[command(flatten)]
        sure: Sure,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// The subnet it is part of: its name or id, or VPC/NAME
    #[arg(long)]
    subnet: String,
    /// Its name
    #[arg(long, value_parser = name)]
    name: Option<Name>,
    /// Its address [default: a free one of the subnet]
    #[arg(long, value_parser = address)]
    address: Option<Ipv4Addr>,
    /// Its MAC address [default: a random one]
    #[arg(long, value_parser = mac)]
    mac: Option<Mac>,
    /// A security group it is in, up to 16 times [default: the VPC's 'default']
    #[arg(long = "security-group", value_name = "GROUP")]
    security_groups: Vec<String>,
    /// An address of its subnet that it may send from and be reached at besides its own, such as a virtual one that moves
    /// between ports; up to ten times
    #[arg(long = "address-pair", value_name = "ADDRESS", value_parser = address)]
    address_pairs: Vec<Ipv4Addr>,
    #[command(flatten)]
    labels: NewLabels,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct Change {
    /// Another name
    #[arg(long, value_parser = name)]
    name: Option<Name>,
    /// A security group it is in, up to 16 times; it leaves the others
    #[arg(long = "security-group", value_name = "GROUP")]
    security_groups: Vec<String>,
    /// An address it may send from besides its own, up to ten times; the others are forgotten
    #[arg(long = "address-pair", value_name = "ADDRESS", value_parser = address)]
    address_pairs: Vec<Ipv4Addr>,
    /// It may send from no address but its own
    #[arg(long, conflicts_with = "address_pairs")]
    no_address_pairs: bool,
    /// Delete it when its instance is deleted
    #[arg(long)]
    delete_on_termination: bool,
    /// Keep it when its instance is deleted
    #[arg(long, conflicts_with = "delete_on_termination")]
    keep: bool,
}

impl From<Change> for ChangePort {
    fn from(change: Change) -> Self {
        let pairs = change.no_address_pairs || !change.address_pairs.is_empty();
        let says = change.delete_on_termination || change.keep;
        Self {
            name: change.name,
            security_groups: Some(change.security_groups).filter(|groups| !groups.is_empty()),
            address_pairs: pairs.then_some(change.address_pairs),
            delete_on_termination: says.then_some(change.delete_on_termination),
            ..Self::default()
        }
    }
}

pub(crate) async fn run(verb: PortVerb, cx: &Context) -> anyhow::Result<()> {
    let client = &cx.client;
    match verb {
        PortVerb::Create(new) => {
            let request = CreatePort {
                name: new.name,
                subnet: new.subnet,
                address: new.address,
                mac: new.mac,
                security_groups: new.security_groups,
                address_pairs: new.address_pairs,
                labels: new.labels.given()?,
            };
            show(&client.create_port(&request).await?, cx)
        }
        PortVerb::List {
            instance,
            subnet,
            vpc,
            state,
            listing,
            watching,
        } => {
            let query = PortQuery {
                instance,
                subnet,
                vpc,
                state,
                name: listing.name,
                sort: listing.sort,
                label: listing.by.label,
                ..PortQuery::default()
            };
            let fetch = async || client.ports(&query).await;
            watching.show(cx, KINDS, fetch, |ports| lines(&list(ports))).await
        }
        PortVerb::Show { port, watching } => watching.show(cx, KINDS, async || client.port(&port).await, told).await,
        PortVerb::Set { port, change } => show(&client.change_port(&port, &change.into()).await?, cx),
        PortVerb::Label(relabel) => {
            let change = ChangePort {
                labels: relabel.patch(),
                ..ChangePort::default()
            };
            show(&client.change_port(&relabel.of, &change).await?, cx)
        }
        PortVerb::Attach {
            port,
            instance,
            delete_on_termination,
        } => {
            let how = AttachPort {
                instance,
                delete_on_termination,
            };
            show(&client.attach_port(&port, &how).await?, cx)
        }
        PortVerb::Detach { port } => show(&client.detach_port(&port).await?, cx),
        PortVerb::Delete { ports, sure } => {
            sure.ask(cx, "delete", ("port", "ports"), &ports, Holds::Nothing)?;
            each(&ports, cx, async |port| client.delete_port(port).await).await
        }
    }
}

/// What changes what is shown of a port.
const KINDS: &[&str] = &["port", "public_ip", "instance"];

fn list(ports: &[PortView]) -> Table {
    let row = |one: &PortView| {
        let called = one.name.as_ref().map(ToString::to_string);
        [
            called.unwrap_or_else(|| one.id.to_string()),
            one.state.clone(),
            one.subnet_name.to_string(),
            one.address.to_string(),
            dash(one.public_ip),
            one.mac.to_string(),
            dash(one.instance_name.as_ref()),
            ago(one.created_at),
        ]
    };
    let headings = [
        "port",
        "state",
        "subnet",
        "address",
        "public ip",
        "mac",
        "instance",
        "created",
    ];
    table(headings, ports.iter().map(row))
}

fn show(port: &PortView, cx: &Context) -> anyhow::Result<()> {
    output::show(cx.format, port, told)
}

fn told(port: &PortView) -> String {
    let mut text = lines(&fields([
        ("id", port.id.to_string()),
        ("name", dash(port.name.as_ref())),
        ("state", port.state.clone()),
        ("vpc", port.vpc.to_string()),
        ("subnet", format!("{} ({})", port.subnet_name, port.subnet)),
        ("address", port.address.to_string()),
        ("mac", port.mac.to_string()),
        ("public ip", dash(port.public_ip)),
        ("hostname", port.hostname.clone()),
        ("instance", instance(port)),
        ("primary", yes(port.primary)),
        ("security groups", joined(&port.security_groups)),
        ("address pairs", joined(&port.address_pairs)),
        ("goes with its instance", yes(port.delete_on_termination)),
        ("labels", label::shown(&port.labels)),
        ("created", port.created_at.to_string()),
    ]));
    if let Some(went) = port.counters {
        let row = |way: &str, octets: u64, packets: u64, dropped: u64| {
            [way.to_owned(), bytes(octets), packets.to_string(), dropped.to_string()]
        };
        let rows = [
            row("received", went.rx_bytes, went.rx_packets, went.rx_dropped),
            row("sent", went.tx_bytes, went.tx_packets, went.tx_dropped),
        ];
        text.push('\n');
        text.push_str(&lines(&table(["its guest", "bytes", "packets", "dropped"], rows)));
    }
    text
}

fn instance(port: &PortView) -> String {
    match (&port.instance_name, port.instance) {
        (Some(name), Some(id)) => format!("{name} ({id})"),
        (_, id) => dash(id),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Noun};

    /// The change that a line asks for, or what is said of it.
    fn asked(line: &str) -> Result<ChangePort, String> {
        let words = "berth port set vip".split(' ').chain(line.split_whitespace());
        let cli = Cli::try_parse_from(words).map_err(|error| error.to_string())?;
        match cli.noun {
            Noun::Port(PortVerb::Set { change, .. }) => Ok(change.into()),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn only_what_is_typed_is_changed() {
        let change = ChangePort {
            security_groups: Some(vec!["web".to_owned(), "db".to_owned()]),
            ..ChangePort::default()
        };
        assert_eq!(asked("--security-group web --security-group db"), Ok(change));
        let change = ChangePort {
            address_pairs: Some(Vec::new()),
            delete_on_termination: Some(false),
            ..ChangePort::default()
        };
        assert_eq!(asked("--no-address-pairs --keep"), Ok(change));
        assert!(asked("").unwrap_err().contains("--address-pair"));
        assert!(asked("--address-pair 10.1.0.9 --no-address-pairs").is_err());
    }
}
