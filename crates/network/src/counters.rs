//! What has passed through a port, as its guest sees it.
//!
//! Read from the taps inside the namespace, all in one go: what a tap has received is what its guest has sent. Frames
//! that the guard or a security group drops have been sent all the same, and count as such; what a limit of
//! bandwidth drops is in the queue's statistics only. A port that is unplugged and plugged again begins at zero.

use std::collections::HashMap;

use berth_model::PortId;

use crate::namespace::inside;
use crate::{Network, NetworkError};

/// What has passed through a port since it was plugged in: `rx` is what its guest has received, `tx` what it has sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Bytes the guest has received.
    pub rx_bytes: u64,
    /// Packets the guest has received.
    pub rx_packets: u64,
    /// Packets that were meant for the guest and that it didn't take in time.
    pub rx_dropped: u64,
    /// Bytes the guest has sent.
    pub tx_bytes: u64,
    /// Packets the guest has sent.
    pub tx_packets: u64,
    /// Packets the guest has sent that the host didn't take.
    pub tx_dropped: u64,
}

impl Network {
    /// The counters of those of the ports of the VPC with that number that are plugged in.
    pub fn counters(&self, vpc_index: u32, ports: &[PortId]) -> Result<Vec<(PortId, Counters)>, NetworkError> {
        // The thread's own, for only this thread is inside.
        const LINKS: &str = "/proc/thread-self/net/dev";
        let text = inside(&self.inner.names.namespace(vpc_index), || {
            std::fs::read_to_string(LINKS).map_err(NetworkError::io(format!("read {LINKS}")))
        })?;
        let links: HashMap<&str, Counters> = text.lines().filter_map(parse).collect();
        let known = |port: &PortId| Some((*port, *links.get(self.tap_name(*port).as_str())?));
        Ok(ports.iter().filter_map(known).collect())
    }
}

/// A line of `/proc/net/dev`: the name, eight numbers of what came in, eight of what went out. Each time the first two
/// are bytes and packets, and the fourth what was dropped.
fn parse(line: &str) -> Option<(&str, Counters)> {
    let (name, numbers) = line.split_once(':')?;
    let numbers: Vec<u64> = numbers
        .split_whitespace()
        .map_while(|number| number.parse().ok())
        .collect();
    let &[
        tx_bytes,
        tx_packets,
        _,
        tx_dropped,
        _,
        _,
        _,
        _,
        rx_bytes,
        rx_packets,
        _,
        rx_dropped,
        ..,
    ] = numbers.as_slice()
    else {
        return None;
    };
    let counters = Counters {
        rx_bytes,
        rx_packets,
        rx_dropped,
        tx_bytes,
        tx_packets,
        tx_dropped,
    };
    Some((name.trim(), counters))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn what_the_kernel_prints_is_read_from_the_guests_side() {
        let text = "\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
abtaaaaaaaaaa:    1500      10    0    1    0     0          0         0   250000     200    3    2    0     0       0          0
";
        let found: Vec<_> = text.lines().filter_map(parse).collect();
        let counters = Counters {
            rx_bytes: 250_000,
            rx_packets: 200,
            rx_dropped: 2,
            tx_bytes: 1500,
            tx_packets: 10,
            tx_dropped: 1,
        };
        assert_eq!(found, [("abtaaaaaaaaaa", counters)]);
    }
}
