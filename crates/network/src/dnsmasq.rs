//! The dnsmasq of one VPC: how it is started, and how a running one is recognised.
//!
//! It puts itself into the background and outlives the daemon, which finds it again by its pid file and keeps it, if
//! it has the very command line it would be given now. (In a systemd unit that takes `KillMode=process`.)

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::{fs, iter};

use nix::unistd::{Group, Pid, User};

use crate::command::run;
use crate::dhcp::{Dhcp, SECONDARY};
use crate::process::{PID_FILE, command_line};
use crate::{DOMAIN, GUEST_MTU, NetworkError, Subnet, names};

/// Whom it becomes once it has its sockets: the user of the distribution's package, or nobody.
fn identity() -> (String, Option<&'static str>) {
    let exists = |name: &&str| User::from_name(name).is_ok_and(|user| user.is_some());
    let user = ["dnsmasq", "nobody"].into_iter().find(exists).unwrap_or("nobody");
    let exists = |name: &&str| Group::from_name(name).is_ok_and(|group| group.is_some());
    (
        user.to_owned(),
        ["dnsmasq", "nogroup", "nobody"].into_iter().find(exists),
    )
}

/// The file with resolvers that can be reached from a namespace. One on 127.0.0.53 (systemd-resolved) can't, but it
/// writes down whom it asks itself.
pub(crate) fn upstream() -> Option<&'static Path> {
    let reachable = |path: &&Path| {
        let text = fs::read_to_string(path).unwrap_or_default();
        let mut servers = text
            .lines()
            .filter_map(|line| line.strip_prefix("nameserver")?.trim().parse::<IpAddr>().ok());
        servers.any(|server| server.is_ipv4() && !server.is_loopback())
    };
    ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"]
        .into_iter()
        .map(Path::new)
        .find(reachable)
}

/// Whether a dnsmasq runs as [`start`] would start it. That it is in the right namespace and on the right bridge is
/// seen to where those are made: it is stopped before.
pub(crate) fn is_running(dhcp: &Dhcp<'_>) -> bool {
    running(dhcp).is_some()
}

/// The process that is so, if there is one.
pub(crate) fn running(dhcp: &Dhcp<'_>) -> Option<Pid> {
    let text = fs::read_to_string(dhcp.pid_file()).ok()?;
    let pid = Pid::from_raw(text.trim().parse().ok()?);
    let wanted = iter::once(dhcp.program.as_os_str().to_owned()).chain(arguments(dhcp));
    command_line(pid).into_iter().eq(wanted).then_some(pid)
}

/// Starts it in the calling thread's namespace; it serves when this returns.
pub(crate) fn start(dhcp: &Dhcp<'_>) -> Result<(), NetworkError> {
    let closed = |dir: &&Path| fs::metadata(dir).is_ok_and(|found| found.permissions().mode() & 0o001 == 0);
    if let Some(path) = dhcp.dir.ancestors().find(closed) {
        return Err(NetworkError::Closed {
            path: path.to_owned(),
            user: identity().0,
        });
    }
    run(dhcp.program, arguments(dhcp), "").map(drop)
}

/// Its whole configuration: no file of the host's own dnsmasq is read.
fn arguments(dhcp: &Dhcp<'_>) -> Vec<OsString> {
    let (user, group) = identity();
    let mut words = vec![
        "--conf-file=/dev/null".to_owned(),
        "--except-interface=lo".to_owned(),
        "--bind-interfaces".to_owned(),
        format!("--user={user}"),
        "--dhcp-authoritative".to_owned(),
        // Names are what we say, not what a guest claims.
        "--dhcp-ignore-names".to_owned(),
        "--dhcp-lease-max=65536".to_owned(),
        "--no-ping".to_owned(),
        "--quiet-dhcp".to_owned(),
        // None, which has to be said.
        format!("--dhcp-option=tag:{SECONDARY},option:router"),
        format!("--dhcp-option=option:mtu,{GUEST_MTU}"),
        format!("--domain={DOMAIN}"),
        format!("--local=/{DOMAIN}/"),
        "--no-hosts".to_owned(),
        "--domain-needed".to_owned(),
        "--bogus-priv".to_owned(),
    ];
    words.extend(dhcp.subnets.iter().flat_map(subnet_arguments));
    words.extend(group.map(|group| format!("--group={group}")));
    let paths = [
        ("--dhcp-hostsdir=", dhcp.hosts()),
        ("--hostsdir=", dhcp.names()),
        ("--dhcp-leasefile=", dhcp.leases()),
        (PID_FILE, dhcp.pid_file()),
    ];
    let resolvers = upstream()
        .filter(|_| dhcp.nat)
        .map(|file| ("--resolv-file=", PathBuf::from(file)));
    if resolvers.is_none() {
        words.push("--no-resolv".to_owned());
    }
    let join = |(option, path): (&str, PathBuf)| {
        let mut word = OsString::from(option);
        word.push(path);
        word
    };
    words
        .into_iter()
        .map(OsString::from)
        .chain(paths.into_iter().chain(resolvers).map(join))
        .collect()
}

/// What is different from one subnet to the next. Guests are told apart by the range their address is in.
fn subnet_arguments(subnet: &Subnet) -> Vec<String> {
    let (bridge, cidr) = (names::bridge(subnet.index), subnet.cidr);
    let gateway = [subnet.gateway];
    let dns = if subnet.dns.is_empty() {
        &gateway[..]
    } else {
        &subnet.dns
    };
    let list = |servers: &[Ipv4Addr]| servers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let option =
        |tags: &str, name: &str, value: &str| format!("--dhcp-option=tag:{bridge}{tags},option:{name},{value}");
    let mut words = vec![
        format!("--interface={bridge}"),
        // Static: only who has a host entry gets an address.
        format!(
            "--dhcp-range=set:{bridge},{},static,{},1h",
            cidr.network(),
            cidr.netmask()
        ),
        option(&format!(",tag:!{SECONDARY}"), "router", &subnet.gateway.to_string()),
        option("", "dns-server", &list(dns)),
    ];
    if !subnet.ntp.is_empty() {
        words.push(option("", "ntp-server", &list(&subnet.ntp)));
    }
    words
}
