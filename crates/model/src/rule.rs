//! What a security group lets through: rules that only ever allow, each of one direction, protocol and far end.
//!
//! ```text
//!   far end ── ingress ──▶ port ── egress ──▶ far end        what belongs to a flow that was allowed is allowed too
//! ```

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use crate::SecurityGroupId;

/// Which way a flow is opened, as the port sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Towards the port.
    Ingress,
    /// From the port.
    Egress,
}

/// What a flow speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// Whatever it speaks.
    Any,
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// ICMP, `ping` among it.
    Icmp,
}

/// Ports of TCP or UDP, one or several in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PortRange {
    first: u16,
    last: u16,
}

/// The far end of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remote {
    /// An address in that network.
    Cidr(Ipv4Net),
    /// An address of a port that is in that group, which is of the same VPC.
    Group(SecurityGroupId),
}

/// What a rule allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Rule {
    /// Which way.
    pub direction: Direction,
    /// What is spoken.
    pub protocol: Protocol,
    /// To which ports; to all of them if not given. Only with TCP and UDP.
    pub ports: Option<PortRange>,
    /// With whom.
    pub remote: Remote,
}

/// What was given is no range of ports.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a port such as 443, or a range such as 8000-8080, of 1 to 65535")]
pub struct ParsePortRangeError(pub String);

/// What was given can't be a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// Only TCP and UDP have ports.
    #[error("only tcp and udp have ports")]
    Portless,
    /// The network has bits beyond its prefix.
    #[error("{given} is not a network: write {0} for the network, or {1}/32 for the address", given = .2)]
    HostBits(Ipv4Net, Ipv4Addr, Ipv4Net),
}

impl Remote {
    /// Everybody.
    pub const ANYWHERE: Self = Self::Cidr(Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0));
}

impl Rule {
    /// Checks that its parts go together.
    pub fn check(&self) -> Result<(), RuleError> {
        if self.ports.is_some() && !matches!(self.protocol, Protocol::Tcp | Protocol::Udp) {
            return Err(RuleError::Portless);
        }
        match self.remote {
            Remote::Cidr(cidr) if cidr.trunc() != cidr => Err(RuleError::HostBits(cidr.trunc(), cidr.addr(), cidr)),
            Remote::Cidr(_) | Remote::Group(_) => Ok(()),
        }
    }
}

impl PortRange {
    /// The ports from `first` to `last`; none if there are none, or 0 is among them.
    pub const fn new(first: u16, last: u16) -> Option<Self> {
        if 0 < first && first <= last {
            Some(Self { first, last })
        } else {
            None
        }
    }

    /// The first port.
    pub const fn first(self) -> u16 {
        self.first
    }

    /// The last port.
    pub const fn last(self) -> u16 {
        self.last
    }

    /// Whether that port is among them.
    pub const fn contains(self, port: u16) -> bool {
        self.first <= port && port <= self.last
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

impl FromStr for PortRange {
    type Err = ParsePortRangeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let range = first.parse().ok().zip(last.parse().ok());
        range
            .and_then(|(first, last)| Self::new(first, last))
            .ok_or_else(|| ParsePortRangeError(text.to_owned()))
    }
}

impl TryFrom<String> for PortRange {
    type Error = ParsePortRangeError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<PortRange> for String {
    fn from(range: PortRange) -> Self {
        range.to_string()
    }
}

macro_rules! words {
    ($name:ident, $what:literal, $($variant:ident = $word:literal),+) => {
        impl $name {
            /// All there are.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word for it on the wire and in the store.
            pub const fn as_str(self) -> &'static str {
                match self {$(Self::$variant => $word),+}
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = ParseRuleWordError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let found = Self::ALL.iter().find(|one| one.as_str() == text);
                found.copied().ok_or_else(|| ParseRuleWordError {
                    what: $what,
                    text: text.to_owned(),
                    words: Self::ALL.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(", "),
                })
            }
        }
    };
}

/// What was given is none of the words there are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a {what}: there are {words}")]
pub struct ParseRuleWordError {
    /// What it should be.
    pub what: &'static str,
    /// What was given instead.
    pub text: String,
    /// Those there are.
    pub words: String,
}

words!(Direction, "direction", Ingress = "ingress", Egress = "egress");
words!(
    Protocol,
    "protocol",
    Any = "any",
    Tcp = "tcp",
    Udp = "udp",
    Icmp = "icmp"
);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_range_is_read_back_as_it_is_written(a in 1..=u16::MAX, b in 1..=u16::MAX) {
            let range = PortRange::new(a.min(b), a.max(b)).unwrap();
            prop_assert_eq!(range.to_string().parse(), Ok(range));
            prop_assert!(range.contains(a) && range.contains(b));
        }
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in ["", "0", "0-9", "9-8", "65536", "-1", "1-", "1-2-3", "ssh", "1,2"] {
            assert!(text.parse::<PortRange>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_rule_that_makes_no_sense_is_refused() {
        let rule = |protocol, ports: Option<&str>, cidr: &str| Rule {
            direction: Direction::Ingress,
            protocol,
            ports: ports.map(|ports| ports.parse().unwrap()),
            remote: Remote::Cidr(cidr.parse().unwrap()),
        };
        assert_eq!(rule(Protocol::Tcp, Some("22"), "10.0.0.0/8").check(), Ok(()));
        assert_eq!(rule(Protocol::Any, None, "0.0.0.0/0").check(), Ok(()));
        for portless in [Protocol::Any, Protocol::Icmp] {
            assert_eq!(
                rule(portless, Some("22"), "0.0.0.0/0").check(),
                Err(RuleError::Portless)
            );
        }
        let said = rule(Protocol::Any, None, "10.1.2.3/8").check().unwrap_err().to_string();
        assert_eq!(
            said,
            "10.1.2.3/8 is not a network: write 10.0.0.0/8 for the network, or 10.1.2.3/32 for the address"
        );
    }

    #[test]
    fn words_are_read_back() {
        assert!(Direction::ALL.iter().all(|one| one.as_str().parse() == Ok(*one)));
        assert!(Protocol::ALL.iter().all(|one| one.as_str().parse() == Ok(*one)));
        let said = "sctp".parse::<Protocol>().unwrap_err().to_string();
        assert_eq!(said, "'sctp' is not a protocol: there are any, tcp, udp, icmp");
    }
}
