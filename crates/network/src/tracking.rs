//! Ends flows: tells the kernel's connection tracking to forget them (ctnetlink, `linux/netfilter/nfnetlink_conntrack.h`).
//!
//! `conntrack -D` looks through the whole table at each call: a thousand flows of a thousand would take half a minute.
//! Here each is named by what the kernel finds it by, and none is ended that only looks like it.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};

use crate::NetworkError;
use crate::flows::{Flow, Tuple};

/// `NFNL_SUBSYS_CTNETLINK` and `IPCTNL_MSG_CT_DELETE`.
const DELETE: u16 = 1 << 8 | 2;
/// `NLM_F_REQUEST | NLM_F_ACK`.
const ASK: u16 = 1 | 4;
/// `NLMSG_ERROR`, which an acknowledgement is too.
const ERROR: u16 = 2;
/// `NLA_F_NESTED`.
const NESTED: u16 = 1 << 15;

/// Makes sure that the calling thread's namespace knows none of those flows.
pub(crate) fn end(flows: &[Flow]) -> Result<(), NetworkError> {
    if flows.is_empty() {
        return Ok(());
    }
    let kernel = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkNetFilter,
    );
    let kernel = kernel.map_err(NetworkError::io("ask the kernel to end flows"))?;
    flows
        .iter()
        .try_for_each(|flow| ask(&kernel, &message(flow)).map_err(NetworkError::io(format!("end the flow {flow:?}"))))
}

fn ask(kernel: &OwnedFd, message: &[u8]) -> io::Result<()> {
    send(kernel.as_raw_fd(), message, MsgFlags::empty())?;
    let mut answer = [0; 4096];
    let length = recv(kernel.as_raw_fd(), &mut answer, MsgFlags::empty())?;
    // The header of the answer has 16 bytes, the kind of it among them; an errno follows.
    let (kind, errno) = match answer.get(..length) {
        Some([_, _, _, _, a, b, ..]) if length >= 20 => {
            let errno = [answer[16], answer[17], answer[18], answer[19]];
            (u16::from_ne_bytes([*a, *b]), i32::from_ne_bytes(errno))
        }
        _ => return Err(io::ErrorKind::UnexpectedEof.into()),
    };
    match Errno::from_raw(errno.saturating_neg()) {
        _ if kind != ERROR => Err(io::ErrorKind::InvalidData.into()),
        // It had ended by itself.
        Errno::ENOENT => Ok(()),
        _ if errno == 0 => Ok(()),
        other => Err(other.into()),
    }
}

fn message(flow: &Flow) -> Vec<u8> {
    // The family (`AF_INET`), the version, and no resource.
    let mut payload = vec![2, 0, 0, 0];
    payload.extend(attribute(1 | NESTED, &tuple(flow.protocol, &flow.asked)));
    let length = u32::try_from(16 + payload.len()).unwrap_or_default().to_ne_bytes();
    let header = [&length[..], &DELETE.to_ne_bytes(), &ASK.to_ne_bytes(), &[0; 8]].concat();
    [header, payload].concat()
}

/// What the kernel finds a flow by.
fn tuple(protocol: u8, tuple: &Tuple) -> Vec<u8> {
    let addresses = [
        attribute(1, &tuple.source.octets()),
        attribute(2, &tuple.target.octets()),
    ];
    let mut number = attribute(1, &[protocol]);
    let ports = [(2, tuple.source_port), (3, tuple.target_port)];
    for (kind, port) in ports {
        number.extend(
            port.map(|port| attribute(kind, &port.to_be_bytes()))
                .unwrap_or_default(),
        );
    }
    if let Some((kind, code, id)) = tuple.icmp {
        number.extend(attribute(4, &id.to_be_bytes()));
        number.extend(attribute(5, &[kind]));
        number.extend(attribute(6, &[code]));
    }
    [
        attribute(1 | NESTED, &addresses.concat()),
        attribute(2 | NESTED, &number),
    ]
    .concat()
}

/// An attribute: its length, its kind, its value, and what fills four bytes up.
fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + value.len()).unwrap_or_default();
    let mut bytes = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat();
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}
