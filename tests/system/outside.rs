//! The outside of a private host: a network around it, with a neighbour who knows of nothing but that network.
//!
//! ```text
//!   host ── up0 ══ out0 ── namespace `outside`, 203.0.113.1/24: whoever is on the network around the host
//! ```

use std::process::Output;

use berth_testkit::{Daemon, Host, Options};

/// The pool of public IPs that lives on that network.
const CONFIG: &str = "\
[[public_ip_pools]]
name = \"public\"
interface = \"up0\"
ranges = [\"203.0.113.10-203.0.113.13\"]
";

/// What the neighbour is called by guests.
pub(crate) const NEIGHBOUR: &str = "203.0.113.1";

/// Joins a host to a network, before its daemon is started.
pub(crate) fn join(host: &Host) {
    let commands = [
        "netns add outside",
        "link add up0 type veth peer name out0 netns outside",
        "address add 203.0.113.2/24 dev up0",
        "link set up0 up",
        "-n outside address add 203.0.113.1/24 dev out0",
        "-n outside link set lo up",
        "-n outside link set out0 up",
    ];
    for line in commands {
        let output = host.command("ip").args(line.split(' ')).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "ip {line}: {said}");
    }
}

/// A daemon with the tiny image on a host that has a network around it, and a pool of public IPs there.
pub(crate) fn daemon<'a>(host: &'a Host, more: &str) -> Daemon<'a> {
    join(host);
    Daemon::start_with(
        host,
        Options {
            tiny: true,
            config: format!("{more}{CONFIG}"),
            ..Options::default()
        },
    )
}

/// The neighbour does something.
pub(crate) fn neighbour(host: &Host, script: &str) -> Output {
    let command = ["netns", "exec", "outside", "sh", "-c", script];
    host.command("ip").args(command).output().unwrap()
}

/// What a web server at that address says to the neighbour; none if it doesn't answer within two seconds.
pub(crate) fn fetch(host: &Host, address: &str) -> Option<String> {
    let output = neighbour(host, &format!("exec timeout 3 busybox wget -q -O - http://{address}/"));
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(said)
}
