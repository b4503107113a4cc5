//! How much a port may send and receive.
//!
//! What the guest receives waits in a queue on its tap. A queue is for what goes out, so what the guest sends is led
//! aside before the bridge sees it, through an *ifb* of the port's own that has the same queue, and goes on from there
//! as if it had just come in by the tap:
//!
//! ```text
//! bridge ── tbf ── tap ── guest        guest ── tap ── ingress, u32, mirred ── ifb ── tbf ── (tap) ── bridge
//! ```
//!
//! The ifb is in the namespace and is deleted with the tap. It is made before the queues and deleted after them, so
//! that no ifb means no limit, after a crash too.

use crate::command::Tools;
use crate::{GUEST_MTU, NetworkError, Port, link};

/// The widest limit, in Mbit/s: what `tc` can still count in bytes.
const WIDEST: u32 = 100_000;

/// How long a packet may wait. TCP takes a longer queue for a longer way, and a shorter one for a drop too many.
const LATENCY_MS: u32 = 50;

/// How much passes at once, in bytes: what TCP hands over in one piece (64 KiB) has to fit, and the timer's own
/// lateness of a millisecond or two must not cost bandwidth.
fn burst(mbits: u32) -> u64 {
    (u64::from(mbits) * 1_000_000 / 8 / 200).max(128 * 1024)
}

/// Checks a port's limit.
pub(crate) fn check(port: &Port) -> Result<(), NetworkError> {
    match port.bandwidth {
        Some(mbits) if !(1..=WIDEST).contains(&mbits) => Err(NetworkError::Invalid(format!(
            "the bandwidth of a port is 1 to {WIDEST} Mbit/s, and that of port {} is {mbits}",
            port.id
        ))),
        _ => Ok(()),
    }
}

/// Makes sure that a tap of the calling thread's namespace has this limit.
pub(crate) fn ensure(tools: &Tools, tap: &str, ifb: &str, mbits: Option<u32>) -> Result<(), NetworkError> {
    let limited = link::exists(ifb);
    match mbits {
        None if !limited => Ok(()),
        None => {
            tools.tc_batch(&lift(tap))?;
            link::remove(tools, ifb)
        }
        Some(mbits) => {
            let add = (!limited).then(|| format!("link add dev {ifb} mtu {GUEST_MTU} type ifb"));
            let commands: Vec<String> = add.into_iter().chain([format!("link set dev {ifb} up")]).collect();
            tools.ip_batch(&commands)?;
            tools.tc_batch(&limit(tap, ifb, mbits))
        }
    }
}

/// The handle makes the filter the same one each time it is said.
fn limit(tap: &str, ifb: &str, mbits: u32) -> [String; 4] {
    let tbf = format!("tbf rate {mbits}mbit burst {}b latency {LATENCY_MS}ms", burst(mbits));
    [
        format!("qdisc replace dev {tap} root {tbf}"),
        format!("qdisc replace dev {ifb} root {tbf}"),
        format!("qdisc replace dev {tap} ingress"),
        format!(
            "filter replace dev {tap} parent ffff: protocol all prio 1 handle 800::800 \
             u32 match u32 0 0 action mirred egress redirect dev {ifb}"
        ),
    ]
}

/// What may not be there can't be deleted: it is made first.
fn lift(tap: &str) -> [String; 4] {
    [
        format!("qdisc replace dev {tap} ingress"),
        format!("qdisc del dev {tap} ingress"),
        format!("qdisc replace dev {tap} root pfifo"),
        format!("qdisc del dev {tap} root"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tc_is_told() {
        let text =
            [limit("abt1", "abi1", 20), limit("abt1", "abi1", 10_000), lift("abt1")].map(|lines| lines.join("\n"));
        insta::assert_snapshot!(text.join("\n\n"));
    }
}
