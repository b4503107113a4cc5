//! `berth security-group rule …`

use berth_api_types::{CreateRule, RuleView};
use berth_model::{Direction, PortRange, Protocol};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use ipnet::Ipv4Net;

use crate::commands::Context;
use crate::commands::network;
use crate::output::{self, fields};
use crate::several::{Holds, Sure, each};

const EXAMPLES: &str = "\
Examples:
  berth sg rule add web --port 443                     # https from everybody
  berth sg rule add web --port 22 --cidr 192.0.2.0/24  # ssh from that range
  berth sg rule add db --port 5432 --group web         # what is in 'web' reaches what is in 'db'
  berth sg rule add web --protocol icmp                # ping from everybody
  berth sg rule add web --egress --protocol any        # everything out";

#[derive(Debug, Subcommand)]
pub(crate) enum RuleVerb {
    /// Allow something; what answers a flow that is allowed is allowed too
    #[command(after_help = EXAMPLES)]
    Add(Add),
    /// Take rules away; flows that are allowed no more end at once
    Delete {
        /// The group's name or id, or VPC/NAME
        group: String,
        /// The rules' ids: see 'berth security-group show'
        #[arg(required = true, value_name = "RULE")]
        rules: Vec<String>,
        #[command(flatten)]
        sure: Sure,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Add {
    /// The group's name or id, or VPC/NAME
    group: String,
    /// Allow what the group's ports open, rather than what is opened to them
    #[arg(long)]
    egress: bool,
    /// What is spoken
    #[arg(long, default_value = "tcp", value_parser = protocol())]
    protocol: Protocol,
    /// To which ports of tcp or udp: 22, or 8000-8080 [default: all]
    #[arg(long = "port", value_name = "PORT[-PORT]", value_parser = ports)]
    ports: Option<PortRange>,
    /// With whom: a range of addresses, or one address [default: everybody]
    #[arg(long, value_name = "CIDR", value_parser = network::far_end)]
    cidr: Option<Ipv4Net>,
    /// With whom: ports in this group of the same VPC, which may be the group itself
    #[arg(long = "group", value_name = "GROUP", conflicts_with = "cidr")]
    far_group: Option<String>,
}

fn protocol() -> impl TypedValueParser<Value = Protocol> {
    PossibleValuesParser::new(Protocol::ALL.iter().map(|one| one.as_str())).try_map(|word| word.parse::<Protocol>())
}

fn ports(text: &str) -> Result<PortRange, String> {
    text.parse()
        .map_err(|error: berth_model::ParsePortRangeError| error.to_string())
}

pub(super) async fn run(verb: RuleVerb, cx: &Context) -> anyhow::Result<()> {
    match verb {
        RuleVerb::Add(new) => {
            let group = new.group.clone();
            show(&cx.client.add_rule(&group, &new.into()).await?, cx)
        }
        RuleVerb::Delete { group, rules, sure } => {
            sure.ask(cx, "delete", ("rule", "rules"), &rules, Holds::Nothing)?;
            each(&rules, cx, async |rule| cx.client.delete_rule(&group, rule).await).await
        }
    }
}

impl From<Add> for CreateRule {
    fn from(new: Add) -> Self {
        Self {
            direction: Some(if new.egress {
                Direction::Egress
            } else {
                Direction::Ingress
            }),
            protocol: Some(new.protocol),
            ports: new.ports,
            cidr: new.cidr,
            group: new.far_group,
        }
    }
}

/// With whom.
pub(super) fn far_end(rule: &RuleView) -> String {
    match (&rule.group_name, rule.group, rule.cidr) {
        (Some(name), ..) => format!("group {name}"),
        (None, Some(id), _) => format!("group {id}"),
        (None, None, cidr) => network::dash(cidr),
    }
}

fn show(rule: &RuleView, cx: &Context) -> anyhow::Result<()> {
    output::print(cx.format, rule, |rule| {
        fields([
            ("id", rule.id.to_string()),
            ("direction", rule.direction.to_string()),
            ("protocol", rule.protocol.to_string()),
            (
                "ports",
                rule.ports.map_or_else(|| "all".to_owned(), |ports| ports.to_string()),
            ),
            ("with", far_end(rule)),
        ])
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Noun};
    use crate::commands::security_group::SecurityGroupVerb;

    /// The request that a line asks for, or what is said of it.
    fn asked(line: &str) -> Result<CreateRule, String> {
        let words = ["berth", "sg", "rule", "add", "web"].into_iter().chain(line.split(' '));
        let cli = Cli::try_parse_from(words).map_err(|error| error.to_string())?;
        match cli.noun {
            Noun::SecurityGroup(SecurityGroupVerb::Rule(RuleVerb::Add(new))) => Ok(new.into()),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn tcp_comes_in_if_nothing_else_is_said() {
        let rule = CreateRule {
            direction: Some(Direction::Ingress),
            protocol: Some(Protocol::Tcp),
            ports: PortRange::new(8000, 8080),
            cidr: None,
            group: None,
        };
        assert_eq!(asked("--port 8000-8080"), Ok(rule));
    }

    #[test]
    fn the_far_end_is_a_range_or_a_group() {
        assert_eq!(
            asked("--cidr 192.0.2.7").unwrap().cidr,
            Some("192.0.2.7/32".parse().unwrap())
        );
        let rule = asked("--egress --protocol any --group lab/db").unwrap();
        assert_eq!(
            (rule.direction, rule.group.as_deref()),
            (Some(Direction::Egress), Some("lab/db"))
        );
        assert!(asked("--cidr 192.0.2.0/24 --group db").is_err());
    }

    #[test]
    fn what_makes_no_sense_is_refused_in_words() {
        assert!(
            asked("--port 9-8")
                .unwrap_err()
                .contains("'9-8' is not a port such as 443")
        );
        assert!(asked("--protocol sctp").unwrap_err().contains("any, tcp, udp, icmp"));
        assert!(asked("--cidr everybody").unwrap_err().contains("such as 10.1.0.0/24"));
    }
}
