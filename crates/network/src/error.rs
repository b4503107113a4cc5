//! What can go wrong, in one message each: what, with which thing, and what would put it right.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;

use berth_model::{Code, PortId};
use ipnet::Ipv4Net;

/// The network of the host could not be made as it should be.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// A program is missing.
    #[error("{program} is not installed: install the package {package}")]
    Missing {
        /// The program.
        program: &'static str,
        /// The package of Debian and Ubuntu it is in.
        package: &'static str,
    },
    /// The process isn't privileged.
    #[error("making networks takes CAP_NET_ADMIN and CAP_SYS_ADMIN: run the daemon as root")]
    NoRights,
    /// The caller asks for what can't be.
    #[error("{0}")]
    Invalid(String),
    /// The transit network has no address left.
    #[error("the provider network {provider} has no address for VPC number {vpc_index}: configure a wider one")]
    Full {
        /// The number of the VPC.
        vpc_index: u32,
        /// The transit network.
        provider: Ipv4Net,
    },
    /// Something else on the host uses the transit network.
    #[error(
        "interface {link} of this host has {address}, inside the provider network {provider}: configure another one"
    )]
    ProviderTaken {
        /// The other interface.
        link: String,
        /// Its address.
        address: Ipv4Addr,
        /// The transit network.
        provider: Ipv4Net,
    },
    /// A public address is the host's own.
    #[error("{address} is an address of this host's own interface {link}: it can't be a port's public address")]
    PublicTaken {
        /// The interface.
        link: String,
        /// The address.
        address: Ipv4Addr,
    },
    /// The link that a public address is on isn't there.
    #[error("this host has no interface {link} to answer for the public address {address}: correct its pool")]
    NoInterface {
        /// The interface.
        link: String,
        /// The address.
        address: Ipv4Addr,
    },
    /// dnsmasq, which doesn't run as root, could not read its files.
    #[error("{path} lets only its owner pass, and dnsmasq runs as user {user}: chmod o+x {path}")]
    Closed {
        /// The directory.
        path: PathBuf,
        /// dnsmasq's user.
        user: String,
    },
    /// The VPC isn't there.
    #[error("the network namespace {0} is not there: its VPC has to be made first")]
    NoNamespace(String),
    /// What stands in the namespace was put there by a process that has ended, or is half of something.
    #[error("it is not known what is in the network namespace {0}: its VPC has to be made sure of first")]
    Unknown(String),
    /// The port's tap isn't there.
    #[error(
        "the tap {tap} of port {port} is neither on the host nor in {namespace}: its guest has to be started again"
    )]
    NoTap {
        /// The tap.
        tap: String,
        /// The port.
        port: PortId,
        /// The namespace of its VPC.
        namespace: String,
    },
    /// A program refused.
    #[error("'{command}' failed: {stderr}")]
    Command {
        /// The command line.
        command: String,
        /// What it wrote to its standard error, trimmed.
        stderr: String,
    },
    /// A process can't be ended.
    #[error("dnsmasq (process {0}) does not end, not even when killed")]
    Immortal(i32),
    /// A guest doesn't let us connect.
    #[error("{address} does not answer: {source}")]
    Connect {
        /// Where to.
        address: SocketAddrV4,
        /// Why not.
        source: io::Error,
    },
    /// The operating system refused.
    #[error("can't {what}: {source}")]
    Io {
        /// What was to be done.
        what: String,
        /// Why not.
        source: io::Error,
    },
}

impl NetworkError {
    /// The stable code of the error.
    pub fn code(&self) -> Code {
        match self {
            Self::Invalid(_) => Code::InvalidArgument,
            Self::Full { .. } => Code::NoCapacity,
            Self::Connect { source, .. } if source.kind() == io::ErrorKind::TimedOut => Code::DeadlineExceeded,
            Self::Missing { .. }
            | Self::NoRights
            | Self::ProviderTaken { .. }
            | Self::PublicTaken { .. }
            | Self::NoInterface { .. }
            | Self::Closed { .. }
            | Self::NoNamespace(_)
            | Self::Unknown(_)
            | Self::NoTap { .. }
            | Self::Command { .. }
            | Self::Immortal(_)
            | Self::Connect { .. }
            | Self::Io { .. } => Code::NetworkError,
        }
    }

    /// For `map_err`: says what was to be done.
    pub(crate) fn io<E: Into<io::Error>>(what: impl Into<String>) -> impl FnOnce(E) -> Self {
        let what = what.into();
        move |source| Self::Io {
            what,
            source: source.into(),
        }
    }
}
