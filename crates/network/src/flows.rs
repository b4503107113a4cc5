//! Flows that live: those the kernel has let begin, as its connection tracking lists them.
//!
//! nft judges only how a flow begins; what belongs to one that has begun passes. So when rules are taken away, the
//! flows they let begin have to be ended, and no others. Entries are deleted by `conntrack`, one call for all flows
//! that differ in nothing a rule can tell: not in the port of the one who asked.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use crate::NetworkError;
use crate::command::{Tools, run};

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

    /// What `conntrack` has to be told for exactly this flow and those like it.
    fn arguments(&self) -> Vec<String> {
        let (asked, answered) = (&self.asked, &self.answered);
        let mut words = vec![
            ("-p", self.protocol.to_string()),
            ("-s", asked.source.to_string()),
            ("-d", asked.target.to_string()),
            ("-r", answered.source.to_string()),
            ("-q", answered.target.to_string()),
        ];
        // Only of these does the tool know the ports when it is given a number.
        if matches!(self.protocol, 6 | 17) {
            words.extend(asked.target_port.map(|port| ("--dport", port.to_string())));
        }
        let words = words.into_iter().flat_map(|(option, value)| [option.to_owned(), value]);
        ["-D", "-f", "ipv4"]
            .map(str::to_owned)
            .into_iter()
            .chain(words)
            .collect()
    }
}

impl Tuple {
    fn read(line: &str, nth: usize) -> Option<Self> {
        let value = |key: &str| {
            let mut values = line.split_whitespace().filter_map(|word| word.strip_prefix(key));
            values.nth(nth)
        };
        Some(Self {
            source: value("src=")?.parse().ok()?,
            target: value("dst=")?.parse().ok()?,
            source_port: value("sport=").and_then(|port| port.parse().ok()),
            target_port: value("dport=").and_then(|port| port.parse().ok()),
        })
    }
}

/// Ends those flows of the calling thread's namespace that aren't to stay.
pub(crate) fn end_unless(tools: &Tools, stays: impl Fn(&Flow) -> bool) -> Result<(), NetworkError> {
    let text = run(&tools.conntrack, ["-L", "-f", "ipv4"], "")?;
    let flows = text.lines().filter_map(Flow::read).filter(|flow| !stays(flow));
    let calls: BTreeSet<Vec<String>> = flows.map(|flow| flow.arguments()).collect();
    for arguments in calls {
        match run(&tools.conntrack, &arguments, "") {
            // It had ended by itself.
            Err(NetworkError::Command { stderr, .. }) if stderr.contains(" 0 flow entries") => {}
            done => done.map(drop)?,
        }
    }
    Ok(())
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
        assert_eq!(
            flow.arguments().join(" "),
            "-D -f ipv4 -p 6 -s 10.0.0.10 -d 203.0.113.9 -r 10.0.0.11 -q 100.64.0.3 --dport 80"
        );

        let icmp = "icmp     1 29 src=10.0.0.10 dst=10.0.1.10 type=8 code=0 id=7 src=10.0.1.10 dst=10.0.0.10 type=0 code=0 id=7";
        let flow = Flow::read(icmp).unwrap();
        assert_eq!((flow.protocol, flow.asked.target_port), (1, None));
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
