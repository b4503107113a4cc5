//! Flows that live: those the kernel has let begin, as its connection tracking lists them.
//!
//! nft judges only how a flow begins; what belongs to one that has begun passes. So when rules are taken away, the
//! flows they let begin have to be ended, and no others. `conntrack` lists them; [`crate::tracking`] ends them.

use std::net::Ipv4Addr;

use crate::command::{Tools, run};
use crate::{NetworkError, tracking};

/// A flow, as the kernel knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flow {
    /// The protocol's number.
    pub(crate) protocol: u8,
    /// Packets of the one who began, as they come in: where the one is who really sends them.
    pub(crate) asked: Tuple,
    /// Packets of the other, as they come in: where the one is who really answers.
    pub(crate) answered: Tuple,
}

/// What packets of one direction look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tuple {
    pub(crate) source: Ipv4Addr,
    pub(crate) target: Ipv4Addr,
    pub(crate) source_port: Option<u16>,
    pub(crate) target_port: Option<u16>,
    /// Of ICMP: type, code and id.
    pub(crate) icmp: Option<(u8, u8, u16)>,
}

impl Flow {
    /// A flow from a line such as `tcp 6 431999 ESTABLISHED src=… dst=… sport=… dport=… src=… dst=… sport=… dport=…
    /// [ASSURED] mark=0 use=1`. Words that aren't known are passed over.
    fn read(line: &str) -> Option<Self> {
        Some(Self {
            protocol: line.split_whitespace().nth(1)?.parse().ok()?,
            asked: Tuple::read(line, 0)?,
            answered: Tuple::read(line, 1)?,
        })
    }

    /// Whether that address is at an end of it.
    pub(crate) fn is_of(&self, address: Ipv4Addr) -> bool {
        self.asked.source == address || self.answered.source == address
    }
}

impl Tuple {
    fn read(line: &str, nth: usize) -> Option<Self> {
        let value = |key: &str| {
            let mut values = line.split_whitespace().filter_map(|word| word.strip_prefix(key));
            values.nth(nth)
        };
        let icmp = || {
            Some((
                value("type=")?.parse().ok()?,
                value("code=")?.parse().ok()?,
                value("id=")?.parse().ok()?,
            ))
        };
        Some(Self {
            source: value("src=")?.parse().ok()?,
            target: value("dst=")?.parse().ok()?,
            source_port: value("sport=").or_else(|| value("srckey=")).and_then(number),
            target_port: value("dport=").or_else(|| value("dstkey=")).and_then(number),
            icmp: icmp(),
        })
    }
}

/// A port, or a key of GRE, which is written as C does it.
fn number(text: &str) -> Option<u16> {
    match text.strip_prefix("0x") {
        Some(hex) => u16::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

/// Ends those flows of the calling thread's namespace that aren't to stay.
pub(crate) fn end_unless(tools: &Tools, stays: impl Fn(&Flow) -> bool) -> Result<(), NetworkError> {
    let text = run(&tools.conntrack, ["-L", "-f", "ipv4"], "")?;
    let flows = text.lines().filter_map(Flow::read).filter(|flow| !stays(flow));
    tracking::end(&flows.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn lines_are_read_whatever_else_is_in_them() {
        let tcp = "tcp      6 431999 ESTABLISHED src=10.0.0.10 dst=203.0.113.9 sport=40000 dport=80 packets=3 bytes=9 \
                   src=10.0.0.11 dst=100.64.0.3 sport=8080 dport=1024 [ASSURED] mark=0 zone=1 use=1";
        let flow = Flow::read(tcp).unwrap();
        assert_eq!(flow.protocol, 6);
        assert_eq!(flow.asked.target, Ipv4Addr::new(203, 0, 113, 9));
        assert_eq!(
            (flow.answered.source, flow.answered.source_port),
            (Ipv4Addr::new(10, 0, 0, 11), Some(8080))
        );

        let icmp = "icmp     1 29 src=10.0.0.10 dst=10.0.1.10 type=8 code=0 id=7 src=10.0.1.10 dst=10.0.0.10 type=0 code=0 id=7";
        let flow = Flow::read(icmp).unwrap();
        assert_eq!((flow.protocol, flow.asked.target_port), (1, None));
        assert_eq!(
            (flow.asked.icmp, flow.answered.icmp),
            (Some((8, 0, 7)), Some((0, 0, 7)))
        );
        let gre = "gre      47 29 src=10.0.0.10 dst=10.0.0.11 srckey=0x0 dstkey=0x2a src=10.0.0.11 dst=10.0.0.10 srckey=0x2a dstkey=0x0";
        assert_eq!(Flow::read(gre).unwrap().asked.target_port, Some(42));
        let other = "unknown  112 599 src=10.0.0.10 dst=10.0.0.11 [UNREPLIED] src=10.0.0.11 dst=10.0.0.10 mark=0 use=1";
        assert_eq!(Flow::read(other).unwrap().protocol, 112);
        for line in [
            "",
            "conntrack v1.4.7: 0 flow entries have been shown.",
            "tcp 6 src=1.2.3.4 dst=x",
        ] {
            assert_eq!(Flow::read(line), None, "{line}");
        }
    }
}
