//! The NICs that `berth instance create` is told of: `--subnet` and `--port` in the order they are typed, because the
//! first of them is the primary one.

use berth_api_types::NicOfInstance;
use clap::builder::{StringValueParser, TypedValueParser as _};
use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::commands::network::address;

const SUBNET: &str = "A subnet it has a NIC in: its name or id, or VPC/NAME; behind ':' the address it has there. Once \
                      for each NIC, at most as many as its type has; the first has the default route [default: default]";
const PORT: &str = "A port that is its NIC, made by 'berth port create'; in order with --subnet";

/// The NICs, the primary one first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Nics(pub(crate) Vec<NicOfInstance>);

/// A NIC in a subnet as it is typed: `front`, `lab/front`, `front:10.1.0.7`.
fn in_subnet(text: &str) -> Result<NicOfInstance, String> {
    let (subnet, at) = match text.split_once(':') {
        Some((subnet, at)) => (subnet, Some(address(at)?)),
        None => (text, None),
    };
    if subnet.is_empty() {
        return Err("name the subnet: SUBNET or SUBNET:ADDRESS".to_owned());
    }
    Ok(NicOfInstance {
        subnet: Some(subnet.to_owned()),
        address: at,
        port: None,
    })
}

fn of_port(port: String) -> NicOfInstance {
    NicOfInstance {
        port: Some(port),
        ..NicOfInstance::default()
    }
}

impl clap::Args for Nics {
    fn augment_args(command: Command) -> Command {
        let subnet = Arg::new("subnet").long("subnet").value_name("SUBNET[:ADDRESS]");
        let port = Arg::new("port").long("port").value_name("PORT");
        command
            .arg(subnet.help(SUBNET).action(ArgAction::Append).value_parser(in_subnet))
            .arg(
                port.help(PORT)
                    .action(ArgAction::Append)
                    .value_parser(StringValueParser::new().map(of_port)),
            )
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for Nics {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let typed = |id| {
            let places = matches.indices_of(id).into_iter().flatten();
            let nics = matches.get_many::<NicOfInstance>(id).into_iter().flatten();
            places.zip(nics.cloned())
        };
        let mut nics: Vec<_> = typed("subnet").chain(typed("port")).collect();
        nics.sort_by_key(|(place, _)| *place);
        Ok(Self(nics.into_iter().map(|(_, nic)| nic).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use clap::{Args as _, FromArgMatches as _};

    use super::*;

    fn parsed(line: &str) -> Result<Vec<NicOfInstance>, String> {
        let command = Nics::augment_args(Command::new("create"));
        let words = ["create"].into_iter().chain(line.split_whitespace());
        let matches = command.try_get_matches_from(words);
        let matches = matches.map_err(|error| error.to_string())?;
        Ok(Nics::from_arg_matches(&matches).unwrap().0)
    }

    fn nic(subnet: &str, address: Option<&str>) -> NicOfInstance {
        NicOfInstance {
            subnet: Some(subnet.to_owned()),
            address: address.map(|address| address.parse().unwrap()),
            port: None,
        }
    }

    #[test]
    fn a_subnet_may_have_its_vpc_before_it_and_an_address_behind_it() {
        assert_eq!(in_subnet("front"), Ok(nic("front", None)));
        assert_eq!(in_subnet("front:10.1.0.7"), Ok(nic("front", Some("10.1.0.7"))));
        assert_eq!(in_subnet("lab/front:10.1.0.7"), Ok(nic("lab/front", Some("10.1.0.7"))));
        assert_eq!(
            in_subnet("front:10.1.0"),
            Err("'10.1.0' is not an IPv4 address such as 10.1.0.7".to_owned())
        );
        assert!(in_subnet("front:").is_err() && in_subnet(":10.1.0.7").is_err() && in_subnet("").is_err());
    }

    #[test]
    fn nics_are_in_the_order_they_are_typed() {
        let port = of_port("vip".to_owned());
        assert_eq!(parsed(""), Ok(Vec::new()));
        assert_eq!(
            parsed("--subnet a --port vip --subnet=lab/b:10.1.0.7"),
            Ok(vec![nic("a", None), port.clone(), nic("lab/b", Some("10.1.0.7"))])
        );
        assert_eq!(parsed("--port vip --subnet a"), Ok(vec![port, nic("a", None)]));
        assert!(
            parsed("--subnet a:b")
                .unwrap_err()
                .contains("'b' is not an IPv4 address")
        );
    }
}
