//! What a connection is known by: the kernel's word on a socket of this host, an address and perhaps a certificate over TLS.
//!
//! Every request has it as `ConnectInfo<Peer>`; who the caller is, is made of it and of the request's credentials.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use berth_model::User;
use tokio::net::UnixStream;

/// Who is at the other end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    /// A process of this host, as the kernel knew it when it connected (`SO_PEERCRED`, unix(7)).
    Unix {
        /// Its effective user.
        uid: u32,
        /// Its effective group.
        gid: u32,
        /// Its number; none if it isn't in a namespace that we see.
        pid: Option<i32>,
    },
    /// A program that came over TCP and TLS.
    Tls {
        /// Where from.
        address: SocketAddr,
        /// The user that its certificate stands for, such as `cert:ci`; none without a certificate. The certificate
        /// is signed by the CA that the operator has named, and valid.
        certificate: Option<User>,
    },
}

impl Peer {
    /// The process at the other end of a socket of this host.
    pub fn of_unix(stream: &UnixStream) -> std::io::Result<Self> {
        let peer = stream.peer_cred()?;
        Ok(Self::Unix {
            uid: peer.uid(),
            gid: peer.gid(),
            pid: peer.pid().filter(|pid| *pid > 0),
        })
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix { uid, pid: None, .. } => write!(f, "uid {uid}"),
            Self::Unix {
                uid, pid: Some(pid), ..
            } => write!(f, "uid {uid}, process {pid}"),
            Self::Tls { address, .. } => write!(f, "{address}"),
        }
    }
}

/// Where connections come from, as far as it is counted: one source has one share of places and of attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// A user of this host.
    User(u32),
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// The first 64 bits of an IPv6 address: a customer is given that many, and whatever is below is theirs (RFC 6177).
    V6(u64),
}

impl Peer {
    /// The source that it counts for.
    pub fn source(&self) -> Source {
        match self {
            Self::Unix { uid, .. } => Source::User(*uid),
            Self::Tls { address, .. } => match address.ip().to_canonical() {
                IpAddr::V4(address) => Source::V4(address),
                IpAddr::V6(address) => Source::V6((address.to_bits() >> 64) as u64),
            },
        }
    }
}
